"""A command-line agent shell for Claude whose user stays in control."""

__version__ = "0.1.0"

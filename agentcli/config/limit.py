"""Bounds of what people may ask for."""

MOST_USD = 1_000_000

"""Lending of a small library: who has which book, and what it costs to be late."""

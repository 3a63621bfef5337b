"""Typed content from the text that a model writes. Pure and total: no torch, no I/O, no error on any text."""

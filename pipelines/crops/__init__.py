"""Render a region as one square crop of 896 px, or as tiles where its print is too small for one."""

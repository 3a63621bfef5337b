"""Born-digital molecules and scores, read from the strokes and glyphs of the page itself."""

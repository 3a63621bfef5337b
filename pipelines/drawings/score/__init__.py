"""Scores from strokes: staves, symbols and beams of a drawing become notes and Humdrum ``**kern``."""

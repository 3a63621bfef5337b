"""Molecules from strokes: bonds and labels of a drawing become atoms, bonds and stereo."""

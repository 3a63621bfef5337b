"""Measuring docai, and any other reader, by the reference definition of each task."""

"""Whole pages with true regions, to measure layout on: ``page`` sets them, ``figures`` what is no prose."""

from docai.pipelines.synthesis.pages.page import SyntheticPage, Truth, scanned, synthetic_page

__all__ = ["SyntheticPage", "Truth", "scanned", "synthetic_page"]

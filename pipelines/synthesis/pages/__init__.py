"""Synthetic pages with true regions, to measure layout (``page``), and what they show (``figures``)."""

from docai.pipelines.synthesis.pages.page import SyntheticPage, Truth, scanned, synthetic_page

__all__ = ["SyntheticPage", "Truth", "scanned", "synthetic_page"]

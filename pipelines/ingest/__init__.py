"""Sources into pages: PDF, PNG, JPEG, TIFF, WebP and BMP, lazily, under limits.

    with open_source("report.pdf") as source:
        for page in source.pages("1-3"):
            page.words(), page.render(scale=2)

Coordinates are PDF points of the page as it is displayed: rotated, cut to its crop box, origin top left.
"""

from docai.pipelines.ingest.page import VECTOR_SCALE, Page, PageWord
from docai.pipelines.ingest.quiet import quiet_mupdf
from docai.pipelines.ingest.source import Source, open_source

__all__ = ["VECTOR_SCALE", "Page", "PageWord", "Source", "open_source", "quiet_mupdf"]

"""Open a source (PDF, PNG, JPEG, TIFF, WebP or BMP) and read its pages one at a time, under limits.

    with open_source("report.pdf") as source:
        for page in source.pages("1-3"):
            page.words(), page.render(scale=2)

Coordinates are PDF points of the page as displayed: rotated, cut to its crop box, origin at the top left.
"""

from docai.pipelines.ingest.page import VECTOR_SCALE, FontFace, Page, PageWord, quiet_mupdf
from docai.pipelines.ingest.source import Source, open_source

__all__ = ["VECTOR_SCALE", "FontFace", "Page", "PageWord", "Source", "open_source", "quiet_mupdf"]

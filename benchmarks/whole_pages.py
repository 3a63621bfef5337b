"""A worker's page without the layout model: its words as one text. For measuring what is around the model."""

from __future__ import annotations

from typing import Any

import docai.pipelines.page_reading
from docai.pipelines.batch import worker
from docai.pipelines.ingest import Page
from docai.pipelines.layout import PageLayout
from docai.pipelines.layout.given import whole_page

_read_page = worker.read_page


def read_page(number: int) -> int:
    """Takes the place of :func:`docai.pipelines.batch.worker.read_page`."""
    docai.pipelines.page_reading.find_regions = _as_one_text
    return _read_page(number)


def _as_one_text(page: Page, **options: Any) -> PageLayout:
    return PageLayout((whole_page(page, "text", use_text_layer=True),), "born-digital")

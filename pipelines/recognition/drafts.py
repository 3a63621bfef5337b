"""What a head is likely to write about a crop of a born-digital page: what the PDF itself says there.

It is a guess for the engine (:attr:`docai.models.engine.Request.draft`), which checks it and writes the same
answer in fewer steps. No record rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from docai.contents import TableContent, TextContent
from docai.geometry import BBox, share_inside
from docai.parsers.locations import write_bins
from docai.parsers.table_grid import located_html, plain_cells
from docai.pipelines.crops.crop import Bins, Crop
from docai.pipelines.evidence.base import Reading

_MIN_SHARE_INSIDE = 0.5
"""Least share of a word or cell inside the crop for it to be written."""


def draft_of(readings: Sequence[Reading], crop: Crop) -> str:
    """The answer to a crop as the PDF's own words have it, in the spelling of the head; empty: it has none.

    Args:
        readings: of the region, of the text layer and of the table finder among others.
        crop: a part of the region, or all of it.
    """

    def locate(box: BBox) -> Bins | None:
        is_shown = share_inside(box, crop.bbox) >= _MIN_SHARE_INSIDE
        return crop.transform.to_loc(box) if is_shown else None

    own = [one.content for one in readings if one.source in ("text-layer", "table-finder")]
    # The grid says more than its words.
    for table in (content for content in own if isinstance(content, TableContent) and content.cells):
        cells = plain_cells(table.cells)
        return located_html(cells, table.n_rows, table.n_cols, locate)
    for text in (content for content in own if isinstance(content, TextContent)):
        lines = []
        for line in text.lines:
            placed = [(word.text, locate(word.bbox)) for word in line.words if word.bbox is not None]
            words = [f"{write_bins(bins)} {label}" for label, bins in placed if bins is not None]
            lines += [" ; ".join(words)] if words else []
        return "\n".join(lines)
    return ""

"""Regions that the caller gives, or a whole page as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from docai.errors import SettingError
from docai.geometry import BBox
from docai.models.heads import region_kinds
from docai.pipelines.ingest import Page
from docai.pipelines.layout.types import PageLayout, Region
from docai.pipelines.words import holds_word

GivenRegions = Mapping[int, Sequence[tuple[str, BBox]]]
"""Page number → kinds and boxes (displayed page points), in reading order."""

_REGIONS_SHAPE = 'give them as {1: [("table", (x0, y0, x1, y1))]}, by page'

_EVIDENCE = ("given by the caller",)


def check_given(regions: GivenRegions) -> None:
    """Refuse regions that could not be read on any page.

    Raises:
        SettingError: another shape than :data:`GivenRegions`, a page below 1, a kind that does not exist, or
            a box without area.
    """
    kinds = region_kinds()
    if not isinstance(regions, Mapping):
        raise SettingError(f"regions is {regions!r}; {_REGIONS_SHAPE}.")
    for page, of_page in regions.items():
        if not isinstance(page, int) or page < 1:
            raise SettingError(f"regions names the page {page!r}; pages are whole numbers from 1.")
        if not isinstance(of_page, Sequence) or isinstance(of_page, str):
            raise SettingError(f"The regions of page {page} are {of_page!r}; {_REGIONS_SHAPE}.")
        for region in of_page:
            try:
                kind, (x0, y0, x1, y1) = region
                has_area = x0 < x1 and y0 < y1 and all(map(math.isfinite, (x0, y0, x1, y1)))
            except (TypeError, ValueError):
                raise SettingError(f"A region of page {page} is {region!r}; {_REGIONS_SHAPE}.") from None
            if kind not in kinds:
                raise SettingError(
                    f"A region of page {page} is of the kind {kind!r}; the kinds are: {', '.join(kinds)}."
                )
            if not has_area:
                raise SettingError(
                    f"A region of page {page} has the box {(x0, y0, x1, y1)}, which has no area: give "
                    "x0 y0 x1 y1 in points from the top left of the page."
                )


def given_layout(page: Page, regions: Sequence[tuple[str, BBox]], *, use_text_layer: bool) -> PageLayout:
    """The given regions as a layout. A word goes to the first that holds its center; others are left out."""
    words = page.words() if use_text_layer else []
    origin: Literal["born-digital", "scan"] = "born-digital" if words else "scan"
    layout = []
    for kind, box in regions:
        inside = tuple(word for word in words if holds_word(box, word))
        words = [word for word in words if not holds_word(box, word)]
        layout.append(Region(kind, box, 1.0, _EVIDENCE, words=inside))
    return PageLayout(tuple(layout), origin)


def whole_page(page: Page, kind: str, *, use_text_layer: bool) -> Region:
    """The page as one region, with all words of its text layer."""
    words = tuple(page.words()) if use_text_layer else ()
    return Region(kind, page.bbox, 1.0, _EVIDENCE, words=words)

"""Words and their boxes held against the ink of a crop."""

from __future__ import annotations

import numpy as np

from docai.pipelines.readback.base import Features, Gray, NotComparable
from docai.pipelines.readback.claims import (
    Claim,
    Page,
    chosen,
    look,
    overlapping,
    part_ink,
    summary,
    to_pixels,
    uncovered,
)
from docai.pipelines.readback.ink import to_ink
from docai.records import TextContent


def observe_text(gray: Gray) -> Page:
    """The letters of a crop, without its rules.

    Raises:
        NotComparable: it is blank.
    """
    return part_ink(to_ink(gray))


def text_features(page: Page, content: TextContent) -> Features:
    """Features of words against ink; boxes are shares of the crop.

    ``uncovered``: share of the ink outside of all boxes; ``largest_uncovered``: its largest lump, log of
    letter areas; ``overlap``: share of boxes on top of others; ``unboxed``: share of words without a box;
    the rest: :func:`docai.pipelines.readback.claims.summary`.

    Raises:
        NotComparable: no word has a box.
    """
    words = [word for line in content.lines for word in line.words if word.text.strip()]
    claims = [Claim(word.text, to_pixels(word.bbox, page.letters.shape)) for word in words if word.bbox]
    if not claims:
        raise NotComparable("no word has a box" if words else "the record has no words")
    some = chosen(claims)
    return {
        **summary([look(page, claim) for claim in some]),
        **uncovered(page, [claim.box for claim in claims]),
        "overlap": overlapping(np.array([claim.box for claim in some], np.float64)),
        "unboxed": 1 - len(claims) / len(words),
    }

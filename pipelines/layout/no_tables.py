"""Text that the layout model takes for a table: forms, tables of contents, and lines without columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from docai.geometry import share_inside
from docai.pipelines.ingest.check_boxes import SIGNS
from docai.pipelines.layout.table_splits import has_grid
from docai.pipelines.layout.types import PageEvidence, RegionCandidate, WordBox
from docai.pipelines.words import phrases, text_rows

_MIN_SHARE = 0.6
"""Share of the lines that must be labels with values, or titles with pages; values and titles may go on in
further lines."""

_MIN_LABELS = 0.4
"""Share of the phrases of a form that are labels: a label has one value, a row of a table several."""

_MIN_LINES = 2
"""Lines from which they can be told from those of a table."""

_PIECE_GAP = 0.65
"""Gap, in heights of a word, above which words can be of two columns."""

_MIN_RULE = 2.0
"""Length, in heights of a word, of a rule between columns; the sides of boxes and fields are shorter."""

_PAGE = r"(\d{1,4}|[ivxlc]{1,7})"

_LEADER = re.compile(r"[.·…_]{3,}|…+")

_LEADER_AND_PAGE = re.compile(rf".*([.·_]{{3,}}|…){_PAGE}", re.IGNORECASE)

_PAGE_ALONE = re.compile(_PAGE, re.IGNORECASE)


def text_instead_of_tables(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """The regions, those tables as text whose words are none; a ruled grid is a table whatever it holds."""
    return [_as_text(page, region) or region for region in regions]


def _as_text(page: PageEvidence, region: RegionCandidate) -> RegionCandidate | None:
    if region.kind != "table" or page.from_pixels:
        return None
    words = [
        word for word in page.words if word.text not in SIGNS and share_inside(word.bbox, region.bbox) > 0.5
    ]
    whole = RegionCandidate("table", region.bbox, 0, [], ruled_box=region.bbox)
    if not words or has_grid(page, whole):
        return None
    lines = [[words[i] for i in row] for row in text_rows([word.bbox for word in words])]
    what = None
    if _is_form(lines):
        what = "labels with their values"
    elif _is_contents(lines):
        what = "titles with their pages"
    elif not _has_upright_rule(page, region, words) and sum(len(_phrases(line)) > 1 for line in lines) < 2:
        what = "lines without columns"
    return (
        None if what is None else RegionCandidate("text", region.bbox, region.score, [*region.evidence, what])
    )


def _phrases(line: Sequence[WordBox]) -> list[list[WordBox]]:
    boxes = [word.bbox for word in line]
    return [[line[i] for i in part] for part in phrases(boxes, range(len(line)), _PIECE_GAP)]


def _has_upright_rule(page: PageEvidence, region: RegionCandidate, words: Sequence[WordBox]) -> bool:
    least = _MIN_RULE * float(np.median([word.bbox[3] - word.bbox[1] for word in words]))
    return any(
        s[3] - s[1] > max(least, s[2] - s[0]) and share_inside(s, region.bbox) > 0.5 for s in page.strokes
    )


def _is_form(lines: Sequence[Sequence[WordBox]]) -> bool:
    """Whether most lines are a label, which ends with a colon, and its value."""
    parts = [_phrases(line) for line in lines]
    labeled = sum(line[0][-1].text.endswith((":", "：")) for line in parts)
    n_labels = sum(part[-1].text.endswith((":", "：")) for line in parts for part in line)
    n_phrases = sum(map(len, parts))
    enough = len(lines) >= _MIN_LINES and labeled >= _MIN_SHARE * len(lines)
    return enough and n_labels >= _MIN_LABELS * n_phrases


def _is_contents(lines: Sequence[Sequence[WordBox]]) -> bool:
    """Whether most lines are a title, dots, and a page, and the pages go up."""
    pages = [page for page in map(_page_after_leader, lines) if page is not None]
    numbers = [int(page) for page in pages if page.isdigit()]
    rising = all(a <= b for a, b in pairwise(numbers))
    return len(pages) > _MIN_LINES and len(pages) >= _MIN_SHARE * len(lines) and rising


def _page_after_leader(line: Sequence[WordBox]) -> str | None:
    last = line[-1].text
    joined = _LEADER_AND_PAGE.fullmatch(last)
    if joined is not None:
        return joined[2]
    is_alone = _PAGE_ALONE.fullmatch(last) is not None
    return last if is_alone and any(_LEADER.search(word.text) for word in line[:-1]) else None

"""Molecules whose bonds are all level or plumb, as that of deuterated methane.

Nothing but their labels tells them from other figures: lines that enclose nothing, with atoms alone at them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import cv2
import numpy as np

from docai.geometry import BBox, grow, touches, union
from docai.pipelines.layout.types import PageEvidence, RegionCandidate, WordBox
from docai.pipelines.pixels import binarize, parts_of

MIN_ATOMS = 3
"""Labels of a molecule of such bonds; with fewer it has no crossing, and is no more than a line."""

REACH = 1.0
"""Heights of a label between it and the end of its bond, at most."""

MIN_RUN = 1.5
"""Heights of a label: length of a bond, at least; the strokes of letters are shorter."""

MAX_REST = 0.1
"""Share of the ink of its lines that may be neither level nor plumb: their blurred edges."""

_ATOM = re.compile(r"[1-9]?[0-9]?(H[0-9]?)?(Cl|Br|Si|Se|[HDTBCNOPSFI])(H[0-9]?|[DFO][0-9]?)?[-+]?")
"""The label of an atom with its isotope, hydrogens and charge, as an OCR engine reads it."""


def believe_atoms(page: PageEvidence, regions: list[RegionCandidate]) -> list[RegionCandidate]:
    """Regions with figures of a scan that are such molecules as molecules."""
    if not page.from_pixels:
        return regions
    return [_believed(page, region) if region.kind == "figure" else region for region in regions]


def _believed(page: PageEvidence, region: RegionCandidate) -> RegionCandidate:
    near = [word for word in page.words if word.text and _touch(word, region.bbox)]
    if len(near) < MIN_ATOMS or not all(is_atom(word.text) for word in near):
        return region
    if not _is_upright_lines(page, region.bbox, near):
        return region
    evidence = [*region.evidence, f"level and plumb lines between {len(near)} labels of atoms"]
    box = union([region.bbox, *(word.bbox for word in near)])
    return replace(region, kind="molecule", bbox=box, score=0.6, evidence=evidence)


def is_atom(text: str) -> bool:
    """Whether a word is the label of an atom; the end of its bond may be read as a dash or an accent."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return _ATOM.fullmatch(plain.strip("-\u2212\u2013_|.'`")) is not None


def _touch(word: WordBox, box: BBox) -> bool:
    return touches(grow(word.bbox, REACH * (word.bbox[3] - word.bbox[1])), box)


def _is_upright_lines(page: PageEvidence, box: BBox, labels: list[WordBox]) -> bool:
    """Whether what is drawn beside labels is one piece of level and plumb lines that encloses nothing, and
    ends at each of them."""
    gray, transform = page.picture_of(box)
    ink = binarize(gray)
    for word in labels:
        # In a small picture bonds touch the letters.
        x0, y0, x1, y1 = (max(0, round(value)) for value in transform.to_pixels(word.bbox))
        ink[y0:y1, x0:x1] = 0
    parts = parts_of(ink)
    height = float(
        np.median([min(word.bbox[2] - word.bbox[0], word.bbox[3] - word.bbox[1]) for word in labels])
    )
    run = max(3, round(MIN_RUN * transform.scale * height))
    lines = np.flatnonzero(np.maximum(parts.widths, parts.heights) >= run)
    if len(lines) != 1:
        return False
    (cross,) = map(transform.to_page, parts.boxes_of(np.arange(len(parts.areas)) == lines[0]))
    if not all(_touch(word, cross) for word in labels):
        return False
    ink = np.asarray(parts.labels == lines[0] + 1, np.uint8)
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    plumb = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((run, 1), np.uint8))
    rest = int((ink & ~(level | plumb)).sum())
    if not level.any() or not plumb.any() or rest > MAX_REST * int(ink.sum()):
        return False
    free = np.pad(1 - ink, 1, constant_values=1)
    return int(cv2.connectedComponents(free, connectivity=4)[0]) == 2

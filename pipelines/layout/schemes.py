"""Drawings of a page split into structures, and what reaction arrows and plus signs say of their neighbors.

Lengths are points of the page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import (
    BBox,
    PageTransform,
    area,
    clip,
    contains_center,
    grow,
    interval_overlap,
    iou,
    join_touching,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout.arrows import Arrow
from docai.pipelines.layout.labels import MAX_LETTERS
from docai.pipelines.layout.linework import LineDrawing, read_line_drawing
from docai.pipelines.layout.structures import Structure
from docai.pipelines.layout.types import PageEvidence, RegionCandidate, WordBox
from docai.pipelines.pixels import MIN_LINE_CONTRAST, binarize, parts_of

AREA_REACH = 24.0
"""Points; drawings closer than this are read in one picture: more than any gap inside a structure."""

MARGIN = 20.0
"""Points around a drawing in which labels of its atoms may stand; less than :data:`AREA_REACH`."""

MAX_CUT = 60.0
"""Points: the longer side of ink at the edge of a drawing that may be a label of it."""

MAX_SIGN = (10.0, 1.5)
"""Bond lengths of the longer and the shorter side of an arrow that stands alone."""

MIN_SHARE_READ = 0.8
"""Share of the ink of a drawing's strokes that must be structures where it is not a molecule as a whole."""

MIN_OTHER = 3.0
"""Bond lengths; the longer side of what is drawn beside structures and is a figure of its own."""

MIN_STROKES = 6
"""Edges of strokes that a structure in a table has at least: three bonds."""

MIN_CELL_BOND = 7.0
"""Points of a bond in a table; in text of the usual size, the strokes of letters that touch are shorter."""

LOOSE_REACH = 0.5
"""Bond lengths from a structure within which ink is part of it; a caption is farther off."""

SIDE_REACH = 1.0
"""The same at the height of the structure, where no caption is."""

MAX_LABEL = 2.0
"""Bond lengths by which the labels at the ends of a structure in a scan reach beyond its strokes."""

LIGHTEST_INK = 236
"""Gray level below which something is drawn on a born-digital page."""

MAX_LOOSE_PIECES = 4
"""Pieces of ink beyond each other that are followed from a structure."""

_NO_LABEL = re.compile("[a-z]{3}|[0-9][.,][0-9]")
"""What labels of atoms and groups do not have, and words and numbers do."""

_ION = re.compile("[0-9]?(H?(C[lI1]|Br|I|F)|Na|K|Li)[-+\u207b\u207a\u2212\u2013]?")
"""Halides, their acids and alkali metals, as an OCR engine reads them."""

MAX_ION_GAP = 4.0
"""Bond lengths between a structure and an ion of the same salt."""

STEP = 2.0
"""Pixels by which a picture is smoothed in which nothing is found."""


@dataclass
class Scheme:
    """The structures, arrows and plus signs of one page; arrows and signs with the length of bonds there."""

    structures: list[RegionCandidate] = field(default_factory=list)
    arrows: list[tuple[Arrow, float]] = field(default_factory=list)
    pluses: list[tuple[BBox, float]] = field(default_factory=list)
    bonds: list[float] = field(default_factory=list)
    """The length of bonds in each drawing that holds structures."""


def split_drawings(
    page: PageEvidence,
    graphics: Sequence[tuple[BBox, list[RegionCandidate]]],
    prose: set[tuple[int, int]],
) -> tuple[list[RegionCandidate], Scheme]:
    """The regions of drawings, with each structure as one, and what stands between structures.

    Args:
        page: the page.
        graphics: the box of each drawing or image, and its regions so far.
        prose: lines of text that belong to no drawing.
    """
    scheme = Scheme()
    settled = [region for _, regions in graphics for region in regions if not _is_open(region)]
    open_regions = [region for _, regions in graphics for region in regions if _is_open(region)]
    boxes = [box for box, regions in graphics if all(map(_is_open, regions))]
    for whole in join_touching(boxes, AREA_REACH):
        drawing = read_area(page, _with_cut_ink(page, grow(whole, MARGIN), prose), prose)
        if drawing is None:
            continue
        mine = [region for region in open_regions if contains_center(whole, region.bbox)]
        kept, structures = _split_area(page, mine, drawing, prose)
        open_regions = [region for region in open_regions if not contains_center(whole, region.bbox)]
        settled += kept + structures
        scheme.structures += structures
        if structures:
            scheme.bonds.append(drawing.bond)
            scheme.arrows += [(arrow, drawing.bond) for arrow in drawing.arrows]
            scheme.pluses += [(plus, drawing.bond) for plus in drawing.pluses]
    return [region for region in settled + open_regions if not _is_sign(page, region, scheme)], scheme


def _is_sign(page: PageEvidence, region: RegionCandidate, scheme: Scheme) -> bool:
    """Whether a figure is an arrow that stands far from the structures of its page; it is then told."""
    if region.kind != "figure" or not scheme.structures:
        return False
    bond = float(np.median(scheme.bonds))
    x0, y0, x1, y1 = region.bbox
    if max(x1 - x0, y1 - y0) > MAX_SIGN[0] * bond or min(x1 - x0, y1 - y0) > MAX_SIGN[1] * bond:
        return False
    drawing = read_area(page, grow(region.bbox, 2), set(), bond)
    if drawing is None or not _is_mostly_in(region.bbox, [arrow.bbox for arrow in drawing.arrows]):
        return False
    scheme.arrows += [(arrow, bond) for arrow in drawing.arrows]
    return True


def structures_in_tables(
    page: PageEvidence, regions: Sequence[RegionCandidate], prose: set[tuple[int, int]]
) -> list[RegionCandidate]:
    """Regions of the structures that are drawn in cells of tables and have no region yet."""
    found: list[RegionCandidate] = []
    for table in regions:
        drawing = read_area(page, table.bbox, prose) if table.kind == "table" else None
        if drawing is None or drawing.bond < MIN_CELL_BOND:
            continue
        for structure in drawing.structures:
            is_known = any(iou(structure.bbox, r.bbox) > 0.5 for r in regions if r.kind == "molecule")
            if structure.n_strokes >= MIN_STROKES and not is_known and not is_text(page, structure.bbox):
                region = _region_of(page, structure)
                region.evidence.append("in a table")
                found.append(region)
    return found


def is_text(page: PageEvidence, box: BBox) -> bool:
    """Whether most words in a box, several, are no labels of atoms: their letters, too, are short strokes of
    like length. False where the words were found in the pixels."""
    inside = [word for word in page.words if contains_center(box, word.bbox)]
    n_words = sum(_NO_LABEL.search(word.text) is not None for word in inside)
    return n_words > 1 and 2 * n_words > len(inside)


def read_area(
    page: PageEvidence, box: BBox, prose: set[tuple[int, int]], bond: float | None = None
) -> LineDrawing | None:
    """What is drawn in a box of the page; lines of ``prose`` are no part of it, and ``bond`` is the length of
    bonds where it is known."""
    inner = grow(clip(box, page.width, page.height), -1)
    if min(inner[2] - inner[0], inner[3] - inner[1]) < 2:
        return None
    shown, transform = page.picture_of(inner)
    gray = shown.copy()
    labels: list[BBox] = []
    for word in page.words:
        if not touches(word.bbox, box):
            continue
        pixels = transform.to_pixels(word.bbox)
        x0, y0, x1, y1 = (max(0, round(value)) for value in pixels)
        letters = gray[y0 : y1 + 1, x0 : x1 + 1]
        if word.line in prose:
            letters[:] = 255
        elif word.text or not any(share_inside(graphic, word.bbox) > 0.9 for graphic in page.graphics):
            labels.append(pixels)
            if not page.from_pixels:
                _darken(letters)
    pixels_of_bond = None if bond is None else bond * transform.scale
    is_sure = not page.from_pixels
    drawing = read_line_drawing(gray, labels, are_words_sure=is_sure, bond=pixels_of_bond)
    if drawing is not None and not drawing.structures and drawing.others:
        # Small pictures are drawn with steps, which are level and plumb strokes until they are smoothed.
        smooth = np.asarray(cv2.GaussianBlur(gray, (0, 0), STEP))
        drawing = read_line_drawing(smooth, labels, are_words_sure=is_sure, bond=pixels_of_bond) or drawing
    return None if drawing is None else _to_page(drawing, transform)


def _with_cut_ink(page: PageEvidence, box: BBox, prose: set[tuple[int, int]]) -> BBox:
    """A box of the page with the whole of the labels, letters and short strokes that it cuts through, in a
    scan: its margin may end within a label."""
    box = clip(box, page.width, page.height)
    if not page.from_pixels:
        return box
    gray, transform = page.picture_of(clip(grow(box, MAX_CUT), page.width, page.height))
    parts = parts_of(binarize(gray))
    taken = [word.bbox for word in page.words if word.line in prose]
    cut = [
        part
        for part in map(transform.to_page, parts.boxes_of(parts.areas > 0))
        if 0 < share_inside(part, box) < 1
        and max(part[2] - part[0], part[3] - part[1]) <= MAX_CUT
        and not any(touches(word, part) for word in taken)
    ]
    labels = [word.bbox for word in page.words if _is_label(word, prose)]
    return union([box, *cut, *(label for label in labels if 0 < share_inside(label, box) < 1)])


def _is_open(region: RegionCandidate) -> bool:
    """Whether a region may yet be split."""
    return region.kind in ("molecule", "figure")


def _darken(letters: NDArray[np.uint8]) -> None:
    """Make the letters of a label black, in place: elements are often labeled in light colors."""
    if letters.size and int(letters.max()) - int(letters.min()) > MIN_LINE_CONTRAST:
        low, high = float(letters.min()), float(letters.max())
        letters[:] = ((letters - low) * (255 / (high - low))).astype(np.uint8)


def _to_page(drawing: LineDrawing, transform: PageTransform) -> LineDrawing:
    def point(xy: tuple[float, float]) -> tuple[float, float]:
        x, y, _, _ = transform.to_page((*xy, *xy))
        return x, y

    return LineDrawing(
        drawing.bond / transform.scale,
        [replace(item, bbox=transform.to_page(item.bbox)) for item in drawing.structures],
        [
            Arrow(transform.to_page(arrow.bbox), arrow.kind, point(arrow.tail), point(arrow.tip))
            for arrow in drawing.arrows
        ],
        [transform.to_page(box) for box in drawing.pluses],
        [transform.to_page(box) for box in drawing.others],
        drawing.share_read,
    )


def _split_area(
    page: PageEvidence, regions: Sequence[RegionCandidate], drawing: LineDrawing, prose: set[tuple[int, int]]
) -> tuple[list[RegionCandidate], list[RegionCandidate]]:
    """The regions of an area that stay, and those of its structures."""
    signs = [*(arrow.bbox for arrow in drawing.arrows), *drawing.pluses]
    if not regions and drawing.share_read < MIN_SHARE_READ:
        return [], []
    structures = list(drawing.structures)
    kept: list[RegionCandidate] = []
    for region in regions:
        inside = [item for item in structures if _is_mostly_in(item.bbox, [region.bbox])]
        others = [box for box in drawing.others if _is_mostly_in(box, [region.bbox])]
        if inside and (region.kind == "molecule" or _outweigh(inside, others)):
            apart = [*signs, *(item.bbox for item in structures if item not in inside)]
            if page.from_pixels and not drawing.arrows:
                inside, structures = _with_ions(page, inside, structures, drawing.bond, prose)
            whole = _with_loose_ink(page, region.bbox, inside, apart, drawing.bond, prose)
            structures = [whole.get(item, item) for item in structures]
            kept += _figures_beside(whole.values(), others, MIN_OTHER * drawing.bond)
            if page.from_pixels:
                known = [*others, *signs, *(item.bbox for item in structures)]
                unread = [box for box in page.graphics if _is_mostly_in(box, [region.bbox])]
                unread = [box for box in unread if not _is_mostly_in(box, known)]
                kept += _figures_beside(whole.values(), unread, drawing.bond)
            continue
        structures = [item for item in structures if item not in inside]
        pieces_of = [item.bbox for item in structures] if not others else []
        if not inside and not others and _is_mostly_in(region.bbox, [*pieces_of, *signs]):
            continue
        if region.kind == "molecule" and others:
            evidence = [*region.evidence, "but its strokes are not those of bonds"]
            region = replace(region, kind="figure", score=0.6, evidence=evidence)
        if region.kind == "molecule" and page.from_pixels:
            whole_region = Structure(region.bbox, region.score, tuple(region.evidence), 0)
            apart = [*signs, *(item.bbox for item in structures)]
            grown = _with_loose_ink(page, region.bbox, [whole_region], apart, drawing.bond, prose)
            region = replace(region, bbox=grown[whole_region].bbox)
        kept.append(region)
    return kept, [_region_of(page, structure) for structure in structures]


def _with_ions(
    page: PageEvidence,
    inside: list[Structure],
    structures: list[Structure],
    bond: float,
    prose: set[tuple[int, int]],
) -> tuple[list[Structure], list[Structure]]:
    """Structures of a drawing in a scan, and all of its area, with the ions and acids of salts beside them.

    Where there are arrows they can be reagents.
    """
    for word in page.words:
        if word.line in prose or not _ION.fullmatch(word.text) or not inside:
            continue
        nearest = min(inside, key=lambda one: _gap(one.bbox, word.bbox))
        if _gap(nearest.bbox, word.bbox) <= MAX_ION_GAP * bond:
            whole = replace(nearest, bbox=union([nearest.bbox, word.bbox]))
            inside = [whole if one is nearest else one for one in inside]
            structures = [whole if one is nearest else one for one in structures]
    return inside, structures


def _with_loose_ink(
    page: PageEvidence,
    box: BBox,
    structures: Sequence[Structure],
    apart: Sequence[BBox],
    bond: float,
    prose: set[tuple[int, int]],
) -> dict[Structure, Structure]:
    """Structures of one drawing with the ink near them that was not told to be theirs: letters that look like
    strokes, bonds behind a label, subscripts and charges. A structure alone in a picture without text has all
    of the picture.

    Args:
        apart: arrows, plus signs and structures of other drawings.
    """
    # The words of a scan are also the labels of atoms, which end where their last letter does.
    area_of_ink = clip(grow(box, MARGIN), page.width, page.height) if page.from_pixels else box
    words = [word for word in page.words if contains_center(area_of_ink, word.bbox)]
    if page.from_pixels:
        # Also those that the border of the area cuts: their letters inside are no loose ink.
        words = [word for word in page.words if touches(word.bbox, area_of_ink)]
        lines = Counter(word.line for word in page.words)
        words = [word for word in words if lines[word.line] > 1 or not _is_label(word, prose)]
    has_words = any(contains_center(box, word.bbox) for word in words)
    boxes = {structure: structure.bbox for structure in structures}
    is_alone = len(structures) == 1 and not has_words and not any(touches(other, box) for other in apart)
    if is_alone and (
        not page.from_pixels or share_inside(box, grow(structures[0].bbox, MAX_LABEL * bond)) == 1
    ):
        boxes = {structures[0]: union([structures[0].bbox, box])}
        if not page.from_pixels:
            return {one: replace(one, bbox=own) for one, own in boxes.items()}
    gray, transform = page.picture_of(area_of_ink)
    # Elements are often labeled in light colors, which are no ink in a scan.
    is_ink = binarize(gray) > 0 if page.from_pixels else gray < LIGHTEST_INK
    parts = parts_of(is_ink.astype(np.uint8))
    taken = [*apart, *(word.bbox for word in words)]
    ink = [transform.to_page(part) for part in parts.boxes_of(parts.areas > 0)]
    loose = [part for part in ink if not any(contains_center(other, part) for other in taken)]
    for _ in range(MAX_LOOSE_PIECES):
        for structure, own in boxes.items():
            others = [other for known, other in boxes.items() if known is not structure]
            near = [
                part
                for part in loose
                if (touches(grow(own, LOOSE_REACH * bond), part) or _is_next_to(own, part, bond))
                and max(part[2] - part[0], part[3] - part[1]) < MIN_OTHER * bond
                and not any(_gap(other, part) < _gap(own, part) or touches(other, part) for other in others)
            ]
            boxes[structure] = union([own, *near])
    return {structure: replace(structure, bbox=own) for structure, own in boxes.items()}


def _is_label(word: WordBox, prose: set[tuple[int, int]]) -> bool:
    """Whether a word of a scan can be the label of an atom or a group."""
    return word.line not in prose and word.n_chars <= MAX_LETTERS and not _NO_LABEL.search(word.text)


def _is_next_to(box: BBox, part: BBox, bond: float) -> bool:
    """Whether a piece of a drawing is at the height of a structure and beside it."""
    is_level = box[1] <= (part[1] + part[3]) / 2 <= box[3]
    return is_level and _gap(box, part) <= SIDE_REACH * bond


def _gap(box: BBox, other: BBox) -> float:
    """Distance between two boxes, the larger of across and down; below 0 where they overlap."""
    across = -interval_overlap(box[0], box[2], other[0], other[2])
    return max(across, -interval_overlap(box[1], box[3], other[1], other[3]))


def _is_mostly_in(box: BBox, outer: Iterable[BBox]) -> bool:
    return any(share_inside(box, grow(other, 2)) > 0.5 for other in outer)


def _outweigh(structures: Sequence[Structure], others: Sequence[BBox]) -> bool:
    """Whether structures are nearly all that is drawn in a region."""
    drawn = sum(area(item.bbox) for item in structures)
    return drawn >= MIN_SHARE_READ * (drawn + sum(map(area, others)))


def _figures_beside(
    structures: Iterable[Structure], others: Sequence[BBox], min_side: float
) -> list[RegionCandidate]:
    boxes = [item.bbox for item in structures]
    return [
        RegionCandidate("figure", box, 0.6, ["drawn beside a structure, and is none"])
        for box in others
        if max(box[2] - box[0], box[3] - box[1]) > min_side and not _is_mostly_in(box, boxes)
    ]


def _region_of(page: PageEvidence, structure: Structure) -> RegionCandidate:
    """The region of a structure, with most of each label: the box of a word is higher than its letters."""
    box, near = structure.bbox, grow(structure.bbox, 1)
    for word in page.words if not page.from_pixels else ():
        if contains_center(near, word.bbox):
            x0, y0, x1, y1 = word.bbox
            margin = 0.05 * (y1 - y0)
            box = union([box, (x0, y0 + margin, x1, y1 - margin)])
    return RegionCandidate("molecule", box, structure.score, list(structure.evidence))

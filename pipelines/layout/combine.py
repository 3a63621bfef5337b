"""Combine the boxes of the layout model, the drawings, the images and the words into regions.

Each word is in exactly one region: words in none become text regions of their own. Where the sources disagree
on what something is, the one that can be least mistaken is believed, in this order:

1. Notation that nothing else has: five-line staves are music, strokes that meet as bonds do, with labels at
   their ends, are molecules. A staff with words between its lines is none. Where the picture shows no
   notation but the strokes of a born-digital page make it without a rest, the strokes are believed.
2. Rules that cross all over with words in the fields between: a table, whatever else its ink resembles.
3. The layout model, on text and its classes, and on tables without rules.
4. The words' places: text in rows and columns can be a table, and running text is none.
5. What the ink resembles by shares of letters, lines and halftones. On scans, where the layout model sees
   marks in the place of words, a clear figure counts more than its table.

What was not believed is recorded in the evidence of the region (:func:`_record_conflicts`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from docai.geometry import (
    BBox,
    area,
    center,
    contains_center,
    grow,
    intersection_area,
    iou,
    join_touching,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout.assign import assign_words
from docai.pipelines.layout.classify import classify_gray, is_ruled_grid
from docai.pipelines.layout.drawn_notation import believe_strokes
from docai.pipelines.layout.neighbors import tell_neighbors
from docai.pipelines.layout.no_tables import text_instead_of_tables
from docai.pipelines.layout.passages import join_systems, split_passages
from docai.pipelines.layout.schemes import Scheme, is_text, split_drawings, structures_in_tables
from docai.pipelines.layout.table_rows import MAX_INSIDE, take_rows
from docai.pipelines.layout.table_splits import (
    split_side_by_side,
    split_tables_drawn_apart,
    tables_in_drawing,
)
from docai.pipelines.layout.tables import is_tabular, leave_out_notes, model_tables, ruled_tables
from docai.pipelines.layout.types import PageEvidence, RegionCandidate
from docai.pipelines.layout.upright_bonds import believe_atoms
from docai.pipelines.pixels import binarize, parts_of

LABEL_DISTANCE = 5.0
"""Points from a drawing within which a short word belongs to it, as labels of atoms and axes do."""

MIN_SAME = 0.5
"""Intersection over union from which two boxes are of the same thing."""

MAX_CELL_SHARE = 0.5
"""Share of a table that a molecule in one of its cells may cover."""

MIN_GRAPHIC_SIDE = 10.0
"""Points; a drawing that is smaller in both directions is a bullet or an ornament."""


MAX_UNREAD_INK = 0.1
"""Share of the ink of what is text alone that may lie beside the boxes of its words."""

PIECES_OF_A_LETTER = (0.6, 1.7)
"""Least and most pieces of ink for each letter of a word: some touch, and some have dots."""

MAX_LETTER_WIDTH = 1.3
"""Times the height of its word that a letter is broad, at most."""

MAX_LINE_HEIGHT = 14.0
"""Points: height of the ink of a line of text of the usual size, 10 points, with accents and descenders."""


def combine(page: PageEvidence) -> list[RegionCandidate]:
    """Regions with their words, in no particular order."""
    tables = [box for box, label in page.model_boxes if label == "table"]
    regions = [RegionCandidate("score", box, 0.95, ["five-line staves on the page"]) for box in page.scores]
    graphics = [(box, _regions_of_graphic(page, box, tables)) for box in _find_graphics(page)]
    prose = _lines_of_prose(page)
    drawn, scheme = split_drawings(page, graphics, prose)
    drawn = believe_atoms(page, drawn)
    drawn = [region for region in drawn if not _is_in_line(page, region) and not _is_read(page, region)]
    drawn = believe_strokes(page, drawn)
    regions = split_passages(page, join_systems(page, regions + drawn))
    split_tables_drawn_apart(page, regions)
    regions += model_tables(page, regions)
    regions += ruled_tables(page, regions)
    regions = split_side_by_side(page, regions)
    regions = _drop_overlapping(regions + structures_in_tables(page, regions, prose))
    regions = text_instead_of_tables(page, regions)
    for region in regions:
        if region.kind == "table":
            leave_out_notes(page, region)
    take_rows(page, regions)
    regions += _text_regions(page, regions)
    _record_conflicts(page, regions)
    assign_words(page, regions)
    tell_neighbors(regions, scheme)
    texts = [region for region in regions if region.kind == "text"]
    none = [region for region in texts if not region.word_indices or _is_sign(page, region, scheme)]
    return [region for region in regions if region not in none]


def _is_sign(page: PageEvidence, region: RegionCandidate, scheme: Scheme) -> bool:
    """Whether an OCR engine took reaction arrows and plus signs for text, as dashes and crosses."""
    signs = [
        grow(box, 3) for box in (*(arrow.bbox for arrow, _ in scheme.arrows), *(p for p, _ in scheme.pluses))
    ]
    boxes = [region.bbox, *(page.words[index].bbox for index in region.word_indices)]
    whole, *words = ([share_inside(box, sign) > 0.8 for sign in signs] for box in boxes)
    return page.from_pixels and (any(whole) or all(map(any, words)))


def _is_in_line(page: PageEvidence, region: RegionCandidate) -> bool:
    """Whether ink in a text of a scan is no higher than a line of it: joined letters can look like bonds."""
    is_low = region.bbox[3] - region.bbox[1] <= MAX_LINE_HEIGHT
    return (
        page.from_pixels
        and is_low
        and any(
            share_inside(region.bbox, box) > 0.8
            for box, label in page.model_boxes
            if label not in ("table", "picture")
        )
    )


def _is_read(page: PageEvidence, region: RegionCandidate) -> bool:
    """Whether the ink of a figure or a molecule of a scan is that of words that were read: large letters are
    like drawings, and slanted ones like bonds.

    An engine also reads small structures as a word of few letters. What seems a molecule is text where it is
    in about as many pieces as the words have letters, and no piece is broader than one.
    """
    words = [word for word in page.words if word.text and contains_center(region.bbox, word.bbox)]
    n_chars = sum(word.n_chars for word in words)
    if not page.from_pixels or not n_chars:
        return False
    gray, transform = page.picture_of(region.bbox)
    ink = binarize(gray)
    if region.kind == "molecule":
        parts = parts_of(ink)
        high = max(word.bbox[3] - word.bbox[1] for word in words) * transform.scale
        low, most = PIECES_OF_A_LETTER
        if n_chars < 2 or not low * n_chars <= len(parts.areas) <= most * n_chars:
            return False
        if (parts.widths > MAX_LETTER_WIDTH * high).any():
            return False
    n_ink = int((ink > 0).sum())
    for word in words:
        x0, y0, x1, y1 = (max(0, round(value)) for value in transform.to_pixels(grow(word.bbox, 1)))
        ink[y0:y1, x0:x1] = 0
    return int((ink > 0).sum()) <= MAX_UNREAD_INK * n_ink


def _find_graphics(page: PageEvidence) -> list[BBox]:
    """Boxes of drawings and images, joined where they overlap or where a label is between them."""
    prose = _lines_of_prose(page)
    labels = [word.bbox for word in page.words if word.n_chars <= 5 and word.line not in prose]
    graphics = _join_graphics(_graphics_and_pictures(page), _paragraphs(page), 1.0)
    near = [
        label
        for label in labels
        if any(touches(grow(graphic, LABEL_DISTANCE), label) for graphic in graphics)
    ]
    joined = _join_graphics([*graphics, *near], _paragraphs(page), 2.5)
    return [box for box in joined if any(share_inside(graphic, box) > 0.5 for graphic in graphics)]


def _graphics_and_pictures(page: PageEvidence) -> list[BBox]:
    """Drawings and images that are no ornaments, and what the layout model takes for pictures.

    That model sees words alone: a picture in which nothing is drawn is text set in an unusual way.
    """
    graphics = [box for box in page.graphics if max(box[2] - box[0], box[3] - box[1]) >= MIN_GRAPHIC_SIDE]
    drawn = [*page.graphics, *page.rules]
    pictures = [box for box, label in page.model_boxes if label == "picture"]
    return graphics + [box for box in pictures if page.from_pixels or any(touches(box, x) for x in drawn)]


def _paragraphs(page: PageEvidence) -> list[BBox]:
    """Boxes of running text of two lines or more; graphics are not joined over these.

    In a scan the layout model also takes labels of atoms that are far apart for a text.
    """
    prose = _lines_of_prose(page)
    lines = [word.bbox for word in page.words if word.line in prose]
    return [
        box
        for box, label in page.model_boxes
        if label in ("text", "list-item") and box[3] - box[1] > 18 and box[2] - box[0] > 150
        if not page.from_pixels or any(contains_center(box, line) for line in lines)
    ]


def _join_graphics(boxes: list[BBox], paragraphs: list[BBox], reach: float) -> list[BBox]:
    """Join boxes closer than ``reach``, points; one that lies over paragraphs already, a frame or a
    background, stays alone."""

    def covers_paragraph(box: BBox) -> bool:
        return any(share_inside(paragraph, box) > 0.3 for paragraph in paragraphs)

    over = [box for box in boxes if covers_paragraph(box)]
    free = [box for box in boxes if not covers_paragraph(box)]
    joined = join_touching(free, reach)
    graphics = [box for box in joined if not covers_paragraph(box)]
    for large in (box for box in joined if covers_paragraph(box)):
        graphics += _join_pairs(
            covers_paragraph, [box for box in free if share_inside(box, large) > 0.9], reach
        )
    return [*over, *graphics]


def _join_pairs(covers_paragraph: Callable[[BBox], bool], boxes: list[BBox], reach: float) -> list[BBox]:
    """Join boxes closer than ``reach`` pair by pair, except where their union would lie over a paragraph."""
    groups: list[BBox] = []
    for box in sorted(boxes, key=area, reverse=True):
        current, others = box, groups
        merged = True
        while merged:
            merged = False
            for other in others:
                both = union([current, other])
                if touches(grow(current, reach), other) and not covers_paragraph(both):
                    current, others, merged = both, [group for group in others if group != other], True
                    break
        groups = [*others, current]
    return groups


def _lines_of_prose(page: PageEvidence) -> set[tuple[int, int]]:
    """Lines long enough that their short words are not labels."""
    widths: dict[tuple[int, int], int] = defaultdict(int)
    for word in page.words:
        widths[word.line] += word.n_chars + 1
    return {line for line, chars in widths.items() if chars > 14}


def _regions_of_graphic(page: PageEvidence, box: BBox, tables: list[BBox]) -> list[RegionCandidate]:
    """The region of a graphic; where it only lies under much text, the regions of its parts without text."""
    apart = tables_in_drawing(page, box, tables)
    if apart:
        return apart
    n_inside = len(page.word_boxes_in(box))
    pictures = [other for other, label in page.model_boxes if label == "picture"]
    region = _classify_graphic(page, box, tables)
    is_large = area(box) > 0.2 * page.width * page.height and n_inside > 30
    is_background = is_large and not any(iou(box, picture) > 0.5 for picture in pictures)
    if region is not None and not (region.kind == "figure" and is_background):
        return [region]
    if not is_background:
        return []
    parts = [
        graphic
        for graphic in _graphics_and_pictures(page)
        if share_inside(graphic, box) > 0.95
        and area(graphic) < 0.5 * area(box)
        and len(page.word_boxes_in(graphic)) < 10
    ]
    candidates = (_classify_graphic(page, part, tables) for part in join_touching(parts, 1.0))
    return [candidate for candidate in candidates if candidate is not None]


def _classify_graphic(page: PageEvidence, box: BBox, tables: list[BBox]) -> RegionCandidate | None:
    """The region of one graphic; None where it is only the frame or the background of text."""
    inside = [word for word in page.words if contains_center(box, word.bbox)]
    lines: dict[tuple[int, int], int] = defaultdict(int)
    for word in inside:
        lines[word.line] += 1
    kind, score, evidence = classify_gray(page.gray(box), len(inside))
    if kind == "molecule" and page.is_ground(box):
        kind, score, evidence = "figure", 0.6, (*evidence, "but only filled boxes are drawn behind its words")
    if kind == "molecule" and is_text(page, box):
        kind, score, evidence = "figure", 0.6, (*evidence, "but what stands in it is text")
    table = max(tables, key=lambda other: intersection_area(other, box), default=None)
    ruled_box = _ruled_box(page, box)
    if table is not None and intersection_area(table, box) > 0.5 * min(area(table), area(box)):
        is_larger = area(box) > 2.5 * area(table)
        is_doubtful = page.from_pixels and kind == "figure" and score > 0.85
        if kind in ("table", "figure") and not is_larger and not is_doubtful:
            return RegionCandidate(
                "table",
                union([table, ruled_box]),
                0.95,
                ["layout model: table", *evidence],
                ruled_box=ruled_box,
                model_box=table,
                is_grid=kind == "table",
            )
        if kind == "figure" and is_larger and inside:
            return None
    if kind == "table" and inside and not page.from_pixels and not _is_table_of_words(page, box):
        kind, score = "figure", 0.6
        evidence = (*evidence, "but its words do not stand in cells")
    if kind == "table":
        return RegionCandidate(kind, ruled_box, score, list(evidence), ruled_box=ruled_box)
    if kind == "figure" and inside:
        text_share = sum(area(word.bbox) for word in inside) / max(1.0, area(box))
        n_in_long_lines = sum(count for count in lines.values() if count >= 5)
        if n_in_long_lines > 0.6 * len(inside) and len(inside) >= 8 and text_share > 0.12:
            return None
    if kind == "figure" and len(inside) <= 3 and inside:
        words = union([word.bbox for word in inside])
        if share_inside(box, grow(words, 6)) > 0.9:
            return None
    return RegionCandidate(kind, box, score, list(evidence))


def _is_table_of_words(page: PageEvidence, box: BBox) -> bool:
    """Whether the words of a graphic, too, indicate that it is a table.

    Where the layout model takes it for a picture, it must also be a ruled grid: the axes of charts side by
    side are in rows and columns as well.
    """
    if not is_tabular(page.word_boxes_in(box)):
        return False
    is_picture = any(label == "picture" and iou(box, other) > 0.5 for other, label in page.model_boxes)
    return not is_picture or is_ruled_grid(page.gray(box))


def _ruled_box(page: PageEvidence, box: BBox) -> BBox:
    """A box without the labels that were joined to it: short words near a ruled table are not part of it."""
    graphics = [graphic for graphic in _graphics_and_pictures(page) if share_inside(graphic, box) > 0.5]
    return union(graphics or [box])


def _drop_overlapping(regions: list[RegionCandidate]) -> list[RegionCandidate]:
    """The regions without those that lie mostly in another; others are kept before figures, larger ones
    first. A molecule in a cell of a table stays beside the table, and comes before it, so that the labels of
    its atoms are its words."""
    chosen: list[RegionCandidate] = []
    in_cells: list[RegionCandidate] = []
    for region in sorted(regions, key=lambda r: (r.kind == "figure", -area(r.bbox))):
        around = [other for other in chosen if share_inside(region.bbox, other.bbox) >= 0.6]
        if not around:
            chosen.append(region)
        elif region.kind == "molecule" and all(_has_cell_for(other, region) for other in around):
            in_cells.append(region)
        elif region.kind != around[0].kind and iou(region.bbox, around[0].bbox) > MIN_SAME:
            around[0].evidence.append(f"{region.evidence[0]}, as in a {region.kind}, which counts less here")
    return in_cells + chosen


def _record_conflicts(page: PageEvidence, regions: list[RegionCandidate]) -> None:
    """Record where the layout model takes a region that is no text for something else."""
    for region in regions:
        for box, label in page.model_boxes if region.kind != "text" else ():
            agrees = label == region.kind or (label == "picture" and region.kind != "table")
            if not agrees and iou(box, region.bbox) > MIN_SAME:
                region.evidence.append(f"layout model: {label}, which counts less here")


def _has_cell_for(region: RegionCandidate, molecule: RegionCandidate) -> bool:
    return region.kind == "table" and area(molecule.bbox) < MAX_CELL_SHARE * area(region.bbox)


def _text_regions(page: PageEvidence, regions: list[RegionCandidate]) -> list[RegionCandidate]:
    """Text blocks of the layout model that lie in no other region, with the fields of a form behind them."""
    texts = [
        RegionCandidate("text", box, 0.9, [f"layout model: {label}"], label=label)
        for box, label in page.model_boxes
        if label not in ("table", "picture")
        and not any(share_inside(box, one.bbox) > MAX_INSIDE for one in regions)
    ]
    for field in page.fields:
        labels = [one for one in texts if _is_label(one.bbox, field, page)]
        if labels and not any(share_inside(field, other.bbox) > 0.6 for other in regions):
            label = max(labels, key=lambda one: one.bbox[2])
            label.bbox = union([label.bbox, field])
            label.evidence.append("a field of a form")
            texts = [one for one in texts if one is label or share_inside(one.bbox, field) < 0.9]
    return texts


def _is_label(box: BBox, field: BBox, page: PageEvidence) -> bool:
    """Whether a line of a text stands left of a field, at its height."""
    return any(
        contains_center(box, word.bbox)
        and field[1] < center(word.bbox)[1] < field[3]
        and word.bbox[2] <= field[0] + 1
        for word in page.words
    )

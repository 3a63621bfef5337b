"""Measurements on the ink of an image: binarising, line segments, staves, glyph-sized parts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, touches, union

Gray = NDArray[np.uint8]
FAINT = 20
"""Gray levels that a line must stand out from its surroundings."""


def flatten(gray: Gray) -> Gray:
    """The image with its paper's own shade, which a scan varies over the page, divided out."""
    small = (
        cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        if min(gray.shape) > 400
        else gray
    )
    paper = cv2.medianBlur(
        cv2.dilate(small, np.ones((7, 7), np.uint8)), min(max(15, min(small.shape) // 10 | 1), 51)
    )
    paper = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    # Where the surroundings are dark there is a picture, not shaded paper: leave it dark.
    level = float(np.percentile(paper, 90)) or 255.0
    paper = np.maximum(paper, np.uint8(min(255, level * 0.8)))
    return np.asarray(cv2.divide(gray, paper, scale=255))


def binarise(gray: Gray) -> Gray:
    """Ink as 255 on 0."""
    flat = flatten(gray)
    threshold, _ = cv2.threshold(flat, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    threshold = min(max(threshold, 165), 205)
    return np.asarray((flat < threshold).astype(np.uint8) * 255)


def solid_areas(gray: Gray, side: int) -> list[BBox]:
    """Boxes of areas, at least ``side`` pixels both ways, in which no paper shows: pictures, fills."""
    flat = cv2.blur(flatten(gray), (3, 3))
    tinted = (flat < 236).astype(np.uint8) * 255
    found = parts_of(np.asarray(cv2.morphologyEx(tinted, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))))
    return found.boxes_of(found.areas > 0)


@dataclass(frozen=True)
class Parts:
    """Connected components of ink: ``boxes`` (n, 4) as x0 y0 x1 y1, ``areas`` (n,) in pixels, label image."""

    boxes: NDArray[np.int32]
    areas: NDArray[np.int32]
    labels: NDArray[np.int32]

    @property
    def widths(self) -> NDArray[np.int32]:
        return np.asarray(self.boxes[:, 2] - self.boxes[:, 0])

    @property
    def heights(self) -> NDArray[np.int32]:
        return np.asarray(self.boxes[:, 3] - self.boxes[:, 1])

    def boxes_of(self, which: NDArray[np.bool_]) -> list[BBox]:
        """Boxes of the parts that are True in ``which`` (n,)."""
        return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in self.boxes[which]]


def parts_of(ink: Gray) -> Parts:
    """Connected components, eight neighbours; label i + 1 is part i."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    boxes = stats[1:, :4].astype(np.int32)
    boxes[:, 2:] += boxes[:, :2]
    return Parts(boxes, stats[1:, cv2.CC_STAT_AREA].astype(np.int32), np.asarray(labels))


def level_lines(
    gray: Gray, length: int, thickness: int = 10, faint: int = FAINT, piece: int = 0
) -> list[BBox]:
    """Thin horizontal lines of at least ``length`` pixels, dark or faint, straight or slightly wavering.

    What is thin from above (a black hat) and goes on sideways (an opening) is a line, however light: a
    hairline of a third of a pixel is still seen where a threshold on its gray would lose it. With ``piece``,
    lines are cut every so many pixels, so that one that rises over its length is still level in each piece.
    """
    thin = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, np.ones((thickness + 1, 1), np.uint8))
    thin = cv2.dilate(thin, np.ones((2, 1), np.uint8))
    kernel = np.ones((1, max(10, length // 4)), np.uint8)
    strength = cv2.morphologyEx(
        cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8)), cv2.MORPH_OPEN, kernel
    )
    runs = (strength > faint).astype(np.uint8) * 255
    runs = cv2.morphologyEx(runs, cv2.MORPH_CLOSE, np.ones((1, 9), np.uint8))
    if piece:
        runs[:, piece::piece] = 0
    found = parts_of(np.asarray(runs))
    wide = found.widths
    lines = [line for index in np.flatnonzero(wide >= length) for line in _split(found, int(index), length)]
    return [line for line in lines if line[3] - line[1] <= thickness + 3]


def _split(parts: Parts, index: int, length: int) -> list[BBox]:
    """The lines of one part: runs of rows that it fills. Beams and clefs join the lines of a staff."""
    x0, y0, x1, y1 = (int(value) for value in parts.boxes[index])
    mask = parts.labels[y0:y1, x0:x1] == index + 1
    profile = mask.sum(axis=1)
    least = 0.5 * profile.max()
    full = profile >= (least if y1 - y0 <= 9 else max(length, least))
    lines = []
    for top, low in spans(np.asarray(full)):
        columns = np.flatnonzero(mask[top:low].any(axis=0))
        lines.append((float(x0 + columns[0]), float(y0 + top), float(x0 + columns[-1] + 1), float(y0 + low)))
    return [line for line in lines if line[2] - line[0] >= length]


def spans(flags: NDArray[np.bool_], least: int = 1) -> list[tuple[int, int]]:
    """Runs of True of at least that length, as half-open intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def upright_lines(gray: Gray, length: int) -> list[BBox]:
    """Thin vertical lines of at least ``length`` pixels."""
    turned = join_rows(level_lines(np.ascontiguousarray(gray.T), length), length)
    return [(y0, x0, y1, x1) for x0, y0, x1, y1 in turned]


@dataclass(frozen=True)
class Staff:
    """Five equally spaced lines; ``space`` is the distance between two of them."""

    bbox: BBox
    space: float


def staves(gray: Gray, least: int) -> list[Staff]:
    """Groups of five level lines of like extent at equal distances, top to bottom, ``least`` pixels long.

    Looked for in three ways, the one that finds most first, the others adding what it left:
    averaged along the lines, which lifts hairlines out of the noise; as they are, where notes stand so close
    that averaging drowns the lines; and in short pieces, for pages that were not flat.
    """
    ways = ((25, 9, 0), (1, FAINT, 0), (1, FAINT, 160))
    found: list[Staff] = []
    for more in sorted((_staves(gray, least, *way) for way in ways), key=len, reverse=True):
        free = [staff for staff in more if not any(touches(staff.bbox, other.bbox) for other in found)]
        found += free
    return sorted(found, key=lambda staff: staff.bbox[1])


def _staves(gray: Gray, least: int, average: int, faint: int, piece: int) -> list[Staff]:
    along = np.asarray(cv2.blur(gray, (average, 1))) if average > 1 else gray
    lines = level_lines(along, max(16, least // 4), thickness=6, faint=faint, piece=piece)
    rows = join_rows(lines, least)
    rows.sort(key=lambda row: row[1])
    free = set(range(len(rows)))
    found: list[Staff] = []
    for first in range(len(rows)):
        group = _five_from(rows, first, free) if first in free else None
        if group is not None:
            free -= set(group)
            boxes = [rows[index] for index in group]
            staff = Staff(union(boxes), (_middle(boxes[-1]) - _middle(boxes[0])) / 4)
            # Five grid lines of a chart are about as high as they are wide; a bar of music is not.
            if staff.bbox[2] - staff.bbox[0] > 13 * staff.space:
                found.append(staff)
    return found


def loose_between(parts: Parts, staff: Staff) -> float:
    """Width of the glyphs that stand free between a staff's lines, as a share of its length.

    Notes, clefs and bar lines touch the lines; the words of a ruled table do not.
    """
    x0, y0, x1, y1 = staff.bbox
    boxes, high = parts.boxes, parts.heights
    free = (boxes[:, 1] > y0 + 1) & (boxes[:, 3] < y1 - 1) & (boxes[:, 0] >= x0) & (boxes[:, 2] <= x1)
    free &= (high < 0.9 * staff.space) & (high > 0.2 * staff.space) & (parts.widths < 4 * staff.space)
    return float(parts.widths[free].sum()) / max(1.0, x1 - x0)


def _five_from(rows: list[BBox], first: int, free: set[int]) -> list[int] | None:
    """Indices of a staff whose top line is ``first``: each next line at one equal step below."""
    top = rows[first]
    near = [i for i in range(first + 1, len(rows)) if i in free and _alike(top, rows[i])]
    for second in near[:6]:
        step = _middle(rows[second]) - _middle(top)
        if step < 3:
            continue
        group = [first, second]
        for count in range(2, 6):
            wanted = _middle(top) + count * step
            slack = max(1.5, 0.22 * step)
            hits = [i for i in near if i not in group and abs(_middle(rows[i]) - wanted) <= slack]
            if not hits:
                break
            group.append(min(hits, key=lambda i: abs(_middle(rows[i]) - wanted)))
            step = (_middle(rows[group[-1]]) - _middle(top)) / count
        inner = [i for i in near if _middle(top) < _middle(rows[i]) < _middle(top) + 4.4 * step]
        if len(group) == 5 and len(inner) == 4 and not _goes_on(top, step, near, rows):
            return group
    return None


def _goes_on(top: BBox, step: float, near: list[int], rows: list[BBox]) -> bool:
    """Whether a sixth line follows at the same distance: the rows of a table do, a staff does not."""
    slack = max(1.5, 0.22 * step)
    edges = (_middle(top) - step, _middle(top) + 5 * step)
    others = [row for row in rows if row is not top and _alike(top, row)]
    return any(abs(_middle(row) - edge) <= slack for row in others for edge in edges)


def _alike(a: BBox, b: BBox) -> bool:
    shorter = min(a[2] - a[0], b[2] - b[0])
    longer = max(a[2] - a[0], b[2] - b[0])
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.75 * shorter and shorter > 0.5 * longer


def join_rows(lines: list[BBox], least: float) -> list[BBox]:
    """Unite the pieces of one line, which notes and bar lines break; keep what is then long enough."""
    chains: list[list[BBox]] = []
    for line in sorted(lines):
        fitting = [
            chain
            for chain in chains
            if abs(_middle(line) - _middle(chain[-1])) <= 2.5 and -10 < line[0] - chain[-1][2] < 40
        ]
        if fitting:
            max(fitting, key=lambda chain: chain[-1][2]).append(line)
        else:
            chains.append([line])
    return [box for box in map(union, chains) if box[2] - box[0] >= least]


def _middle(line: BBox) -> float:
    return (line[1] + line[3]) / 2

"""A drawing read as a chemist draws: bonds, labels of atoms, reaction arrows and plus signs.

All is measured in the picture, so that vectors, letters drawn as outlines and scans are read alike. The scale
is the drawing's own: the typical length of a bond. Lengths are pixels unless another unit is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, share_inside, union
from docai.pipelines.layout.arrows import Arrow, find_arrows, is_plus
from docai.pipelines.layout.labels import MAX_LETTERS, Lettering, is_bonded, letter_shaped, lettering_of
from docai.pipelines.layout.segments import (
    MAX_RUN,
    MIN_RULE_SHARE,
    lengths_of,
    line_segments,
    long_runs,
    mask_of,
    owners,
    segments_of,
    share_in,
    slanted,
    typical_length,
)
from docai.pipelines.layout.structures import Structure, rate_larger, rate_structure
from docai.pipelines.pixels import Gray, Parts, binarize, halftone_share, parts_of

MAX_PARTS = 4000
"""Connected pieces of ink above which a drawing is no chemistry: a map, or a plot of many points."""

MIN_BOND = 9.0
"""Pixels; shorter bonds cannot be told from letters."""

JOIN_GAP = 0.3
"""Bond lengths; strokes closer than this belong to one structure, as the lines of a double bond do."""

MAX_HALFTONES = 0.08
"""Share of the pixels that are neither white nor black above which a picture is no line drawing."""

MAX_BRACKET = 0.6
"""Bond lengths; brackets around a structure are narrower."""

MIN_BRACKET_RUN = 0.5
"""Share of the ink of a bracket that is its long stroke."""

MIN_SIDE = 1.1
"""Bond lengths; the longer side of the smallest structure, two bonds at an angle."""


@dataclass(frozen=True)
class LineDrawing:
    """What a line drawing consists of; boxes in pixels of its picture.

    ``bond`` is the typical length of a bond. ``others`` are strokes that are none of the rest, and
    ``share_read`` the share of the ink of all strokes, without rules and letters, that is in structures, 0…1.
    """

    bond: float
    structures: list[Structure]
    arrows: list[Arrow]
    pluses: list[BBox]
    others: list[BBox]
    share_read: float


def read_line_drawing(
    gray: Gray, words: list[BBox], *, are_words_sure: bool = True, bond: float | None = None
) -> LineDrawing | None:
    """Read the picture of a drawing; None where it cannot be one of structures.

    Args:
        gray: the picture, with nothing but the drawing and the letters near it.
        words: boxes of its words.
        bond: length of a bond, where it is known.
        are_words_sure: they are those of the text layer; words found in pixels may be bonds.
    """
    if halftone_share(gray) > MAX_HALFTONES:
        return None
    ink = binarize(gray)
    parts = parts_of(ink)
    if not 1 <= len(parts.areas) <= MAX_PARTS:
        return None
    known = _inside_words(parts, words)
    if not (~known & (np.minimum(parts.widths, parts.heights) >= MIN_BOND / 2)).any():
        return None  # Rules and words, as in most tables.
    if not are_words_sure:
        known = np.zeros_like(known)
    segments = line_segments(ink)
    owner = owners(parts, segments)
    # Rules, frames and axes are level or plumb, and longer than bonds: the slanted strokes give the scale.
    scale = bond or typical_length(slanted(segments_of(segments, owner, ~known)))
    if scale < MIN_BOND:
        return None
    letters = known | letter_shaped(parts, scale, ~known)
    bond = bond or typical_length(slanted(segments_of(segments, owner, ~letters))) or scale
    in_runs = share_in(long_runs(ink, MAX_RUN * bond), parts)
    arrows, in_arrow = find_arrows(parts, ~letters, bond)
    thin = np.minimum(parts.widths, parts.heights) <= MAX_BRACKET * bond
    apart = in_arrow | (in_runs >= np.where(thin, MIN_BRACKET_RUN, MIN_RULE_SHARE))
    high = parts.median_height(letters & ~apart) or 0.0
    pluses = [int(index) for index in np.flatnonzero(~apart) if is_plus(parts, int(index), bond, high)]
    letters = letters & ~apart
    letters[pluses] = False
    lettering = lettering_of(parts, letters)
    strokes = ~(lettering.mask | apart)
    strokes[pluses] = False
    segments, owner = segments_of(segments, owner, strokes), owner[np.append(strokes, False)[owner]]
    structures, others, read = [], [], 0.0
    for members, labels in _groups(parts, strokes, lettering, segments, owner, bond):
        box = union(parts.boxes_of(members))
        side = max(box[2] - box[0], box[3] - box[1])
        structure = None
        if side >= MIN_SIDE * bond and not in_runs[members].any():
            own = segments_of(segments, owner, members)
            structure = rate_structure(parts, members, labels, lettering, own)
        if side >= MIN_SIDE * bond and structure is None:
            structure = rate_larger(parts, members, labels, lettering, segments, owner, bond)
        if structure is not None:
            structures.append(structure)
            read += float(parts.areas[members].sum())
        elif side >= bond:
            others.append(box)
    total = float(parts.areas[strokes].sum())
    is_plus_part = np.zeros(len(parts.areas), bool)
    is_plus_part[pluses] = True
    return LineDrawing(
        bond, structures, arrows, parts.boxes_of(is_plus_part), others, read / total if total else 0.0
    )


def _inside_words(parts: Parts, words: list[BBox]) -> NDArray[np.bool_]:
    """Which parts (n,) lie in words: their letters."""
    inside = np.zeros(len(parts.areas), bool)
    boxes = parts.boxes
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    for x0, y0, x1, y1 in words:
        holds = (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
        inside |= holds & (parts.widths <= x1 - x0 + 2) & (parts.heights <= y1 - y0 + 2)
    return inside


def _groups(
    parts: Parts,
    strokes: NDArray[np.bool_],
    lettering: Lettering,
    segments: NDArray[np.float64],
    at: NDArray[np.int64],
    bond: float,
) -> list[tuple[NDArray[np.bool_], list[int]]]:
    """Strokes that belong together, (n,) each, and the labels of each group as indices of clusters.

    Strokes belong together where they nearly touch, where one label is at the ends of both, or where one lies
    within the extent of the other.
    """
    owner = _near_strokes(parts, strokes, segments, at, bond)
    group_of = np.arange(int(owner.max(initial=-1)) + 1)

    def join(a: int, b: int) -> None:
        group_of[group_of == group_of[a]] = group_of[b]

    bonded = _bonded_clusters(parts, strokes, lettering, owner, bond)
    for first, *others in bonded.values():
        for other in others:
            join(other, first)
    boxes = {
        int(group): union(parts.boxes_of(np.append(group_of, -1)[owner] == group))
        for group in np.unique(group_of)
    }
    for group, box in boxes.items():
        around = [other for other in boxes if other != group and share_inside(box, boxes[other]) > 0.95]
        if around:
            join(group, around[0])
    return [
        (
            np.asarray(np.append(group_of, -1)[owner] == group),
            [number for number, groups in bonded.items() if group_of[groups[0]] == group],
        )
        for group in np.unique(group_of)
    ]


def _near_strokes(
    parts: Parts,
    strokes: NDArray[np.bool_],
    segments: NDArray[np.float64],
    at: NDArray[np.int64],
    bond: float,
) -> NDArray[np.int64]:
    """For each part (n,) the number of its group of strokes that nearly touch; -1 for other parts.

    Structures of one drawing may have different scales: a part's reach is measured by its own strokes.
    """
    reach = np.full(len(parts.areas), bond)
    for index in np.flatnonzero(strokes):
        own = lengths_of(segments[at == index])
        if len(own):
            reach[index] = min(max(bond, float(np.max(own))), 2.5 * bond)
    radii = np.maximum(1, np.round(JOIN_GAP / 2 * reach)).astype(int)
    zone = np.zeros(parts.labels.shape, np.uint8)
    for radius in np.unique(radii[strokes]):
        ink = mask_of(parts, strokes & (radii == radius))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(radius) + 1,) * 2)
        zone |= cv2.dilate(ink, kernel)
    _, zones = cv2.connectedComponents(zone, connectivity=8)
    owner = np.full(len(parts.areas), -1)
    numbers: dict[int, int] = {}
    for index in np.flatnonzero(strokes):
        x0, y0, x1, y1 = parts.boxes[index]
        inside = zones[y0:y1, x0:x1][parts.labels[y0:y1, x0:x1] == index + 1]
        owner[index] = numbers.setdefault(int(inside[0]), len(numbers))
    return owner


def _bonded_clusters(
    parts: Parts, strokes: NDArray[np.bool_], lettering: Lettering, owner: NDArray[np.int64], bond: float
) -> dict[int, list[int]]:
    """The labels of atoms, as indices of clusters, each with the groups of strokes that it joins."""
    bonded: dict[int, list[int]] = {}
    for number, cluster in enumerate(lettering.clusters):
        if len(cluster.members) <= MAX_LETTERS:
            ends = is_bonded(cluster, parts, strokes, bond)
            if ends:
                bonded[number] = sorted({int(owner[index]) for index in ends})
    for line in {cluster.line for cluster in lettering.clusters}:
        of_line = [number for number, cluster in enumerate(lettering.clusters) if cluster.line == line]
        letters = sum(len(lettering.clusters[number].members) for number in of_line)
        if len(of_line) > 1 and letters > 3 and any(number not in bonded for number in of_line):
            for number in of_line:
                bonded.pop(number, None)
    return bonded

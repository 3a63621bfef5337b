"""Whether the strokes of a drawing with the labels at their ends are a structure of atoms and bonds.

Lengths are pixels unless another unit is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, union
from docai.pipelines.layout.labels import Lettering, letter_shaped
from docai.pipelines.layout.segments import (
    MAX_RUN,
    joints,
    lengths_of,
    long_runs,
    mask_of,
    segments_of,
    share_in,
    slanted,
    typical_length,
)
from docai.pipelines.pixels import Gray, Parts

MAX_STROKE = 0.2
"""Share of the length of a bond that its line may be wide; the strokes of letters are wider."""

FULL_LENGTH = 0.75
"""Share of the length of all strokes in those that are no longer than a whole bond; the rest are whole."""

ALIKE = (0.4, 1.3)
"""Times a whole bond; bonds are as long as each other, and shorter at labels and inside of rings."""

AXIS_SHARE = 0.6
"""Share of the width or height of a chart that an axis is long."""

MIN_AXIS = 1.3
"""Times a whole bond from which a stroke may be an axis."""

MAX_DASH = 0.15
"""Times a whole bond; shorter strokes are the dashes of hashed bonds."""

MIN_ALIKE = 0.7
"""Share of the length of its strokes that must be in strokes of like length."""

MIN_SLANTED = 0.2
"""Share of the length of its strokes that must be neither level nor plumb."""

MIN_LARGER = 1.4
"""Times the usual length of bonds from which those of a structure are larger."""


@dataclass(frozen=True)
class Structure:
    """One structure drawing: its extent with the labels of its atoms, how sure that is (0…1), and why."""

    bbox: BBox
    score: float
    evidence: tuple[str, ...]
    n_strokes: int
    """Edges of straight strokes; a bond has two."""


def rate_structure(
    parts: Parts,
    members: NDArray[np.bool_],
    labels: list[int],
    lettering: Lettering,
    own: NDArray[np.float64],
) -> Structure | None:
    """The structure that strokes with their labels are; None where they are something else."""
    if len(own) < 3:
        return None
    box = union(parts.boxes_of(members))
    x0, y0, x1, y1 = (int(value) for value in box)
    mask = mask_of(parts, members)[y0:y1, x0:x1]
    distance = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    stroke = 2 * float(np.percentile(distance[mask > 0], 90))
    lengths, typical = lengths_of(own), typical_length(own, FULL_LENGTH)
    if stroke > MAX_STROKE * typical:
        return None
    at_angle = float(lengths_of(slanted(own)).sum() / lengths.sum())
    low, high = ALIKE
    bonds = lengths > MAX_DASH * typical
    is_alike = (lengths > low * typical) & (lengths < high * typical)
    alike = float(lengths[is_alike].sum() / lengths[bonds].sum())
    n_corners, n_bends = joints(own[lengths > low * typical], max(3.0, stroke, 0.2 * typical))
    value = 0.35 + 0.3 * min(1.0, at_angle / 0.45) + 0.3 * alike
    if at_angle < MIN_SLANTED or alike < MIN_ALIKE or n_bends > n_corners:
        return None
    if _has_axes(mask, typical):
        return None
    if _holds_text(parts, mask, box, lettering, labels):
        return None
    texts = [lettering.clusters[number].bbox for number in labels]
    evidence = (
        f"{alike:.0%} of the strokes of like length",
        f"{at_angle:.0%} of the strokes slanted",
        f"{len(labels)} labels at the ends of bonds",
    )
    return Structure(union([box, *texts]), min(0.97, value), evidence, len(own))


def rate_larger(
    parts: Parts,
    members: NDArray[np.bool_],
    labels: list[int],
    lettering: Lettering,
    segments: NDArray[np.float64],
    owner: NDArray[np.int64],
    bond: float,
) -> Structure | None:
    """As :func:`rate_structure`, of one drawn larger than the rest, whose labels look like bonds."""
    own_bond = typical_length(slanted(segments_of(segments, owner, members)))
    if own_bond < MIN_LARGER * bond:
        return None
    if share_in(long_runs(mask_of(parts, members), MAX_RUN * own_bond), parts)[members].any():
        return None
    strokes = members & ~letter_shaped(parts, own_bond, members)
    if not strokes.any():
        return None
    structure = rate_structure(parts, strokes, labels, lettering, segments_of(segments, owner, strokes))
    return structure and replace(structure, bbox=union([structure.bbox, *parts.boxes_of(members)]))


def _has_axes(mask: Gray, bond: float) -> bool:
    """Whether a level and a plumb stroke, longer than a bond, span most of the ink, as axes do."""
    height, width = mask.shape
    level, plumb = (round(max(AXIS_SHARE * side, MIN_AXIS * bond)) for side in (width, height))
    return bool(
        cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, level), np.uint8)).any()
        and cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((plumb, 1), np.uint8)).any()
    )


def _holds_text(parts: Parts, mask: Gray, box: BBox, lettering: Lettering, labels: list[int]) -> bool:
    """Whether there are letters inside closed lines, labels of atoms of a bridge apart.

    The boxes, diamonds and circles of a flow chart hold text; rings of atoms do not.
    """
    free = np.pad((mask == 0).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(free, None, (0, 0), 2)
    inside = free[1:-1, 1:-1] == 1
    height, width = inside.shape
    bonded = {index for number in labels for index in lettering.clusters[number].members}
    for index in np.flatnonzero(lettering.mask):
        x0, y0, x1, y1 = parts.boxes[index]
        x, y = int((x0 + x1) / 2 - box[0]), int((y0 + y1) / 2 - box[1])
        if 0 <= x < width and 0 <= y < height and inside[y, x] and index not in bonded:
            return True
    return False

"""Brackets that are drawn with strokes, as around the unit of a polymer or a complex ion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from docai.geometry import BBox, overlap_ratio, union
from docai.pipelines.drawings.molecule.joints import Joint, ends_of, out_of
from docai.pipelines.drawings.molecule.types import BondMark
from docai.pipelines.ingest.drawing import Point

_MAX_ARM: Final = 0.5
"""Length of the arm of a bracket over that of its spine, at most."""


def as_bracket(marks: Sequence[BondMark], joints: Sequence[Joint], indices: Sequence[int]) -> Point | None:
    """The direction, of length 1, in which the arms of a bracket point; None where three lines are none."""
    if len(marks) != 3 or any(mark.order != 1 or mark.style != "plain" for mark in marks):
        return None
    meetings = [joint for joint in joints if len(joint.ends) == 2]
    if len(meetings) != 2:
        return None
    number = {index: n for n, index in enumerate(indices)}
    shared = {mark for mark, _ in meetings[0].ends} & {mark for mark, _ in meetings[1].ends}
    if len(shared) != 1:
        return None
    spine = marks[number[shared.pop()]]
    arms = []
    for joint in meetings:
        for index, side in joint.ends:
            mark = marks[number[index]]
            if mark is not spine:
                arms.append((math.dist(mark.begin, mark.end), out_of(mark, 1 - side)))
    (first_length, first), (second_length, second) = arms
    u = out_of(spine, 1)
    is_square = all(abs(arm[0] * u[0] + arm[1] * u[1]) < 0.15 for arm in (first, second))
    is_parallel = first[0] * second[0] + first[1] * second[1] > 0.95
    is_short = max(first_length, second_length) <= _MAX_ARM * math.dist(*ends_of(spine))
    return first if is_square and is_parallel and is_short else None


def pair_brackets(found: Sequence[tuple[BBox, Point]]) -> list[BBox]:
    """Boxes around each pair of brackets that face each other."""
    boxes = []
    for left, arms in found:
        if arms[0] < 0.9:
            continue
        for right, others in found:
            is_right = others[0] < -0.9 and right[0] > left[2]
            if is_right and overlap_ratio(left[1], left[3], right[1], right[3]) > 0.6:
                boxes.append(union([left, right]))
                break
    return boxes

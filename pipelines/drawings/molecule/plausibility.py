"""Line work that is no structure: tables, charts, maps, flow charts, frames and rules."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.molecule.brackets import as_bracket, pair_brackets
from docai.pipelines.drawings.molecule.joints import Joint, out_of
from docai.pipelines.drawings.molecule.points import components, near_pairs
from docai.pipelines.drawings.molecule.types import BondMark

_STRAIGHT: Final = math.cos(math.radians(172))
"""Cosine of the angle from which two bonds at an atom go on straight."""

_BENT_LITTLE: Final = math.cos(math.radians(160))
"""The same for a chain that is a curve in pieces."""

_UPRIGHT: Final = math.sin(math.radians(8))
"""Sine of the angle up to which a bond is level or upright."""

_MAX_CONTACTS: Final = 0.15
"""Ends of lines on the middle of others, over the number of lines, up to which it may be a structure."""

_MAX_CROSSINGS: Final = 0.15
"""Lines that cross others, over the number of lines, up to which it may be a structure."""

_MIN_USUAL: Final = 0.5
"""Share of the bonds that have about the same length, at least."""

_MAX_BARE_RINGS: Final = 6
"""Rings of a structure without letters, multiple bonds and wedges, at most."""


def drop_other_linework(
    marks: list[BondMark],
    joints: list[Joint],
    faces: Sequence[tuple[int, int]],
    length: float,
    width: float,
) -> tuple[list[BondMark], list[Joint], list[BBox]]:
    """The bonds and joints of a drawing without what cannot be a structure, and boxes of pairs of brackets.

    Args:
        marks: what may be bonds.
        joints: where they meet.
        faces: for each the letter that it points at, at its begin and at its end; -1 for none.
        length: of most bonds, points.
        width: of most lines, points.
    """
    pairs = [
        (first, other) for joint in joints for first in [joint.ends[0][0]] for other, _ in joint.ends[1:]
    ]
    at_letter: dict[int, int] = {}
    for index, letters in enumerate(faces):
        for letter in letters:
            if letter >= 0:
                pairs.append((index, at_letter.setdefault(letter, index)))
    groups = components(len(marks), pairs)
    at: dict[int, list[Joint]] = defaultdict(list)
    group_of = {mark: index for index, group in enumerate(groups) for mark in group}
    for joint in joints:
        at[group_of[joint.ends[0][0]]].append(joint)
    contacts, crossings = _contacts(marks, joints, length, width)
    kept: list[int] = []
    brackets = []
    for index, group in enumerate(groups):
        if len(group) == 1 and marks[group[0]].style == "dative":
            # An arrow between structures, which tells them apart.
            kept += group
            continue
        members = [marks[mark] for mark in group]
        arms = as_bracket(members, at[index], group)
        if arms is not None:
            points = [end for mark in members for end in (mark.begin, mark.end)]
            xs, ys = [x for x, _ in points], [y for _, y in points]
            brackets.append(((min(xs), min(ys), max(xs), max(ys)), arms))
            continue
        n_contacts = sum(contacts[mark] for mark in group)
        n_crossings = sum(crossings[mark] for mark in group) / 2
        is_lone = len(groups) == 1
        if n_contacts > max(1, _MAX_CONTACTS * len(group)):
            continue
        if n_crossings > max(3, _MAX_CROSSINGS * len(group)):
            continue
        if _may_be_structure(members, at[index], group, faces, length, is_lone):
            kept += group
    number = {mark: n for n, mark in enumerate(sorted(kept))}
    left = [
        Joint(joint.point, [(number[mark], side) for mark, side in joint.ends])
        for joint in joints
        if joint.ends[0][0] in number
    ]
    return [marks[mark] for mark in sorted(kept)], left, pair_brackets(brackets)


def _may_be_structure(
    marks: Sequence[BondMark],
    joints: Sequence[Joint],
    indices: Sequence[int],
    faces: Sequence[tuple[int, int]],
    length: float,
    is_lone: bool,
) -> bool:
    n_facing = sum(max(faces[index]) >= 0 for index in indices)
    if n_facing == 0 and not _is_enough(marks, joints, length, is_lone):
        return False
    number = {index: n for n, index in enumerate(indices)}
    whole = [
        math.dist(mark.begin, mark.end)
        for index, mark in zip(indices, marks, strict=True)
        if max(faces[index]) < 0
    ]
    if len(whole) >= 6:
        typical = float(np.median(whole))
        usual = sum(0.65 * typical < value < 1.5 * typical for value in whole)
        if usual < _MIN_USUAL * len(whole):
            return False
    n_right, n_smooth, n_branched, n_chain = 0, 0, 0, 0
    for joint in joints:
        bonds = [(marks[number[mark]], side) for mark, side in joint.ends]
        out = [out_of(mark, 1 - side) for mark, side in bonds]
        cosines = [a[0] * b[0] + a[1] * b[1] for n, a in enumerate(out) for b in out[n + 1 :]]
        if len(bonds) == 2 and all(mark.order == 1 for mark, _ in bonds):
            n_chain += 1
            n_smooth += cosines[0] < _BENT_LITTLE
        elif len(bonds) > 2:
            n_branched += 1
            is_level = all(min(abs(u[0]), abs(u[1])) < _UPRIGHT for u in out)
            n_right += is_level and min(cosines) < _STRAIGHT
    if n_right >= 3 and n_right > 0.4 * n_branched:
        return False
    return not (n_smooth >= 4 and n_smooth > 0.3 * (n_chain + n_branched))


def _is_enough(marks: Sequence[BondMark], joints: Sequence[Joint], length: float, is_lone: bool) -> bool:
    """Whether bonds without any letter may be a structure."""
    if len(marks) < 2 or (len(marks) == 2 and not is_lone):
        return False
    n_rings = len(marks) - len(joints) + 1
    is_plain = all(mark.order == 1 and mark.style == "plain" for mark in marks)
    if len(marks) == 4 and n_rings == 1 and is_plain and all(_is_level(mark) for mark in marks):
        return False
    if is_plain and n_rings > _MAX_BARE_RINGS:
        return False
    return any(0.5 * length < math.dist(mark.begin, mark.end) < 2.0 * length for mark in marks)


def _is_level(mark: BondMark) -> bool:
    u = out_of(mark, 1)
    return min(abs(u[0]), abs(u[1])) < _UPRIGHT


def _contacts(
    marks: Sequence[BondMark], joints: Sequence[Joint], length: float, width: float
) -> tuple[list[int], list[int]]:
    """For each bond how many ends lie on its middle part, and how many others it crosses there."""
    n = len(marks)
    contacts, crossings = [0] * n, [0] * n
    begin = np.array([mark.begin for mark in marks], float).reshape(-1, 2)
    end = np.array([mark.end for mark in marks], float).reshape(-1, 2)
    axis = end - begin
    span = np.maximum(np.hypot(*axis.T), 1e-9)
    unit = axis / span[:, None]
    tolerance = 0.03 * length + 0.5 * width
    for joint in joints:
        if len(joint.ends) > 1:
            continue
        mark = joint.ends[0][0]
        off = np.array(joint.point) - begin
        along = (off * unit).sum(axis=1)
        across = np.abs(off[:, 0] * unit[:, 1] - off[:, 1] * unit[:, 0])
        touched = (across < tolerance) & (along > 0.15 * span) & (along < 0.85 * span)
        touched[mark] = False
        if touched.any():
            contacts[mark] += 1
            for other in np.flatnonzero(touched).tolist():
                contacts[other] += 1
    reach = float(min(np.median(span) * 1.5, span.max()))
    for i, j in near_pairs((begin + end) / 2, reach).tolist():
        turn = unit[i, 0] * unit[j, 1] - unit[i, 1] * unit[j, 0]
        if abs(turn) < 0.1:
            continue
        off = begin[j] - begin[i]
        s = (off[0] * unit[j, 1] - off[1] * unit[j, 0]) / turn
        t = (off[0] * unit[i, 1] - off[1] * unit[i, 0]) / turn
        if 0.1 * span[i] < s < 0.9 * span[i] and 0.1 * span[j] < t < 0.9 * span[j]:
            crossings[i] += 1
            crossings[j] += 1
    return contacts, crossings

"""Stems, and the chords that they make of noteheads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from docai.pipelines.drawings.score.heads import HeadMark
from docai.pipelines.drawings.score.sheet import Sheet, Upright

SIDE_SPACES: Final = 0.3
"""Distance of a stem from the side of its head at most, in staff spaces."""

ANCHOR_HEIGHTS: Final = 0.65
"""How far from the middle of its outermost head a stem begins at most, in heights of the head."""

INK_HEIGHTS: Final = 0.4
"""How far from the middle of a head its ink reaches at the side where a stem is, in heights of the head."""

MIN_STEM_HEIGHTS: Final = 1.3
"""Length of a stem beyond its heads at least, in heights of a head."""

SMALL_SCALE: Final = 0.65
"""Size of beams and flags of grace notes against the others."""

Side = Literal["left", "right"]


@dataclass(slots=True, eq=False)
class Stem:
    """A stem with its heads."""

    x: float
    y0: float
    y1: float
    paths: tuple[int, ...]
    scale: float
    """Points of a staff space at its size: smaller at grace notes."""
    heads: list[tuple[HeadMark, Side]] = field(default_factory=list)
    """Each with the side of the head at which the stem is."""
    n_flags: int = 0
    beams_left: int = 0
    beams_right: int = 0
    beam_group: int | None = None
    n_tremolos: int = 0
    has_slash: bool = False

    @property
    def is_up(self) -> bool:
        """It goes up from its heads."""
        ys = [head.y for head, _ in self.heads]
        return min(ys) - self.y0 > self.y1 - max(ys)

    @property
    def free_y(self) -> float:
        """Of its end without a head."""
        return self.y0 if self.is_up else self.y1

    @property
    def beyond(self) -> float:
        """Length from its nearest head to the free end."""
        ys = [head.y for head, _ in self.heads]
        return max(min(ys) - self.y0, self.y1 - max(ys))

    def begins_at(self, head: HeadMark, side: Side) -> bool:
        """It begins at this head and on the usual side: right of it when up, left of it when down."""
        if side != ("right" if self.is_up else "left"):
            return False
        return abs((self.y1 if self.is_up else self.y0) - head.y) <= ANCHOR_HEIGHTS * head.height


def find_stems(sheet: Sheet, heads: Sequence[HeadMark], barline_paths: set[int]) -> list[Stem]:
    """Stems by x; their strokes are accounted for.

    Args:
        sheet: the page.
        heads: its noteheads by x.
        barline_paths: indices of paths that are barlines.
    """
    stems: dict[int, Stem] = {}
    lone = _without_copies([line for line in sheet.uprights if not barline_paths.issuperset(line.paths)])
    by_x = sorted(range(len(lone)), key=lambda index: lone[index].x)
    for head in heads:
        reach = SIDE_SPACES * head.space
        x0, x1 = head.symbol.bbox[0], head.symbol.bbox[2]
        for index in _between(lone, by_x, x0 - reach, x1 + reach):
            line = lone[index]
            near = ANCHOR_HEIGHTS * head.height
            if not line.y0 - near <= head.y <= line.y1 + near:
                continue
            side: Side = "left" if abs(line.x - x0) < abs(line.x - x1) else "right"
            if min(abs(line.x - x0), abs(line.x - x1)) > min(reach, 0.3 * head.width):
                continue
            scale = head.space * (SMALL_SCALE if head.is_small else 1.0)
            stem = stems.setdefault(index, Stem(line.x, line.y0, line.y1, line.paths, scale))
            stem.scale = max(stem.scale, scale)
            stem.heads.append((head, side))
    _leave_missed_heads(list(stems.values()))
    _leave_strange_sides(list(stems.values()))
    _leave_far_ends(list(stems.values()))
    found = [stem for stem in stems.values() if stem.heads]
    _extend(found, [lone[index] for index in by_x if index not in stems])
    found = [stem for stem in found if _is_sound(stem)]
    _settle(found)
    found = _without_doubles([stem for stem in found if stem.heads and _is_sound(stem)])
    for stem in found:
        sheet.used_paths.update(stem.paths)
    return sorted(found, key=lambda stem: stem.x)


def _without_doubles(stems: Sequence[Stem]) -> list[Stem]:
    """Stems, of those at one place with the same heads in one direction only one."""
    kept: dict[tuple[object, ...], Stem] = {}
    for stem in stems:
        key = (stem.is_up, frozenset((id(head), side) for head, side in stem.heads))
        other = kept.setdefault(key, stem)
        if other is not stem:
            other.y0, other.y1 = min(other.y0, stem.y0), max(other.y1, stem.y1)
            other.paths += stem.paths
    return list(kept.values())


def _between(lines: Sequence[Upright], by_x: Sequence[int], x0: float, x1: float) -> list[int]:
    low, high = 0, len(by_x)
    while low < high:
        middle = (low + high) // 2
        if lines[by_x[middle]].x < x0:
            low = middle + 1
        else:
            high = middle
    found = []
    while low < len(by_x) and lines[by_x[low]].x <= x1:
        found.append(by_x[low])
        low += 1
    return found


def _without_copies(lines: Sequence[Upright]) -> list[Upright]:
    """Upright strokes without those that lie within another: some programs paint a stem twice."""
    kept: list[Upright] = []
    for line in sorted(lines, key=lambda line: (line.x, -line.length)):
        for index in range(len(kept) - 1, -1, -1):
            other = kept[index]
            if line.x - other.x > 0.1:
                kept.append(line)
                break
            if other.y0 - 0.1 <= line.y0 and line.y1 <= other.y1 + 0.1:
                joined = other.paths + line.paths
                kept[index] = Upright(other.x, other.y0, other.y1, other.thickness, other.is_dashed, joined)
                break
        else:
            kept.append(line)
    return kept


def _extend(stems: Sequence[Stem], pieces: Sequence[Upright]) -> None:
    """Join to stems the strokes without heads that go on at their ends."""
    for stem in stems:
        near = 0.03 * stem.scale
        for _ in range(3):
            more = next(
                (
                    piece
                    for piece in pieces
                    if abs(piece.x - stem.x) <= near
                    and not set(piece.paths) <= set(stem.paths)
                    and (abs(piece.y1 - stem.y0) <= near or abs(piece.y0 - stem.y1) <= near)
                ),
                None,
            )
            if more is None:
                break
            stem.y0, stem.y1 = min(stem.y0, more.y0), max(stem.y1, more.y1)
            stem.paths += more.paths


def _is_sound(stem: Stem) -> bool:
    """It reaches beyond its heads, and begins at one of them."""
    height = max(head.height for head, _ in stem.heads)
    if stem.beyond < MIN_STEM_HEIGHTS * height:
        return False
    begin = stem.y1 if stem.is_up else stem.y0
    return any(abs(begin - head.y) <= ANCHOR_HEIGHTS * head.height for head, _ in stem.heads)


def _leave_missed_heads(stems: Sequence[Stem]) -> None:
    """Leave heads beyond the end of a stem where another stem meets them."""
    met = {id(head) for stem in stems for head, _ in stem.heads if _meets(stem, head)}
    for stem in stems:
        stem.heads = [(head, side) for head, side in stem.heads if id(head) not in met or _meets(stem, head)]


def _leave_strange_sides(stems: Sequence[Stem]) -> None:
    """Leave heads on the unusual side of a stem that make no second with its others and have another stem."""
    n_stems = _stem_counts(stems)
    for stem in stems:
        begins: set[Side] = set()
        for head, side in stem.heads:
            end = stem.y1 if side == "right" else stem.y0
            if abs(end - head.y) <= ANCHOR_HEIGHTS * head.height:
                begins.add(side)
        if len(begins) != 1:
            continue
        (usual,) = begins
        own = [head.position for head, side in stem.heads if side == usual]
        strange = [
            head
            for head, side in stem.heads
            if side != usual
            and n_stems[id(head)] > 1
            and all(abs(head.position - position) != 1 for position in own)
        ]
        _leave(stem, strange, n_stems)


def _stem_counts(stems: Sequence[Stem]) -> dict[int, int]:
    """Number of stems at each head, by ``id``."""
    counts: dict[int, int] = {}
    for stem in stems:
        for head, _ in stem.heads:
            counts[id(head)] = counts.get(id(head), 0) + 1
    return counts


def _leave(stem: Stem, heads: Sequence[HeadMark], n_stems: dict[int, int]) -> None:
    gone = {id(head) for head in heads}
    stem.heads = [(head, side) for head, side in stem.heads if id(head) not in gone]
    for head in heads:
        n_stems[id(head)] -= 1


def _leave_far_ends(stems: Sequence[Stem]) -> None:
    """Leave the heads at one end of a stem that has heads at both, where they have another stem."""
    n_stems = _stem_counts(stems)
    for stem in stems:
        ends = [
            [head for head, _ in stem.heads if abs(y - head.y) <= ANCHOR_HEIGHTS * head.height]
            for y in (stem.y0, stem.y1)
        ]
        if not all(ends) or stem.y1 - stem.y0 < 2 * ends[0][0].height:
            continue
        is_free = [all(n_stems[id(head)] > 1 for head in heads) for heads in ends]
        if is_free[0] == is_free[1]:
            continue
        _leave(stem, ends[0 if is_free[0] else 1], n_stems)


def _meets(stem: Stem, head: HeadMark) -> bool:
    ink = INK_HEIGHTS * head.height
    return stem.y0 - ink <= head.y <= stem.y1 + ink


def _settle(stems: Sequence[Stem]) -> None:
    """Leave each head to the stems that begin at it, or else to the nearest one."""
    by_head: dict[int, list[tuple[Stem, HeadMark, Side]]] = {}
    for stem in stems:
        for head, side in stem.heads:
            by_head.setdefault(id(head), []).append((stem, head, side))
    lost: set[tuple[int, int]] = set()
    for claims in by_head.values():
        if len(claims) < 2:
            continue
        own = [claim for claim in claims if claim[0].begins_at(claim[1], claim[2])]
        if not own:
            own = [min(claims, key=lambda claim: _awayness(*claim))]
        lost.update((id(stem), id(head)) for stem, head, side in claims if (stem, head, side) not in own)
    for stem in stems:
        stem.heads = [(head, side) for head, side in stem.heads if (id(stem), id(head)) not in lost]


def _awayness(stem: Stem, head: HeadMark, side: Side) -> tuple[bool, float]:
    usual: Side = "right" if stem.is_up else "left"
    edge = head.symbol.bbox[2 if side == "right" else 0]
    return side != usual, abs(stem.x - edge)

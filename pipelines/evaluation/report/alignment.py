"""Which parts of two sequences belong together, and how two texts differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from docai.geometry import BBox, iou
from docai.pipelines.evaluation.base import Item
from docai.pipelines.evaluation.report.pictures import Mark, Outline
from docai.pipelines.evaluation.report.views import Look, Run
from docai.records import Point

T = TypeVar("T")
_PAIRING = 0.1
"""What pairing two unlike parts is worth against leaving both alone."""
_WORDS = 3_000


def align(
    old: Sequence[T], new: Sequence[T], likeness: Callable[[T, T], float]
) -> Iterator[tuple[int | None, int | None]]:
    """Pairs of places in order, None where a part has no partner: the alignment of greatest likeness
    (Needleman and Wunsch 1970, gaps cost nothing). ``likeness`` is 0…1."""
    n, m = len(old), len(new)
    value = [[likeness(a, b) + _PAIRING for b in new] for a in old]
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            best[i][j] = max(best[i + 1][j + 1] + value[i][j], best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and best[i][j] == best[i + 1][j + 1] + value[i][j]:
            yield i, j
            i, j = i + 1, j + 1
        elif j == m or (i < n and best[i][j] == best[i + 1][j]):
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def runs(old: Sequence[str], new: Sequence[str], *, joiner: str = "") -> tuple[list[Run], list[Run]]:
    """Both sides as runs of equal, replaced (``misread``) and one-sided (``missed``, ``invented``) parts."""
    looks: dict[str, Look] = {"equal": "same", "replace": "misread", "delete": "missed", "insert": "invented"}
    left: list[Run] = []
    right: list[Run] = []
    for tag, i0, i1, j0, j1 in opcodes(old, new):
        if i1 > i0:
            left.append(Run(joiner.join(old[i0:i1]), looks[tag]))
        if j1 > j0:
            right.append(Run(joiner.join(new[j0:j1]), looks[tag]))
    return left, right


def merged_runs(old: Sequence[str], new: Sequence[str], *, context: int) -> tuple[list[Run], bool]:
    """One text of both: what is missing and what is put in its place, with ``context`` equal words kept
    around each change. The flag says that the texts were too long to be shown whole."""
    too_long = max(len(old), len(new)) > _WORDS
    old, new = old[:_WORDS], new[:_WORDS]
    merged: list[Run] = []
    for is_equal, group in groupby(opcodes(old, new), key=lambda code: code[0] == "equal"):
        codes = list(group)
        i0, i1, j0, j1 = codes[0][1], codes[-1][2], codes[0][3], codes[-1][4]
        if is_equal:
            same = list(old[i0:i1])
            before, after = (context if i0 else 0), (context if i1 < len(old) or j1 < len(new) else 0)
            if len(same) > before + after + 3:
                n_left_out = len(same) - before - after
                same = [*same[:before], f"[… {n_left_out:,} equal words …]", *same[len(same) - after :]]
            merged.append(Run(" ".join(same), "same"))
            continue
        if i1 > i0:
            merged.append(Run(" ".join(old[i0:i1]), "missed"))
        if j1 > j0:
            merged.append(Run(" ".join(new[j0:j1]), "invented"))
    return merged, too_long


def opcodes(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """The fewest edits, as difflib names them; difflib itself gets lost in texts that repeat themselves."""
    from rapidfuzz.distance import Levenshtein

    operations = Levenshtein.opcodes(list(old), list(new))
    return [(op.tag, op.src_start, op.src_end, op.dest_start, op.dest_end) for op in operations]


def pair_items(truth: Sequence[Item], given: Sequence[Item]) -> list[tuple[Item | None, Item | None]]:
    """Each true item with the given one that overlaps it most on its page, and what is left alone.

    Where places are not known, items are paired in order.
    """
    if not all(item.bbox is not None for item in (*truth, *given)):
        n = max(len(truth), len(given))
        return [
            (truth[i] if i < len(truth) else None, given[i] if i < len(given) else None) for i in range(n)
        ]
    ranked = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(truth) for j, b in enumerate(given) if a.page == b.page),
        reverse=True,
    )
    partner: dict[int, int] = {}
    for shared, i, j in ranked:
        if shared > 0.1 and i not in partner and j not in partner.values():
            partner[i] = j
    pairs: list[tuple[Item | None, Item | None]] = [
        (item, given[partner[i]] if i in partner else None) for i, item in enumerate(truth)
    ]
    taken = set(partner.values())
    return pairs + [(None, item) for j, item in enumerate(given) if j not in taken]


def outlined(pairs: Sequence[tuple[Item | None, Item | None]]) -> Iterator[Outline]:
    """Where pairs lie: found, missed or invented. A found one is drawn as it was found."""
    for truth, given in pairs:
        item = given or truth
        if item is not None and item.bbox is not None:
            mark: Mark = "invented" if truth is None else "missed" if given is None else "hit"
            label = item.kind if mark == "hit" else f"{item.kind} {mark}"
            yield Outline(corners(item.bbox), mark, item.page, label)


def corners(bbox: BBox) -> list[Point]:
    """Of a box, clockwise from the top left."""
    x0, y0, x1, y1 = bbox
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def overlap(a: Item, b: Item) -> float:
    """IoU of the boxes of two items; 0 where one has none, or on different pages."""
    if a.bbox is None or b.bbox is None or a.page != b.page:
        return 0.0
    return iou(a.bbox, b.bbox)

"""TEDS, the tree-edit-distance similarity of tables, as PubTabNet's ``metric.py`` computes it.

Zhong, ShafieiBavani, Jimeno Yepes: Image-based table recognition, ECCV 2020; reference code
https://github.com/ibm-aur-nlp/PubTabNet/blob/master/src/metric.py. A table is a tree of its elements in
which a ``td`` is a leaf with its spans and the tokens of its content: characters, and each tag inside as
one token. Inserting or deleting a node costs 1; renaming costs 1 where tag or spans differ, otherwise for
two ``td`` the Levenshtein distance of their tokens over the longer one, otherwise 0. Then

    TEDS = 1 - distance / max(n_pred, n_truth)

where n counts *all* elements below ``table``, the tags inside cells too. S-TEDS (``structure_only``)
leaves the tokens out and keeps that n.

What follows from the reference, and surprises: only the first ``body/table`` is read, so that HTML without
``<html><body>`` is 0.0; ``th`` is no cell but a node without spans or text, so that two tables of ``th``
agree whatever they say; white space in cells counts; HTML without a table, or empty, is 0.0 even against
the same. :func:`teds_canonical` is the measure without these surprises, under its own name.

Where the reference raises, this is defined: HTML that lxml refuses (an XML declaration with an encoding,
lone surrogates) holds no table; a span that is no number is read as HTML does (its leading digits, else
1); two tables without any element are equal.

The distance itself is computed by ``apted``, in plain Python: some 10 to 15 µs for each pair of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from docai.errors import LimitError
from docai.pipelines.evaluation.metrics.table_trees import (
    Node,
    TableTree,
    distance,
    read_canonical,
    read_reference,
    read_wrapped,
)
from docai.pipelines.external.workers import WorkerDied, each_in_process

MAX_PAIRS = 2_000_000
"""Nodes of one tree times nodes of the other that are compared: half a minute and 400 MB."""


class TedsScores(NamedTuple):
    """All four variants for one true table. None: left out, because the truth is too large."""

    teds: float | None
    structure: float | None
    canonical: float | None
    canonical_structure: float | None
    notes: tuple[str, ...] = ()


def teds(pred: str, truth: str, structure_only: bool = False, *, max_pairs: int | None = MAX_PAIRS) -> float:
    """TEDS of two HTML documents, equal to the reference; see the module for its definition.

    At most 1.0. 0.0 where either document holds no ``body/table``. It can be negative, since the
    reference does not count the root. Symmetric.

    Args:
        structure_only: S-TEDS, which compares tags and spans only.
        max_pairs: The largest product of the two numbers of nodes that is computed; None is no limit.

    Raises:
        LimitError: the two tables have more pairs of nodes than ``max_pairs``.
        MissingDependencyError: ``apted`` or ``rapidfuzz`` is not installed.
    """
    return _similarity(read_reference(pred), read_reference(truth), structure_only, max_pairs)


def teds_canonical(
    pred: str, truth: str, structure_only: bool = False, *, max_pairs: int | None = MAX_PAIRS
) -> float:
    """TEDS of what two pieces of HTML say, not of how they say it. docai's own measure.

    Both sides are first brought to one form, by :func:`docai.parsers.table.parse_table`:

    - a code fence around the text is taken off; the first table counts wherever it stands, with or
      without ``<html><body>``, and with or without ``<table>`` as long as there are cells;
    - tags inside cells (``<b> <i> <sup> <br>`` …) go and their text stays, runs of white space become one
      space and none at the ends: bold headers, for one, are not asked for;
    - spans are read as HTML does (no value, an empty one and nonsense are 1), and clipped to the table;
    - overlaps and ragged rows are repaired to a full rectangle, missing places becoming empty cells;
    - leading rows of nothing but header cells are the ``<thead>``, all others one ``<tbody>``;
      a ``<th>`` is a ``<td>``;
    - where the truth has no ``<thead>``, the data does not tell head rows, and rows of both sides are
      compared without sections. Therefore the two arguments may not be exchanged.

    At most 1.0. 0.0 where either side holds no cell. Arguments and errors are those of :func:`teds`.
    """
    return _similarity(*_read_canonical_pair(pred, truth), structure_only, max_pairs)


def teds_scores(pred: str | None, truth: str, *, max_pairs: int = MAX_PAIRS) -> TedsScores:
    """The four variants for one true table, each of which has a value for every reader or for none.

    ``pred`` None is a table that was missed. An ``<html><body>`` is put around a bare ``<table>`` for the
    plain variants too, since answers of models and cells of PDFs come without. A truth of more than
    ``sqrt(max_pairs / 4)`` nodes is left out, whatever was predicted: all readers are measured on the same
    tables. Any other truth counts: a prediction so long (4 times the longest truth and more) that the
    limit is passed gets 0; its TEDS could not be much over a quarter.
    """
    distances: dict[tuple[Node, Node], float] = {}
    notes: list[str] = []
    plain = None if pred is None else read_wrapped(pred), read_wrapped(truth)
    canonical = _read_canonical_pair(pred or "", truth)
    return TedsScores(
        _score(*plain, max_pairs, distances, notes),
        _score(*_structures(plain), max_pairs, distances, notes),
        _score(*canonical, max_pairs, distances, notes),
        _score(*_structures(canonical), max_pairs, distances, notes),
        tuple(dict.fromkeys(notes)),
    )


def teds_many(
    pairs: Iterable[tuple[str, str]],
    structure_only: bool = False,
    *,
    canonical: bool = False,
    processes: int = 1,
    max_pairs: int | None = MAX_PAIRS,
) -> Iterator[float | None]:
    """TEDS of many ``(pred, truth)``, in their order, in so many processes (1: in this one).

    None is a pair that was not computed: larger than ``max_pairs``, or its process died. A script that
    asks for processes needs the usual ``if __name__ == "__main__"``, since they are spawned.
    """
    work = partial(_one_of_many, structure_only=structure_only, canonical=canonical, max_pairs=max_pairs)
    for outcome in each_in_process(work, pairs, processes=processes):
        yield None if isinstance(outcome, WorkerDied) else outcome


def _read_canonical_pair(pred: str, truth: str) -> tuple[TableTree | None, TableTree | None]:
    trees = read_canonical(pred), read_canonical(truth)
    if trees[1] is None or trees[1].has_head:
        return trees
    return trees[0] and trees[0].without_sections(), trees[1].without_sections()


def _similarity(
    pred: TableTree | None, truth: TableTree | None, structure_only: bool, max_pairs: int | None
) -> float:
    if pred is None or truth is None:
        return 0.0
    if structure_only:
        pred, truth = pred.structure(), truth.structure()
    if max_pairs is not None and pred.root != truth.root and pred.size * truth.size > max_pairs:
        raise LimitError(
            f"The tables have {pred.size} and {truth.size} nodes, more pairs than max_pairs={max_pairs:,}; "
            "give a larger max_pairs, or None, to compare them all the same.",
            source="table",
        )
    return _from_distance(distance(pred.root, truth.root), pred, truth)


def _from_distance(distance: float, pred: TableTree, truth: TableTree) -> float:
    n = max(pred.n_elements, truth.n_elements)
    if n == 0:
        return 1.0 if distance == 0 else 0.0
    return 1.0 - distance / n


def _score(
    pred: TableTree | None,
    truth: TableTree | None,
    max_pairs: int,
    distances: dict[tuple[Node, Node], float],
    notes: list[str],
) -> float | None:
    if truth is None:
        notes.append("A truth is no HTML table: its TEDS is not defined.")
        return None
    size = truth.size
    if 4 * size * size > max_pairs:
        notes.append("A true table is too large for TEDS: it is left out for every reader.")
        return None
    if pred is None:
        return 0.0
    pair = pred.root, truth.root
    if pair not in distances:
        if pred.root != truth.root and pred.size * size > max_pairs:
            notes.append("A predicted table is far larger than its truth: its TEDS counts as 0.")
            return 0.0
        distances[pair] = distance(*pair)
    return _from_distance(distances[pair], pred, truth)


def _structures(pair: tuple[TableTree | None, TableTree | None]) -> tuple[TableTree | None, TableTree | None]:
    return pair[0] and pair[0].structure(), pair[1] and pair[1].structure()


def _one_of_many(
    pair: tuple[str, str], structure_only: bool, canonical: bool, max_pairs: int | None
) -> float | None:
    measure = teds_canonical if canonical else teds
    try:
        return measure(*pair, structure_only, max_pairs=max_pairs)
    except LimitError:
        return None

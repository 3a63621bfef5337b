"""Whether confidence means what it says: answers given at 0.8 should be right eight times in ten.

Expected calibration error is Guo et al. 2017 ("On Calibration of Modern Neural Networks", eq. 3): the mean
distance of confidence and accuracy over bins, weighted by answers. The bins here hold equally many answers
(Nguyen and O'Connor 2015) instead of being equally wide: models are mostly sure, and equal widths leave most
bins nearly empty. Answers of one confidence are never parted, so the order of answers has no influence.

What is right, for a whole answer and for each of its parts:

======== =================================================== =============================================
head     the record is right where                           a part is right where
======== =================================================== =============================================
table    the canonical TEDS is 1                             the true cell that begins at the same row and
                                                             column has the same text
molecule both have the same isomeric canonical SMILES        an alignment of the atoms of the two canonical
                                                             SMILES, as they are written with the bond
                                                             before them and their ring closures, pairs it
                                                             with an equal one
score    the symbols of the kern are equal (a symbol error   an alignment of the measures pairs it with
         rate of 0, text as printed)                         one that has the same lines of notes
text     all words are equal, in reading order               a true word of the same text overlaps it by an
                                                             IoU of 0.5, one to one; where a box is missing
                                                             an alignment of the words pairs them
======== =================================================== =============================================

Boxes have no part in it but to say which word is meant: what was read is judged, not where it stands.
Alignments are those of :mod:`difflib`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from docai.base import Content
from docai.contents import Cell, MoleculeContent, ScoreContent, TableContent, TextContent, Word
from docai.parsers.molecule import atom_spans
from docai.parsers.score import measure_texts
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.words import align_words, right_words


@dataclass(frozen=True)
class Outcome:
    """Whether one answer is right, and each of its parts, in the order of the content."""

    record: bool
    parts: tuple[bool, ...]


def judge(content: Content, truth: Content) -> Outcome:
    """Hold an answer against the truth.

    Raises:
        TypeError: the two are not of one kind, or of one that no head reads.
        MissingDependencyError: a package of ``docai[metrics]`` is not installed.
    """
    match content, truth:
        case TableContent(), TableContent():
            return Outcome(same_table(content, truth), tuple(right_cells(content.cells, truth.cells)))
        case MoleculeContent(), MoleculeContent():
            is_right = content.smiles is not None and content.smiles == truth.smiles
            return Outcome(is_right, tuple(right_atoms(content.smiles or "", truth.smiles or "")))
        case ScoreContent(), ScoreContent():
            is_right = same_symbols(content.kern, truth.kern)
            return Outcome(is_right, tuple(right_measures(content.kern, truth.kern)))
        case TextContent(), TextContent():
            words, true_words = _words(content), _words(truth)
            is_right = [word.text for word in words] == [word.text for word in true_words]
            return Outcome(is_right, tuple(right_words(words, true_words)))
    raise TypeError(f"{type(content).__name__} is not held against {type(truth).__name__}.")


def same_table(content: TableContent, truth: TableContent) -> bool:
    """Whether the canonical TEDS of two tables is 1."""
    if not truth.cells or _places(content) != _places(truth):
        return False
    from docai.pipelines.evaluation.metrics.teds import teds_canonical

    return content.html == truth.html or teds_canonical(content.html, truth.html) == 1


def _places(content: TableContent) -> list[tuple[int, int, int, int, str]]:
    return [(cell.row, cell.col, cell.row_span, cell.col_span, cell.text) for cell in content.cells]


def right_cells(cells: Sequence[Cell], truth: Sequence[Cell]) -> list[bool]:
    """For each cell whether the true one at its place has its text."""
    texts = {(cell.row, cell.col): cell.printed for cell in truth}
    return [texts.get((cell.row, cell.col)) == cell.printed for cell in cells]


def right_atoms(smiles: str, truth: str) -> list[bool]:
    """For each atom of a canonical SMILES whether the true one has it; all False without either."""
    ours, theirs = ([text[slice(*span)] for span in atom_spans(text)] for text in (smiles, truth))
    return align_words(ours, theirs)


def right_measures(kern: str, truth: str) -> list[bool]:
    """For each measure whether the truth has it."""
    return align_words(measure_texts(kern), measure_texts(truth))


def same_symbols(kern: str, truth: str) -> bool:
    """Whether the symbol error rate of two kern texts, as printed, is 0."""
    from docai.pipelines.evaluation.metrics.kern_text import prepare_kern, symbols

    ours, theirs = (symbols(prepare_kern(text, "printed")) for text in (kern, truth))
    return bool(theirs) and ours == theirs


def _words(content: TextContent) -> list[Word]:
    return [word for line in content.lines for word in line.words]


N_BINS = 15
"""As in Guo et al."""


class ReliabilityBin(NamedTuple):
    """Answers of similar confidence."""

    low: float
    high: float
    """Least and greatest confidence."""
    n: int
    confidence: float
    """Mean."""
    accuracy: float
    """Share of right answers."""


def reliability(beliefs: Sequence[Belief], n_bins: int = N_BINS) -> list[ReliabilityBin]:
    """Bins for a reliability diagram, by rising confidence; empty where there are no beliefs.

    A bin is closed where the answers so far reach the next multiple of ``n / n_bins`` and the confidence
    changes. So there are fewer bins than ``n_bins`` where many answers share one confidence.

    Raises:
        ValueError: ``n_bins`` is less than 1.
    """
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}: a diagram needs one bin at least.")
    bins: list[ReliabilityBin] = []
    open_bin: list[Belief] = []
    n_closed = 0
    ordered = sorted(beliefs)
    for _, equal in groupby(ordered, key=lambda belief: belief.confidence):
        open_bin.extend(equal)
        n_seen = n_closed + len(open_bin)
        n_full = n_closed * n_bins // len(ordered)
        if n_seen * n_bins >= len(ordered) * (n_full + 1):
            bins.append(_bin(open_bin))
            n_closed, open_bin = n_seen, []
    return bins


def expected_calibration_error(beliefs: Sequence[Belief], n_bins: int = N_BINS) -> float | None:
    """0 (confidence is accuracy) … 1; None where there are no beliefs.

    Raises:
        ValueError: ``n_bins`` is less than 1.
    """
    bins = reliability(beliefs, n_bins)
    if not bins:
        return None
    errors = (answers.n * abs(answers.confidence - answers.accuracy) for answers in bins)
    return math.fsum(errors) / len(beliefs)


def brier_score(beliefs: Sequence[Belief]) -> float | None:
    """Mean squared distance of confidence from what came true (Brier 1950), 0 … 1; None without beliefs.

    Unlike the calibration error it also rewards telling right answers from wrong ones.
    """
    if not beliefs:
        return None
    return math.fsum((belief.confidence - belief.is_right) ** 2 for belief in beliefs) / len(beliefs)


def _bin(beliefs: Sequence[Belief]) -> ReliabilityBin:
    n = len(beliefs)
    return ReliabilityBin(
        low=beliefs[0].confidence,
        high=beliefs[-1].confidence,
        n=n,
        confidence=math.fsum(belief.confidence for belief in beliefs) / n,
        accuracy=sum(belief.is_right for belief in beliefs) / n,
    )

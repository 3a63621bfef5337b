"""What is right: for a whole answer, and for each of its parts.

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

from collections.abc import Sequence
from dataclasses import dataclass

from docai.base import Content
from docai.contents import Cell, MoleculeContent, ScoreContent, TableContent, TextContent, Word
from docai.parsers.molecule import atom_spans
from docai.parsers.score import measure_texts
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
    texts = {(cell.row, cell.col): cell.text for cell in truth}
    return [texts.get((cell.row, cell.col)) == cell.text for cell in cells]


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

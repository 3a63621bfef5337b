"""How far two readings of one region agree, and how likely the model is right by its own account."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent, TableContent, TextContent
from docai.pipelines.evidence.base import Reading, content_of, same_grid
from docai.pipelines.words import agreement, cell_words

_MAX_OTHER_GRID_SHARE: Final = 0.99
"""The same words in another grid are not the same table."""


def share_alike(content: Content, other: Content) -> float:
    """1 where both say the same; of texts and tables the share of words that both have (F1)."""
    match content, other:
        case ScoreContent(), ScoreContent():
            return SequenceMatcher(None, _sounds(content), _sounds(other), autojunk=False).ratio()
        case MoleculeContent(), MoleculeContent():
            return float(content.smiles is not None and content.smiles == other.smiles)
        case TextContent(), TextContent():
            return agreement(content.text.split(), other.text.split())
        case TableContent(), TableContent():
            if same_grid(content, other):
                return 1.0
            return min(_MAX_OTHER_GRID_SHARE, agreement(cell_words(content), cell_words(other)))
    raise TypeError(f"{type(content).__name__} cannot be compared with {type(other).__name__}.")


def describe_difference(content: Content, second: Reading, share: float) -> str:
    other = second.content
    if isinstance(content, MoleculeContent) and isinstance(other, MoleculeContent):
        return f"The formulas are {content.formula} and {other.formula}."
    if isinstance(content, TableContent) and isinstance(other, TableContent):
        sizes = [f"{grid.n_rows} x {grid.n_cols}" for grid in (content, other)]
        return f"The grids are {sizes[0]} and {sizes[1]}; they agree in {share:.0%} of their words."
    parts = "notes" if isinstance(content, ScoreContent) else "words"
    return f"They agree in {share:.0%} of their {parts}."


def own_probability(model: Reading) -> float | None:
    """How likely the model is right by its own account; of a text, in one of its words."""
    content = content_of(model)
    if isinstance(content, TextContent):
        values = [value for value in content.part_confidences() if value is not None]
        return sum(values) / len(values) if values else None
    return model.confidence.value


def _sounds(score: ScoreContent) -> list[tuple[str, str | None, str]]:
    """Its notes and rests in the order of time, as they are compared."""
    return [(event.onset, event.pitch, event.duration) for event in score.events]

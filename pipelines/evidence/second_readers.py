"""Several second readers of one region become one: each kind of content is joined by a rule of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from docai.base import Content
from docai.contents import MoleculeContent, TableContent, TextContent
from docai.pipelines.evidence import table_choice, text_vote
from docai.pipelines.evidence.agreement import share_alike
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.drawing import is_sound
from docai.pipelines.evidence.molecule_vote import join_molecules
from docai.pipelines.evidence.table_choice import join_tables
from docai.pipelines.evidence.text_vote import join_texts
from docai.pipelines.evidence.trust import is_reader_of_pictures, probability_against, trust_in
from docai.records import Alternative

LIKELY: Final = 0.9
"""Probability that a molecule or score is right from which nobody else is asked."""


def join_second_readers(readings: Sequence[Reading]) -> tuple[Reading | None, tuple[Alternative, ...]]:
    """The reading that is believed among second readers, and the other answers.

    Of texts each word is voted for (:mod:`.text_vote`), of tables the grid of the best quality is taken
    (:mod:`.table_choice`), of the molecules of pictures the structure that is likeliest by all answers
    (:mod:`.molecule_vote`). Else a sound drawing comes first, then the answer of most trust, which all who
    give it have together: of readers with complete readings, then of the others. Of molecules, whose answers
    can be told to be the same, the rest count against it.
    """
    kinds = set()
    if all(is_reader_of_pictures(one) for one in readings):
        kinds = {type(one.content) for one in readings if one.content is not None}
    if kinds == {TextContent}:
        return join_texts(readings)
    if kinds == {TableContent}:
        return join_tables(readings)
    if _has_several_answers(readings):
        return join_molecules(readings)
    groups = _groups(readings)
    best = max(groups, key=_rank, default=None)
    if best is None:
        return None, ()
    if is_sound(best[0]):
        return best[0], ()
    others = [group[0] for group in groups if group is not best and not group[0].is_nothing]
    against = tuple(one.source for one in others if one.complete and _can_be_compared(one.content))
    joined = replace(
        best[0],
        supporters=tuple(one.source for one in best[1:]),
        opponents=against if _can_be_compared(best[0].content) else (),
        issues=tuple(issue for one in (*best, *others) for issue in one.issues),
    )
    reason = f"{joined.source} was believed"
    return joined, tuple(Alternative(source=one.source, content=one.text, reason=reason) for one in others)


def is_doubtful(readings: Sequence[Reading]) -> bool:
    """Whether it is worth asking another reader, who costs time, about a region that these have read."""
    joined, _ = join_second_readers(readings)
    if joined is None or joined.content is None:
        return True
    if isinstance(joined.content, TableContent):
        return table_choice.is_doubtful(readings)
    if not joined.complete:
        return True
    if isinstance(joined.content, TextContent):
        return text_vote.is_doubtful(joined)
    return probability_against(joined) < LIKELY


def _has_several_answers(readings: Sequence[Reading]) -> bool:
    """Whether readers of a molecule's picture gave theirs; one of a vector drawing has a rule of its own."""
    return any(one.molecules for one in readings) and not any(one.source == "drawing" for one in readings)


def _groups(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Those that say the same, the most trusted of each group first."""
    groups: list[list[Reading]] = []
    for reading in sorted(readings, key=_rank_of_one, reverse=True):
        alike = next((group for group in groups if _say_the_same(group[0], reading)), None)
        if alike is None:
            groups.append([reading])
        else:
            alike.append(reading)
    return groups


def _rank(group: Sequence[Reading]) -> tuple[bool, bool, bool, float]:
    joined = replace(group[0], supporters=tuple(one.source for one in group[1:]))
    return _rank_of_one(joined)


def _rank_of_one(reading: Reading) -> tuple[bool, bool, bool, float]:
    return is_sound(reading), reading.content is not None, reading.complete, trust_in(reading).record


def _say_the_same(one: Reading, other: Reading) -> bool:
    if not (_can_be_compared(one.content) and _can_be_compared(other.content)):
        return False
    assert one.content is not None
    assert other.content is not None
    return one.complete == other.complete and share_alike(one.content, other.content) == 1.0


def _can_be_compared(content: Content | None) -> bool:
    return isinstance(content, MoleculeContent) and content.smiles is not None

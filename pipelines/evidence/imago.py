"""Imago as a second reader of drawn molecules, beside OSRA."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer, answer_of_blocks, count_oddities
from docai.pipelines.evidence.molecule_picture import MoleculePicture, at_stroke, smoothed_at_stroke
from docai.pipelines.evidence.molecule_salts import read_texts
from docai.pipelines.evidence.molecule_stems import count_stems
from docai.pipelines.evidence.molecule_vote import reading_of_answers
from docai.pipelines.external import imago
from docai.pipelines.external.programs import ReaderError
from docai.records import Evidence

MAX_STROKE_PX: Final = 7.0
"""Width up to which strokes are also read as they are."""

PREPARATIONS: Final = (
    (3.0, False),
    (4.0, False),
    (4.0, True),
    (2.5, False),
    (3.5, False),
    (0.0, False),
    (5.0, True),
    (3.0, True),
)
"""Widths to which strokes are brought, pixels (0: left as they are), and whether their edges are smoothed
before. What one of them loses, a gap or a letter that touches a bond, another one has; what they have in
common is likely right."""

PLAUSIBLE: Final = 0.8
"""Of a structure that need not be read again."""

NARROW: Final = ((2.0, False), (1.4, False), (1.1, False))
"""The same, where Imago warns of lines that it could not place in all of the first :data:`N_ALIKE`. It takes
two lines for a double bond up to a distance in pixels, so that those of large pictures with thin lines are
lost at any width from 3 pixels on. Of 15 pictures that RDKit drew, 300 to 1,200 pixels wide, 6 were right at
3 px, 10 at 1.4 px, and 13 at one of these."""

N_ALIKE: Final = 3
"""If so many preparations in a row, from the first on, give the same structure, without anything odd, it is
not read again."""

MIN_CLEAN: Final = 2
"""Structures without a warning from which on those with one do not count."""


class Imago:
    """Reads the structures of the picture in black and white, at several widths of its strokes."""

    name: Final[Evidence] = "imago"
    kinds: Final[frozenset[str]] = frozenset(("molecule",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = False

    def __init__(self, *, seconds: float = imago.SECONDS) -> None:
        self._seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return imago.missing()

    def read(self, region: ReaderInput) -> Reading:
        """The structures it sees as one, its parts joined by dots."""
        picture = region.molecule_picture
        return reading_of_answers(self.name, self._answers(picture), read_texts(picture))

    def _answers(self, picture: MoleculePicture) -> list[MoleculeAnswer]:
        """One for each preparation.

        Raises:
            ReaderError: it read none of them.
        """
        answers: list[MoleculeAnswer] = []
        n_stems = count_stems(picture)
        failure: ReaderError | None = None
        end = time.monotonic() + self._seconds
        todo = list(PREPARATIONS)
        while todo and picture.stroke and not are_enough(answers):
            left = end - time.monotonic()
            if left <= 0:
                break
            prepared = prepare(picture, *todo.pop(0))
            if prepared is None:
                continue
            name, ink = prepared
            try:
                drawn = imago.read_molecule(np.asarray(255 - ink, np.uint8), seconds=left)
            except ReaderError as error:
                # It crashes on a picture where a gap more or less does not matter to others.
                failure = error
                continue
            if drawn is None:
                answers.append(MoleculeAnswer(None, name, n_stems=n_stems))
            else:
                answer = answer_of_blocks([drawn.molblock], name, -float(drawn.n_warnings))
                answers.append(replace(answer, n_stems=n_stems))
            if len(answers) == N_ALIKE and all(map(_is_warned, answers)):
                todo = [*NARROW, *todo]
        if failure is not None and not answers:
            raise failure
        return without_warned(answers)


def are_enough(answers: Sequence[MoleculeAnswer]) -> bool:
    """Whether the first preparations agree on a structure without anything odd, and without a warning.

    Where all of these have one, those of :data:`NARROW` do.
    """
    for given in (answers[:N_ALIKE], answers[N_ALIKE : 2 * N_ALIKE]):
        if len(given) < N_ALIKE:
            return False
        if not all(map(_is_warned, given)):
            break
    first = given[0].smiles
    if first is None or count_oddities(first):
        return False
    return all(one.smiles == first and one.plausibility >= PLAUSIBLE and not _is_warned(one) for one in given)


def without_warned(answers: Sequence[MoleculeAnswer]) -> list[MoleculeAnswer]:
    """The answers, without those of which Imago itself warns if there are others."""
    clean = [one for one in answers if not _is_warned(one)]
    return clean if sum(one.smiles is not None for one in clean) >= MIN_CLEAN else list(answers)


def _is_warned(answer: MoleculeAnswer) -> bool:
    return answer.own < 0


def prepare(
    picture: MoleculePicture, width: float, is_smoothed: bool
) -> tuple[str, NDArray[np.uint8]] | None:
    """One preparation: name and ink ``(H, W)``, 255 where it is black; None where it is of no use.

    Ink is scaled in black and white: gray pixels would spoil it.

    Args:
        picture: with ink.
        width: and the next, see :data:`PREPARATIONS`.
        is_smoothed: whether edges are smoothed.
    """
    stroke = picture.stroke
    if not width:
        return ("as it is", picture.ink) if stroke <= MAX_STROKE_PX else None
    if is_smoothed:
        return f"{width:g} px, smoothed", smoothed_at_stroke(picture.ink, stroke, width)
    return f"{width:g} px", at_stroke(picture.ink, stroke, width)

"""Imago as a second reader of drawn molecules, beside OSRA."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer, answer_of_blocks, count_oddities
from docai.pipelines.evidence.molecule_picture import MoleculePicture, at_stroke, smoothed_at_stroke
from docai.pipelines.evidence.molecule_salts import read_texts
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

N_ALIKE: Final = 3
"""If the first so many preparations give the same structure, without anything odd, it is not read again."""


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
        failure: ReaderError | None = None
        end = time.monotonic() + self._seconds
        for name, ink in prepare(picture):
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                drawn = imago.read_molecule(np.asarray(255 - ink, np.uint8), seconds=left)
            except ReaderError as error:
                # It crashes on a picture where a gap more or less does not matter to others.
                failure = error
                continue
            if drawn is None:
                answers.append(MoleculeAnswer(None, name))
            else:
                answers.append(answer_of_blocks([drawn.molblock], name, -float(drawn.n_warnings)))
            if are_enough(answers):
                break
        if failure is not None and not answers:
            raise failure
        return answers


def are_enough(answers: Sequence[MoleculeAnswer]) -> bool:
    """Whether the first preparations agree on a structure without anything odd."""
    first = answers[0].smiles if answers else None
    if first is None or len(answers) != N_ALIKE or count_oddities(first):
        return False
    return all(one.smiles == first and one.plausibility >= PLAUSIBLE for one in answers)


def prepare(picture: MoleculePicture) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Preparations of a picture: name and ink ``(H, W)``, 255 where it is black, the best first.

    Ink is scaled in black and white: gray pixels would spoil it.
    """
    stroke = picture.stroke
    if not stroke:
        return
    for width, is_smoothed in PREPARATIONS:
        if not width:
            if stroke <= MAX_STROKE_PX:
                yield "as it is", picture.ink
        elif is_smoothed:
            yield f"{width:g} px, smoothed", smoothed_at_stroke(picture.ink, stroke, width)
        else:
            yield f"{width:g} px", at_stroke(picture.ink, stroke, width)

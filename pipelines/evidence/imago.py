"""Imago as a second reader of drawn molecules, beside OSRA."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer, answer_of_blocks
from docai.pipelines.evidence.molecule_picture import MoleculePicture, at_stroke
from docai.pipelines.evidence.molecule_salts import read_texts
from docai.pipelines.evidence.molecule_vote import reading_of_answers
from docai.pipelines.external import imago
from docai.pipelines.external.programs import ReaderError
from docai.records import Evidence

MAX_STROKE_PX: Final = 7.0
"""Width up to which strokes are read as they are."""

STROKES_PX: Final = (3.0, 2.5, 3.5)
"""Widths to which strokes are brought. What one of them loses, a gap or a letter that touches a bond, another
one has; what they have in common is likely right."""

MIN_CLOSED_PX: Final = 3.0
"""Width of strokes from which on gaps of a pixel are also filled."""


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
        if failure is not None and not answers:
            raise failure
        return answers


def prepare(picture: MoleculePicture) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Preparations of a picture: name and ink ``(H, W)``, 255 where it is black, the best first.

    Ink is scaled in black and white: gray pixels would spoil it.
    """
    import cv2

    stroke = picture.stroke
    if not stroke:
        return
    for width in STROKES_PX:
        yield f"{width:g} px", at_stroke(picture.ink, stroke, width)
    if stroke <= MAX_STROKE_PX:
        yield "as it is", picture.ink
    if stroke > MIN_CLOSED_PX:
        closed = cv2.morphologyEx(picture.ink, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        yield "gaps filled", at_stroke(np.asarray(closed, np.uint8), stroke, STROKES_PX[0])

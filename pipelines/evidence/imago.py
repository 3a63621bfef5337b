"""Imago as a second reader of drawn molecules, beside OSRA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.external import imago
from docai.records import Evidence

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_STROKE_PX: Final = 5.0
"""Width up to which strokes are read as they are."""

STROKE_PX: Final = 3.5
"""Width to which wider strokes are brought."""


class Imago:
    """Reads the picture in black and white, with strokes of the width that it was made for."""

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
        from rdkit import Chem

        drawn = imago.read_molecule(prepare(region.picture.image), seconds=self._seconds)
        mol = None if drawn is None else Chem.MolFromMolBlock(drawn.molblock)
        if drawn is None or mol is None or not mol.GetNumAtoms():
            return Reading(self.name)
        smiles = Chem.MolToSmiles(mol)
        content = parse_molecule(smiles).content
        complete = content.is_valid and "*" not in smiles and not drawn.n_warnings
        return Reading(self.name, content, smiles, complete=complete)


def prepare(image: Image) -> NDArray[np.uint8]:
    """Black on white ``(H, W)``: binarized before it is scaled, which gray pixels would spoil."""
    import cv2

    gray = np.asarray(image.convert("L"))
    _, ink = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    width = _stroke_width(np.asarray(ink, np.uint8))
    if width > MAX_STROKE_PX:
        scale = STROKE_PX / width
        small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, ink = cv2.threshold(small, 96, 255, cv2.THRESH_BINARY)
    return np.asarray(255 - ink, np.uint8)


def _stroke_width(ink: NDArray[np.uint8]) -> float:
    """Pixels: twice the median distance of the middles of strokes from their edges; 0 without ink."""
    import cv2

    distance = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    ridge = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0)
    return 2.0 * float(np.median(distance[ridge])) if ridge.any() else 0.0

"""Molecules of pictures traced to strokes and letters, and read as those of born-digital pages.

Its errors are others than those of Imago and OSRA: it shares no code with them.
"""

from __future__ import annotations

from typing import Final

from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer, mend
from docai.pipelines.evidence.molecule_charges import SOUND
from docai.pipelines.evidence.molecule_salts import read_texts, with_salts
from docai.pipelines.evidence.molecule_stems import traced
from docai.records import Confidence, Evidence

AS_IT_IS: Final = "as it is"
"""Its only preparation of a picture."""


class Tracing:
    """Reads the picture as a drawing; a part of docai, without any program or model beside it."""

    name: Final[Evidence] = "tracing"
    kinds: Final[frozenset[str]] = frozenset(("molecule",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = False

    def available(self) -> str | None:
        """Always there: it is a part of docai."""
        return None

    def read(self, region: ReaderInput) -> Reading:
        """The structures it sees as one, its parts joined by dots; without captions beside them."""
        from docai.pipelines.tracing.molecule.reader import read_traced

        picture = region.molecule_picture
        found = read_traced(picture.gray, traced(picture))
        n_signs = 0 if found.tracing is None else found.tracing.n_plus_signs
        if not found.smiles:
            return Reading(self.name, molecules=(MoleculeAnswer(None, AS_IT_IS, n_signs=n_signs),))
        smiles = found.smiles
        content = parse_molecule(smiles).content
        if content.smiles:
            meant = mend(content.smiles) or content.smiles
            meant = with_salts(meant, read_texts(picture))
            if meant != content.smiles:
                smiles, content = meant, parse_molecule(meant).content
        complete = content.is_valid and "*" not in smiles and found.confidence >= SOUND
        plausibility = 1.0 if complete else 0.0
        answer = MoleculeAnswer(content.smiles, AS_IT_IS, plausibility, found.confidence, n_signs=n_signs)
        return Reading(
            self.name,
            content,
            smiles,
            complete=complete,
            confidence=Confidence(value=found.confidence, method=found.method),
            quality=found.confidence,
            molecules=(answer,),
        )

"""Molecules of pictures traced to strokes and letters, and read as those of born-digital pages.

Its errors are others than those of Imago and OSRA: it shares no code with them.
"""

from __future__ import annotations

from typing import Final

from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.molecule_answers import mend
from docai.pipelines.evidence.molecule_salts import read_texts, with_salts
from docai.pipelines.evidence.molecule_stems import traced
from docai.records import Confidence, Evidence

SOUND: Final = 0.5
"""Confidence of the reader of drawings from which it made out all that it saw."""


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
        if not found.smiles:
            return Reading(self.name)
        smiles = found.smiles
        content = parse_molecule(smiles).content
        if content.smiles:
            meant = mend(content.smiles) or content.smiles
            meant = with_salts(meant, read_texts(picture))
            if meant != content.smiles:
                smiles, content = meant, parse_molecule(meant).content
        complete = content.is_valid and "*" not in smiles and found.confidence >= SOUND
        return Reading(
            self.name,
            content,
            smiles,
            complete=complete,
            confidence=Confidence(value=found.confidence, method=found.method),
            quality=found.confidence,
        )

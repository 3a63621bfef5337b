"""OSRA, which reads drawn molecules (https://sourceforge.net/projects/osra, Debian package ``osra``)."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.external import programs
from docai.records import Evidence

PROGRAM = "osra"

SECONDS = 60.0
"""For one region. A drawing takes one to three on an idle processor; a busy one takes several times that."""

MAX_BYTES = 1 << 16

_LINE = re.compile(r"^(\S+)\s+(-?\d+)x(-?\d+)-(-?\d+)x(-?\d+)\s*$", re.MULTILINE)

_LISTS = (("-l", "spelling.txt"), ("-a", "superatom.txt"))


class Osra:
    """Reads the picture as it is: scaled to 896 px it was seen to lose one structure in five."""

    name: Final[Evidence] = "osra"
    kinds: Final[frozenset[str]] = frozenset(("molecule",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = False

    def __init__(self, program: str = PROGRAM, *, seconds: float = SECONDS) -> None:
        self._program = program
        self._seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return programs.missing(self._program, "osra")

    def read(self, region: ReaderInput) -> Reading:
        """The structures it sees as one, its parts joined by dots: fragments are drawn beside each other."""
        program = programs.find(self._program)
        with tempfile.TemporaryDirectory(prefix="docai-") as folder:
            file = Path(folder) / "region.png"
            region.picture.image.save(file, compress_level=1)
            output = programs.run(
                [program, "-f", "can", "-c", *_options(Path(program)), file],
                seconds=self._seconds,
                max_bytes=MAX_BYTES,
            )
        smiles = ".".join(match[1] for match in _LINE.finditer(output.decode("utf-8", "replace")))
        if not smiles:
            return Reading(self.name)
        content = parse_molecule(smiles).content
        # It writes a dummy atom for each label that it could not read.
        return Reading(self.name, content, smiles, complete=content.is_valid and "*" not in smiles)


def _options(program: Path) -> list[str | Path]:
    """Its lists of spellings and abbreviations. Debian's build does not look for them by itself."""
    shared = program.parent.parent / "share" / "osra"
    return [word for flag, name in _LISTS if (shared / name).is_file() for word in (flag, shared / name)]

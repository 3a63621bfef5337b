"""OSRA, which reads drawn molecules (https://sourceforge.net/projects/osra, Debian package ``osra``)."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from docai.pipelines.evidence.base import Need, ReaderInput, Reading
from docai.pipelines.evidence.molecule_answers import MoleculeAnswer, answer_of_blocks
from docai.pipelines.evidence.molecule_picture import MoleculePicture
from docai.pipelines.evidence.molecule_salts import read_texts
from docai.pipelines.evidence.molecule_vote import reading_of_answers
from docai.pipelines.external import programs
from docai.records import Evidence

PROGRAM = "osra"

SECONDS = 60.0
"""For one region. A drawing takes one to three on an idle processor; a busy one takes several times that."""

MAX_BYTES = 1 << 20

MAX_STROKE_PX: Final = 4.5
"""Width up to which strokes are read as they are."""

STROKE_PX: Final = 3.5
"""Width to which wider strokes are brought: that of a drawing at 300 dpi, for which it was made."""

_LISTS = (("-l", "spelling.txt"), ("-a", "superatom.txt"))

_USUAL_RESOLUTION: Final = "2"
"""The number of 300 dpi, which is believed where others have the same estimate."""

_FIELD: Final = re.compile(r"^>  <(\w+)>\n(.*)$", re.MULTILINE)


class Osra:
    """Reads the structures of the picture in gray, at each of the resolutions that it tries."""

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
        picture = region.molecule_picture
        if not picture.stroke:
            return Reading(self.name)
        with tempfile.TemporaryDirectory(prefix="docai-") as folder:
            file = Path(folder) / "region.png"
            _save(picture, file)
            output = programs.run(
                [program, "--learn", "-f", "sdf", "-p", *_options(Path(program)), file],
                seconds=self._seconds,
                max_bytes=MAX_BYTES,
            )
        answers = read_answers(output.decode("utf-8", "replace"))
        return reading_of_answers(self.name, answers, read_texts(picture))


def _save(picture: MoleculePicture, file: Path) -> None:
    import cv2
    from PIL import Image

    gray = picture.gray
    if picture.stroke > MAX_STROKE_PX:
        scale = STROKE_PX / picture.stroke
        gray = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    Image.fromarray(gray).save(file, compress_level=1)


def read_answers(output: str) -> list[MoleculeAnswer]:
    """One answer for each resolution of the output of ``--learn -f sdf``, the best by its own estimate first.

    All resolutions are written with their structures, one or several each; without ``--learn`` OSRA chooses
    the one whose estimates have the largest sum.
    """
    blocks: dict[str, list[str]] = {}
    estimates: dict[str, float] = {}
    for record in output.split("$$$$\n"):
        block, end, rest = record.partition("M  END")
        if not end:
            continue
        fields = dict(_FIELD.findall(rest))
        key = fields.get("Resolution_iteration", "")
        blocks.setdefault(key, []).append(block + end + "\n")
        estimates[key] = estimates.get(key, 0.0) + float(fields.get("Confidence_estimate", "0"))
    answers = [answer_of_blocks(blocks[key], f"resolution {key}", estimates[key]) for key in blocks]
    answers.sort(key=lambda answer: answer.preparation == f"resolution {_USUAL_RESOLUTION}", reverse=True)
    return sorted(answers, key=lambda answer: answer.own, reverse=True)


def _options(program: Path) -> list[str | Path]:
    """Its lists of spellings and abbreviations. Debian's build does not look for them by itself."""
    shared = program.parent.parent / "share" / "osra"
    return [word for flag, name in _LISTS if (shared / name).is_file() for word in (flag, shared / name)]

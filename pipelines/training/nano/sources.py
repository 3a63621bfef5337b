"""Where training pairs come from: the renderers of this machine, or a pack for machines without them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import Mark, Sample

if TYPE_CHECKING:
    from docai.pipelines.training.nano.molecules import Molecules
    from docai.pipelines.training.nano.scores import Scores


class Source(Protocol):
    """Pairs of every head. It is sent to the processes that draw, so it is small and can be pickled."""

    def heads(self) -> tuple[str, ...]:
        """What it has pairs of."""
        ...

    def draw(self, head: str, rng: random.Random, difficulty: float) -> Sample:
        """A pair to train on, difficulty 0…1."""
        ...

    def held_out(self, head: str, seed: int, count: int) -> list[Sample]:
        """At most ``count`` pairs, always the same ones, whose content is never drawn."""
        ...


HELD_OUT_DIFFICULTY = 0.3
"""Of the pairs that a training is measured by: what the embedded checkpoint is to read first."""


@dataclass(frozen=True)
class Renderers:
    """The generators of ``docai synth``."""

    def heads(self) -> tuple[str, ...]:
        from docai.pipelines.synthesis import GENERATORS

        return tuple(GENERATORS)

    def draw(self, head: str, rng: random.Random, difficulty: float) -> Sample:
        from docai.pipelines.synthesis import GENERATORS

        return GENERATORS[head](rng, difficulty)

    def held_out(self, head: str, seed: int, count: int) -> list[Sample]:
        from docai.pipelines.synthesis import samples

        drawn = samples(head, seed, difficulty=HELD_OUT_DIFFICULTY, split="held-out")
        return list(islice(drawn, count))


@dataclass(frozen=True)
class Pack:
    """What :mod:`.pack` wrote: molecules and scores from their descriptions, text and tables drawn as ever.

    Tables are the plain ones alone where ReportLab or PyMuPDF is missing.
    """

    folder: Path

    def heads(self) -> tuple[str, ...]:
        from docai.pipelines.synthesis import GENERATORS

        return tuple(GENERATORS)

    def draw(self, head: str, rng: random.Random, difficulty: float) -> Sample:
        fonts.use_carried(self.folder / "fonts")
        if head == "molecule":
            return _molecules(self.folder).draw(rng, difficulty)
        if head == "score":
            return _scores(self.folder).draw(rng, difficulty)
        return Renderers().draw(head, rng, difficulty)

    def held_out(self, head: str, seed: int, count: int) -> list[Sample]:
        """Those that were drawn when it was packed, whatever the seed."""
        with np.load(self.folder / "held-out.npz") as arrays:
            return unpack_samples(head, arrays)[:count]


@lru_cache(maxsize=1)
def _molecules(folder: Path) -> Molecules:
    from docai.pipelines.training.nano.molecules import Molecules

    with np.load(folder / "molecules.npz") as arrays:
        return Molecules.of(dict(arrays))


@lru_cache(maxsize=1)
def _scores(folder: Path) -> Scores:
    from docai.pipelines.training.nano.scores import Scores

    with np.load(folder / "scores.npz") as arrays:
        return Scores.of(dict(arrays))


def pack_samples(samples: Mapping[str, Sequence[Sample]]) -> dict[str, NDArray[np.uint8]]:
    """Whole samples, pictures as PNG, as arrays of an ``.npz``."""
    arrays = {}
    for head, some in samples.items():
        for index, sample in enumerate(some):
            file = io.BytesIO()
            sample.image.convert("L").save(file, "PNG", optimize=True)
            words = {
                "target": sample.target,
                "key": sample.key,
                "marks": [(round(m.x, 2), round(m.y, 2), m.label, m.span) for m in sample.marks],
            }
            arrays[f"{head}/{index}/image"] = np.frombuffer(file.getvalue(), np.uint8)
            arrays[f"{head}/{index}/words"] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    return arrays


def unpack_samples(head: str, arrays: Mapping[str, NDArray[np.uint8]]) -> list[Sample]:
    """The samples of one head, in the order in which :func:`pack_samples` was given them."""
    found: list[Sample] = []
    while f"{head}/{len(found)}/image" in arrays:
        name = f"{head}/{len(found)}"
        with Image.open(io.BytesIO(arrays[f"{name}/image"].tobytes())) as picture:
            image = picture.convert("RGB")
        words = json.loads(arrays[f"{name}/words"].tobytes())
        marks = tuple(
            Mark(x, y, label, None if span is None else (span[0], span[1]))
            for x, y, label, span in words["marks"]
        )
        found.append(Sample(head, image, words["target"], marks, words["key"]))
    return found

"""Endless training samples from background processes, cut into patches where they are drawn."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import queue
import random
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import islice
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.models.heads import HEADS
from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import BINS, SIZE, Mark, Sample
from docai.pipelines.training.nano.model import LETTERS, build_tokenizer
from docai.pipelines.training.nano.patches import (
    SparseSample,
    cut_patches,
    patch_at,
    patches_to_keep,
    symbol_grid,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

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


_BOX = re.compile(r"<loc(\d{4})><loc(\d{4})><loc(\d{4})><loc(\d{4})>")

_ATOMS = (
    *("C", "N", "O", "S", "P", "F", "Cl", "Br", "I", "B", "Si", "Se", "H", "Na", "K", "Li"),
    *("N+", "O-", "S-", "S+", "N-", "P+", "C-", "C+", "Na+", "K+", "Cl-", "Br-", "I-"),
)


@cache
def symbol_vocabulary() -> dict[str, int]:
    """Index of every symbol that the dense auxiliary task names. 0 is none, 1 any other symbol."""
    pitches = [
        letter * octave + accidental
        for letters, octaves in (("cdefgab", 4), ("CDEFGAB", 3))
        for letter in letters
        for octave in range(1, octaves + 1)
        for accidental in ("", "#", "-", "n")
    ]
    names = [*LETTERS, *(f"molecule:{atom}" for atom in _ATOMS), *(f"score:{pitch}" for pitch in pitches)]
    return {name: index for index, name in enumerate(dict.fromkeys(names), start=2)}


def n_symbols() -> int:
    """Classes of the auxiliary task."""
    return len(symbol_vocabulary()) + 2


def cut_sample(
    sample: Sample,
    tokenizer: PreTrainedTokenizerFast,
    generator: np.random.Generator,
    *,
    whole: bool = False,
) -> SparseSample:
    """Cut a sample into patches and tokens. ``whole`` keeps every patch."""
    patches = cut_patches(sample.image)
    encoded = tokenizer(sample.target + "<eos>", add_special_tokens=False, return_offsets_mapping=True)
    shown = shown_at(sample, encoded.offset_mapping)
    needed = [patch for patch in shown if patch >= 0]
    keep = np.arange(len(patches)) if whole else patches_to_keep(patches, generator, needed=needed)
    order = {int(patch): index for index, patch in enumerate(keep)}
    shared = sample.head in ("text", "table")
    marks = [
        mark if shared else type(mark)(mark.x, mark.y, f"{sample.head}:{mark.label}") for mark in sample.marks
    ]
    prompt = "<bos>" + HEADS[sample.head].prompt + "\n"
    return SparseSample(
        patches=patches[keep],
        positions=keep.astype(np.int64),
        symbols=symbol_grid(marks, symbol_vocabulary())[keep],
        prompt=np.array(tokenizer(prompt, add_special_tokens=False).input_ids, dtype=np.int64),
        suffix=np.array(encoded.input_ids, dtype=np.int64),
        pointers=np.array([order.get(patch, -1) for patch in shown], dtype=np.int64),
        head=sample.head,
    )


def shown_at(sample: Sample, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The patch that shows what each token of the target says, by its characters; -1 where none does.

    A letter, atom or note is shown at its centre; the first two locations of a box at its top left corner,
    the last two at the bottom right one.
    """
    by_character: dict[int, int] = {}
    for mark in sample.marks:
        for character in range(*(mark.span or (0, 0))):
            by_character[character] = patch_at(mark.x, mark.y)
    for box in _BOX.finditer(sample.target):
        y0, x0, y1, x1 = (int(bin_) / (BINS - 1) * SIZE for bin_ in box.groups())
        middle = box.start(3) - len("<loc")
        corners = (patch_at(x0 + 2, y0 + 2), patch_at(x1 - 2, y1 - 2))
        by_character |= dict.fromkeys(range(box.start(), middle), corners[0])
        by_character |= dict.fromkeys(range(middle, box.end()), corners[1])
    return [by_character.get(start, -1) if end > start else -1 for start, end in offsets]


@dataclass(frozen=True)
class FeedSettings:
    """What the background processes draw."""

    weights: Mapping[str, float]
    """Relative frequency of each head."""
    seed: int
    start: int = 0
    """Samples that were learnt from before: what is drawn after them is drawn from other random numbers."""
    max_text_tokens: int = 420
    """Longer targets are not trained on."""
    source: Source = field(default_factory=Renderers)


def _draw_forever(
    settings: FeedSettings,
    worker: int,
    difficulty: multiprocessing.sharedctypes.Synchronized[float],
    whole: multiprocessing.sharedctypes.Synchronized[float],
    out: multiprocessing.Queue[SparseSample],
) -> None:
    """Body of one process: draws until it is terminated, or its trainer is gone."""
    tokenizer = build_tokenizer()
    generator = np.random.default_rng((settings.seed, settings.start, worker))
    chooser = random.Random(f"{settings.seed}/{settings.start}/{worker}")
    heads, weights = list(settings.weights), list(settings.weights.values())
    trainer = os.getppid()
    # A trainer that is killed leaves no time to end its processes: they notice that they were handed over,
    # and end without waiting for somebody to take what they have drawn.
    out.cancel_join_thread()
    while os.getppid() == trainer:
        head = chooser.choices(heads, weights)[0]
        # Easy samples stay in the mixture, so that what was learnt first is not forgotten.
        level = difficulty.value * chooser.random() ** 0.5
        sample = settings.source.draw(head, chooser, level)
        cut = cut_sample(sample, tokenizer, generator, whole=chooser.random() < whole.value)
        if len(cut.suffix) <= settings.max_text_tokens:
            _put(cut, out, trainer)


def _put(cut: SparseSample, out: multiprocessing.Queue[SparseSample], trainer: int) -> None:
    """Wait for room in the queue for as long as the trainer lives."""
    while os.getppid() == trainer:
        try:
            out.put(cut, timeout=5)
        except queue.Full:
            continue
        return


class Feed:
    """Background drawing with a buffer that is drawn from several times.

    Drawing a picture costs about as much as learning from it on the same cores; each sample is therefore
    used up to ``reuse`` times, with the others of the buffer in between.
    """

    def __init__(
        self, settings: FeedSettings, *, workers: int = 1, capacity: int = 6_000, reuse: float = 1.5
    ):
        context = multiprocessing.get_context("spawn")
        self._queue: multiprocessing.Queue[SparseSample] = context.Queue(maxsize=256)
        self._difficulty = context.Value("d", 0.0)
        self._whole = context.Value("d", 0.0)
        self._buffer: list[SparseSample] = []
        self._capacity = capacity
        self._reuse = reuse
        self._random = random.Random(settings.seed)
        self.n_drawn = 0
        self.n_used = 0
        self.waited = 0.0
        """Seconds in which :meth:`take` waited for a sample."""
        self._processes: Sequence[SpawnProcess] = [
            context.Process(
                target=_draw_forever,
                args=(settings, worker, self._difficulty, self._whole, self._queue),
                daemon=True,
            )
            for worker in range(workers)
        ]

    def __enter__(self) -> Feed:
        # Ctrl-C is for the trainer alone; the processes inherit that they ignore it.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in self._processes:
            process.start()
        signal.signal(signal.SIGINT, previous)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()

    def set_difficulty(self, value: float) -> None:
        """0…1, from now on."""
        self._difficulty.value = value

    def set_whole(self, share: float) -> None:
        """Share of samples, 0…1, that keep every patch, from now on. The buffer is emptied on a change."""
        if share != self._whole.value:
            self._whole.value = share
            self._buffer.clear()

    def take(self, count: int) -> list[SparseSample]:
        """``count`` samples of the buffer. Waits for fresh ones where it has been used enough."""
        while len(self._buffer) < 4 * count or self.n_used > self.n_drawn * self._reuse:
            self._receive()
        self.n_used += count
        return self._random.sample(self._buffer, count)

    def _receive(self) -> None:
        began = time.monotonic()
        while True:
            try:
                sample = self._queue.get(timeout=5)
                break
            except queue.Empty:
                ended = [process.exitcode for process in self._processes if process.exitcode is not None]
                if ended:
                    raise RuntimeError(
                        f"A process that draws training samples ended with exit code {ended[0]}; "
                        "what it said is on standard error."
                    ) from None
        self.waited += time.monotonic() - began
        self.n_drawn += 1
        if len(self._buffer) < self._capacity:
            self._buffer.append(sample)
        else:
            self._buffer[self.n_drawn % self._capacity] = sample

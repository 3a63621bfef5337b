"""Endless training samples, drawn and cut into patches in background processes.

A :class:`Source` draws pairs: :class:`RendererSource` with the renderers of this machine, :class:`PackSource`
from a pack for machines without them. A :class:`Feed` buffers what the processes draw.
"""

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
    """Draws pairs of every head. It is sent to other processes, so it has to be small and picklable."""

    def heads(self) -> tuple[str, ...]:
        """The heads that it has pairs of."""
        ...

    def draw(self, head: str, rng: random.Random, difficulty: float) -> Sample:
        """A pair to train on; ``difficulty`` is 0…1."""
        ...

    def held_out(self, head: str, seed: int, count: int) -> list[Sample]:
        """At most ``count`` pairs, always the same ones, whose content :meth:`draw` never gives."""
        ...


HELD_OUT_DIFFICULTY = 0.3
"""Difficulty of the held-out pairs: easy ones, which the embedded checkpoint learns to read first."""


@dataclass(frozen=True)
class RendererSource:
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
class PackSource:
    """Draws from a pack (:mod:`.pack`): molecules and scores from stored drawings, the others by generators.

    Without ReportLab or PyMuPDF only plain tables are drawn.
    """

    folder: Path

    def heads(self) -> tuple[str, ...]:
        from docai.pipelines.synthesis import GENERATORS

        return tuple(GENERATORS)

    def draw(self, head: str, rng: random.Random, difficulty: float) -> Sample:
        fonts.use_pack_fonts(self.folder / "fonts")
        if head == "molecule":
            return _molecules(self.folder).draw(rng, difficulty)
        if head == "score":
            return _scores(self.folder).draw(rng, difficulty)
        return RendererSource().draw(head, rng, difficulty)

    def held_out(self, head: str, seed: int, count: int) -> list[Sample]:
        """The pairs that were drawn when the pack was written, for any seed."""
        with np.load(self.folder / "held-out.npz") as arrays:
            return unpack_samples(head, arrays)[:count]


@lru_cache(maxsize=1)
def _molecules(folder: Path) -> Molecules:
    from docai.pipelines.training.nano.molecules import Molecules

    with np.load(folder / "molecules.npz") as arrays:
        return Molecules.from_arrays(dict(arrays))


@lru_cache(maxsize=1)
def _scores(folder: Path) -> Scores:
    from docai.pipelines.training.nano.scores import Scores

    with np.load(folder / "scores.npz") as arrays:
        return Scores.from_arrays(dict(arrays))


def pack_samples(samples: Mapping[str, Sequence[Sample]]) -> dict[str, NDArray[np.uint8]]:
    """Whole samples as arrays of an ``.npz``, with the pictures as PNG."""
    arrays = {}
    for head, of_head in samples.items():
        for index, sample in enumerate(of_head):
            file = io.BytesIO()
            sample.image.convert("L").save(file, "PNG", optimize=True)
            texts = {
                "target": sample.target,
                "key": sample.key,
                "marks": [(round(m.x, 2), round(m.y, 2), m.label, m.span) for m in sample.marks],
            }
            arrays[f"{head}/{index}/image"] = np.frombuffer(file.getvalue(), np.uint8)
            arrays[f"{head}/{index}/words"] = np.frombuffer(json.dumps(texts).encode(), np.uint8)
    return arrays


def unpack_samples(head: str, arrays: Mapping[str, NDArray[np.uint8]]) -> list[Sample]:
    """The samples of one head, in the order given to :func:`pack_samples`."""
    samples: list[Sample] = []
    while f"{head}/{len(samples)}/image" in arrays:
        name = f"{head}/{len(samples)}"
        with Image.open(io.BytesIO(arrays[f"{name}/image"].tobytes())) as picture:
            image = picture.convert("RGB")
        texts = json.loads(arrays[f"{name}/words"].tobytes())
        marks = tuple(
            Mark(x, y, label, None if span is None else (span[0], span[1]))
            for x, y, label, span in texts["marks"]
        )
        samples.append(Sample(head, image, texts["target"], marks, texts["key"]))
    return samples


_BOX = re.compile(r"<loc(\d{4})><loc(\d{4})><loc(\d{4})><loc(\d{4})>")

_ATOMS = (
    *("C", "N", "O", "S", "P", "F", "Cl", "Br", "I", "B", "Si", "Se", "H", "Na", "K", "Li"),
    *("N+", "O-", "S-", "S+", "N-", "P+", "C-", "C+", "Na+", "K+", "Cl-", "Br-", "I-"),
)


@cache
def symbol_vocabulary() -> dict[str, int]:
    """Class of every symbol in the auxiliary task. 0 is no symbol, 1 any other symbol."""
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
    """Number of classes of the auxiliary task."""
    return len(symbol_vocabulary()) + 2


def cut_sample(
    sample: Sample,
    tokenizer: PreTrainedTokenizerFast,
    generator: np.random.Generator,
    *,
    whole: bool = False,
) -> SparseSample:
    """Cut a sample into patches and tokens. ``whole`` keeps all patches."""
    patches = cut_patches(sample.image)
    encoded = tokenizer(sample.target + "<eos>", add_special_tokens=False, return_offsets_mapping=True)
    shown = locate_tokens(sample, encoded.offset_mapping)
    needed = [patch for patch in shown if patch >= 0]
    keep = np.arange(len(patches)) if whole else patches_to_keep(patches, generator, needed=needed)
    order = {int(patch): index for index, patch in enumerate(keep)}
    has_letters = sample.head in ("text", "table")
    marks = [
        mark if has_letters else type(mark)(mark.x, mark.y, f"{sample.head}:{mark.label}")
        for mark in sample.marks
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


def locate_tokens(sample: Sample, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """For each token of the target, the patch that shows it, by its characters; -1 where none does.

    A letter, atom or note is at its center; the first two locations of a box are at its top left corner, the
    last two at its bottom right corner.
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
    """Settings of the background processes."""

    weights: Mapping[str, float]
    """Relative frequency of each head."""
    seed: int
    start: int = 0
    """Samples used before; it seeds the random numbers, so that a resumed training draws other samples."""
    max_text_tokens: int = 420
    """Samples with longer targets are skipped."""
    source: Source = field(default_factory=RendererSource)


def _draw_forever(
    settings: FeedSettings,
    worker: int,
    difficulty: multiprocessing.sharedctypes.Synchronized[float],
    whole: multiprocessing.sharedctypes.Synchronized[float],
    out: multiprocessing.Queue[SparseSample],
) -> None:
    """Main function of one process: draw until it is terminated, or its trainer has ended."""
    tokenizer = build_tokenizer()
    generator = np.random.default_rng((settings.seed, settings.start, worker))
    chooser = random.Random(f"{settings.seed}/{settings.start}/{worker}")
    heads, weights = list(settings.weights), list(settings.weights.values())
    trainer = os.getppid()
    # A trainer that is killed cannot end its processes. They notice that their parent has changed, and end
    # without waiting until the queue is empty.
    out.cancel_join_thread()
    while os.getppid() == trainer:
        head = chooser.choices(heads, weights)[0]
        # Easy samples stay in the mixture, so that what was learned first is not forgotten.
        level = difficulty.value * chooser.random() ** 0.5
        sample = settings.source.draw(head, chooser, level)
        cut = cut_sample(sample, tokenizer, generator, whole=chooser.random() < whole.value)
        if len(cut.suffix) <= settings.max_text_tokens:
            _put(cut, out, trainer)


def _put(cut: SparseSample, out: multiprocessing.Queue[SparseSample], trainer: int) -> None:
    """Put a sample into the queue. Waits for room as long as the trainer runs."""
    while os.getppid() == trainer:
        try:
            out.put(cut, timeout=5)
        except queue.Full:
            continue
        return


class Feed:
    """Samples drawn in the background, in a buffer from which each is used several times.

    Drawing a picture takes about as long as a training step with it on the same cores. Each sample is
    therefore used up to ``reuse`` times, with others of the buffer in between.
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
        """Seconds that :meth:`take` has waited for samples."""
        self._processes: Sequence[SpawnProcess] = [
            context.Process(
                target=_draw_forever,
                args=(settings, worker, self._difficulty, self._whole, self._queue),
                daemon=True,
            )
            for worker in range(workers)
        ]

    def __enter__(self) -> Feed:
        # Only the trainer handles Ctrl-C; the processes inherit that it is ignored.
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
        """Set the difficulty of the samples drawn from now on, 0…1."""
        self._difficulty.value = value

    def set_whole(self, share: float) -> None:
        """Set the share of samples, 0…1, that keep all patches. The buffer is emptied on a change."""
        if share != self._whole.value:
            self._whole.value = share
            self._buffer.clear()

    def take(self, count: int) -> list[SparseSample]:
        """``count`` samples of the buffer. Waits for new ones where the buffer has been used enough."""
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
                        "its message is on standard error."
                    ) from None
        self.waited += time.monotonic() - began
        self.n_drawn += 1
        if len(self._buffer) < self._capacity:
            self._buffer.append(sample)
        else:
            self._buffer[self.n_drawn % self._capacity] = sample

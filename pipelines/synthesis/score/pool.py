"""Engraved pieces kept, so that many looks at one piece cost one engraving."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from docai.pipelines.synthesis.base import Mark, Sample, Split, UndrawableError, split_of
from docai.pipelines.synthesis.score.generator import compose, engrave, set_in_square
from docai.pipelines.synthesis.score.svg import Engraving


@dataclass(frozen=True)
class ScorePool:
    """Engraved pieces of one split kept packed, so that a sample costs a decoding and not an engraving."""

    pieces: tuple[tuple[str, bytes, tuple[Mark, ...], float, str], ...]
    """Kern, PNG, marks, pixels between staff lines, key."""

    @classmethod
    def build(
        cls, count: int, seed: int, *, difficulty: tuple[float, float] = (0.0, 1.0), split: Split = "train"
    ) -> ScorePool:
        """Engrave ``count`` pieces whose difficulty rises evenly over the given range."""
        import cv2

        pieces = []
        for index in range(count):
            rng = random.Random(f"score-pool/{seed}/{index}")
            level = difficulty[0] + (difficulty[1] - difficulty[0]) * index / max(1, count - 1)
            piece = _next_engraving(rng, level, split)
            packed = cv2.imencode(".png", piece.gray, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
            pieces.append((piece.kern, packed, piece.marks, piece.space, piece.key))
        return cls(tuple(pieces))

    @classmethod
    def cached(cls, folder: Path, count: int, seed: int, *, split: Split = "train") -> ScorePool:
        """The pool kept in ``folder``, built and kept there first where it is missing."""
        path = folder / f"score-pool-{split}-{seed}-{count}.npz"
        if path.is_file():
            return cls.load(path)
        pool = cls.build(count, seed, split=split)
        folder.mkdir(parents=True, exist_ok=True)
        pool.save(path)
        return pool

    def save(self, path: Path) -> None:
        """Write one ``.npz``."""
        packed = [np.frombuffer(png, np.uint8) for _, png, *_ in self.pieces]
        shown = [marks for _, _, marks, *_ in self.pieces]
        marks = [np.array([(m.x, m.y) for m in marks]).reshape(-1, 2) for marks in shown]
        labels = [" ".join(m.label for m in marks) for marks in shown]
        spans = [np.array([m.span or (-1, -1) for m in marks]).reshape(-1, 2) for marks in shown]
        with path.open("wb") as file:
            np.savez(
                file,
                kern=np.array([kern for kern, *_ in self.pieces]),
                png=np.concatenate(packed),
                png_size=np.array([len(png) for png in packed]),
                points=np.concatenate(marks),
                labels=np.array(labels),
                spans=np.concatenate(spans),
                space=np.array([space for *_, space, _ in self.pieces]),
                key=np.array([key for *_, key in self.pieces]),
            )

    @classmethod
    def load(cls, path: Path) -> ScorePool:
        """Read what :meth:`save` wrote."""
        with np.load(path) as data:
            ends = np.cumsum(data["png_size"])
            images = np.split(data["png"], ends[:-1])
            labels = [text.split() for text in data["labels"].tolist()]
            cuts = np.cumsum([len(names) for names in labels])[:-1]
            points, spans = np.split(data["points"], cuts), np.split(data["spans"], cuts)
            marks = [
                tuple(
                    Mark(float(x), float(y), name, (int(start), int(end)) if end > 0 else None)
                    for (x, y), name, (start, end) in zip(spots, names, ends, strict=True)
                )
                for spots, names, ends in zip(points, labels, spans, strict=True)
            ]
            kerns, spaces, keys = (data[name].tolist() for name in ("kern", "space", "key"))
            rows = zip(kerns, images, marks, spaces, keys, strict=True)
            return cls(tuple((kern, png.tobytes(), *others) for kern, png, *others in rows))

    def sample(self, rng: random.Random, difficulty: float) -> Sample:
        """A piece from the easier ``difficulty`` share of the pool, looked at afresh."""
        import cv2

        last = max(0, round((len(self.pieces) - 1) * difficulty))
        kern, png, marks, space, key = self.pieces[rng.randint(0, last)]
        gray = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        return set_in_square(Engraving(kern, gray, marks, space, key), rng, difficulty)


def _next_engraving(rng: random.Random, difficulty: float, split: Split) -> Engraving:
    while True:
        plan = compose(rng, difficulty)
        if split_of(plan.key) != split:
            continue
        try:
            return engrave(plan, rng, difficulty)
        except UndrawableError:
            continue

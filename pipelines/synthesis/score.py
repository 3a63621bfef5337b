"""Passages engraved by Verovio for the `score` head; :class:`ScorePool` reuses engraved pieces.

Up to difficulty :data:`PLAIN` all are short random passages of one voice a staff (``kern``). Beyond it more
and more are rich random ones (``score_random``) or cut from the pieces of music21's wheel
(``score_corpus``), which are keyed by their piece: all cuts of a piece are in one split.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from docai.errors import MissingDependencyError
from docai.pipelines.synthesis import score_corpus, score_random
from docai.pipelines.synthesis.base import (
    SIZE,
    Generator,
    Mark,
    Plan,
    Sample,
    Split,
    UndrawableError,
    place,
    room,
    split_of,
    to_rgb,
)
from docai.pipelines.synthesis.engraver import engraver
from docai.pipelines.synthesis.kern import passage
from docai.pipelines.synthesis.noise import degrade, tilt
from docai.pipelines.synthesis.score_svg import Engraving, read_drawing

FONTS = ("Leipzig", "Leipzig", "Bravura", "Leland", "Gootville")
MAX_SPACE_PIXELS = 32.0
"""Largest distance between staff lines that is drawn."""
_DETAIL_WIDTH = 700.0
PLAIN = 0.35
"""Difficulty up to which all pieces are plain passages of one voice a staff."""
MIN_SPACE_PIXELS = 5.0
"""Smallest distance between staff lines in the square; what is drawn smaller cannot be read."""
_DYNAMICS = ("p", "p", "f", "f", "mf", "pp", "mp", "ff", "sf", "fp")


def compose(rng: random.Random, difficulty: float) -> Plan[str]:
    """A plain passage; beyond :data:`PLAIN` more and more a rich one, or one of a real piece."""
    rich = max(0.0, difficulty - PLAIN) / (1 - PLAIN)
    if difficulty <= PLAIN or rng.random() > min(0.9, 1.8 * rich):
        kern = passage(rng, difficulty)
        return Plan(kern, kern)
    plan = score_corpus.compose(rng, difficulty) if rng.random() < 0.4 else None
    if plan is None:
        kern = score_random.passage(rng, difficulty)
        plan = Plan(kern, kern)
    return plan


def draw(plan: Plan[str], rng: random.Random, difficulty: float) -> Sample:
    """Raises :class:`UndrawableError` where Verovio cannot engrave the piece, or it becomes too small."""
    return set_in_square(engrave(plan, rng, difficulty), rng, difficulty)


def engrave(plan: Plan[str], rng: random.Random, difficulty: float) -> Engraving:
    """Engrave with varied options.

    Raises :class:`UndrawableError` where Verovio cannot, and
    :class:`docai.errors.MissingDependencyError` where there is no Verovio or no resvg.
    """
    _check_packages()
    kern = plan.content
    options: dict[str, float | str] = {
        "font": rng.choice(FONTS) if rng.random() < difficulty else "Leipzig",
        "staffLineWidth": rng.uniform(0.12, 0.15 + 0.1 * difficulty),
        "barLineWidth": rng.uniform(0.25, 0.35 + 0.3 * difficulty),
        "stemWidth": rng.uniform(0.16, 0.2 + 0.08 * difficulty),
        "spacingLinear": rng.uniform(0.2, 0.3 + 0.1 * difficulty),
        "spacingNonLinear": rng.uniform(0.5, 0.65),
        "spacingStaff": rng.randint(5, 8 + round(6 * difficulty)),
        "beamMaxSlope": rng.choice((0, 5, 10, 15)),
        "mnumInterval": 0,
    }
    staves = kern.split("\n", 1)[0].count("\t") + 1
    if difficulty <= PLAIN:
        n_added, source = 0, kern
        if staves > 1 and rng.random() >= 0.3:
            source += "\n!!!system-decoration: {(s1,s2)}"
    else:
        options |= _finer_options(rng, difficulty)
        n_added, source = 1, _dressed(kern, staves, rng, difficulty)
    svg = engraver().engrave(source + "\n", options)
    if svg is None:
        raise UndrawableError("Verovio did not engrave the piece.")
    longer_side = SIZE * rng.uniform(0.7, 1.0) if difficulty > 0 else _DETAIL_WIDTH
    return read_drawing(svg, kern, plan.key, longer_side, n_added)


@cache
def _check_packages() -> None:
    absent = [name for name in ("verovio", "resvg_py") if find_spec(name) is None]
    if absent:
        raise MissingDependencyError(
            f"Music is engraved with {' and '.join(absent)}, not installed here; "
            "install them with: pip install 'docai[synth]'"
        )


def _dressed(kern: str, staves: int, rng: random.Random, difficulty: float) -> str:
    """The piece with what is engraved but no part of the target: braces and dynamics.

    Adds one line below the first; whatever else is added stands right of the piece or below it.
    """
    source = _with_dynamics(kern, rng) if rng.random() < 0.6 * (difficulty - PLAIN) else kern
    first, rest = source.split("\n", 1)
    numbers = [f"*staff{number}" for number in range(staves, 0, -1)]
    numbers += ["*"] * (first.count("\t") + 1 - staves)
    names = [f"s{number}" for number in range(1, staves + 1)]
    groups = {
        2: ["{(s1,s2)}", "{(s1,s2)}", "[(s1,s2)]", "(s1,s2)", "[(s1)(s2)]"],
        4: ["{(s1,s2)}{(s3,s4)}"],
    }.get(staves, [])
    groups += (
        [f"[({','.join(names)})]", f"[({')('.join(names)})]", f"({','.join(names)})"] if staves > 2 else []
    )
    record = f"\n!!!system-decoration: {rng.choice(groups)}" if staves > 1 else ""
    return "\n".join((first, "\t".join(numbers), rest)) + record


def _finer_options(rng: random.Random, difficulty: float) -> dict[str, float | str]:
    """What engravers differ in besides, ever further from the default."""
    far = difficulty - PLAIN
    return {
        "ledgerLineThickness": rng.uniform(0.2, 0.25 + 0.15 * far),
        "slurMidpointThickness": rng.uniform(0.4, 0.6 + 0.5 * far),
        "tieMidpointThickness": rng.uniform(0.4, 0.5 + 0.4 * far),
        "thickBarlineThickness": rng.uniform(0.8, 1.0 + 0.4 * far),
        "tupletBracketThickness": rng.uniform(0.1, 0.2 + 0.2 * far),
        "graceFactor": rng.uniform(0.6, 0.8),
        "leftMarginNote": rng.uniform(0.6, 1.0 + far),
        "mnumInterval": rng.choice((0, 0, 0, 1, 2)) if rng.random() < far else 0,
        "tupletNumHead": rng.random() < 0.3 * far,
    }


def _with_dynamics(kern: str, rng: random.Random) -> str:
    """With a spine of dynamics, which readers of notes are to overlook."""
    lines = []
    for line in kern.split("\n"):
        mark = line[0]
        if line.startswith("**"):
            extra = "**dynam"
        elif line.startswith("*-") or mark == "=":
            extra = line.split("\t", 1)[0]
        elif mark == "*":
            extra = "*"
        else:
            extra = rng.choice(_DYNAMICS) if rng.random() < 0.1 else "."
        lines.append(f"{line}\t{extra}")
    return "\n".join(lines)


def set_in_square(piece: Engraving, rng: random.Random, difficulty: float) -> Sample:
    """The piece as a sample, at a varied size and place and with varied stroke weight and noise."""
    import cv2

    height, width = piece.gray.shape
    zoom = min(
        room(rng, difficulty) / max(width, height), rng.uniform(0.6, 1.0) * MAX_SPACE_PIXELS / piece.space
    )
    size = (max(1, int(width * zoom)), max(1, int(height * zoom)))
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    if piece.space * zoom < MIN_SPACE_PIXELS:
        raise UndrawableError("The staves are too small to be read.")
    small = cv2.resize(piece.gray, size, interpolation=way)
    left, top = (round(v) for v in place(*size, rng, difficulty))
    square = np.full((SIZE, SIZE), 255, np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    points = np.array([(left + mark.x * zoom, top + mark.y * zoom, 1.0) for mark in piece.marks])
    points = points.reshape(-1, 3)
    if rng.random() < 0.4 * difficulty:
        square, matrix = tilt(square, rng, 0.8)
        points = points @ matrix.T
    marks = tuple(
        replace(mark, x=float(p[0]), y=float(p[1])) for p, mark in zip(points, piece.marks, strict=True)
    )
    image = to_rgb(degrade(square, rng, difficulty))
    return Sample("score", image, piece.kern, marks, piece.key)


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


generate: Generator[str] = Generator("score", compose, draw)

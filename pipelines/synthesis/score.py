"""Short passages engraved by Verovio for the `score` head; :class:`ScorePool` reuses engraved pieces."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from docai.pipelines.synthesis.base import (
    SIZE,
    Generator,
    Gray,
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

FONTS = ("Leipzig", "Leipzig", "Bravura", "Leland", "Gootville")
MAX_SPACE_PIXELS = 32.0
"""Largest distance between staff lines that is drawn."""
_SPACE = 180.0
"""The same in Verovio's units."""
_HEAD_WIDTH = {"E0A2": 304.0, "E0A3": 212.0, "E0A4": 212.0}
"""Notehead glyph (SMuFL) to its width in Verovio's units."""
_DETAIL_WIDTH = 700.0
_NOTE_ID = re.compile(r"note-L(\d+)F(\d+)(?:S(\d+))?$")
_TRANSLATE = re.compile(r"translate\(\s*(-?[\d.]+)[ ,]+(-?[\d.]+)\s*\)")
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Engraving:
    """A piece as ink, cut close, with its noteheads' centres in its pixels."""

    kern: str
    gray: Gray
    marks: tuple[Mark, ...]
    space: float
    """Pixels between staff lines."""


def compose(rng: random.Random, difficulty: float) -> Plan[str]:
    kern = passage(rng, difficulty)
    return Plan(kern, kern)


def draw(plan: Plan[str], rng: random.Random, difficulty: float) -> Sample:
    """Raises :class:`UndrawableError` where Verovio cannot engrave the piece."""
    return set_in_square(engrave(plan.content, rng, difficulty), rng, difficulty)


def engrave(kern: str, rng: random.Random, difficulty: float) -> Engraving:
    """Engrave with varied options. Raises :class:`UndrawableError` where Verovio cannot."""
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
    group = "" if staves == 1 or rng.random() < 0.3 else "\n!!!system-decoration: {(s1,s2)}"
    svg = engraver().engrave(kern + group + "\n", options)
    if svg is None:
        raise UndrawableError("Verovio did not engrave the piece.")
    return _rasterise(svg, kern, SIZE * rng.uniform(0.7, 1.0) if difficulty > 0 else _DETAIL_WIDTH)


def set_in_square(piece: Engraving, rng: random.Random, difficulty: float) -> Sample:
    """The piece as a sample, at a varied size and place and with varied stroke weight and noise."""
    import cv2

    height, width = piece.gray.shape
    zoom = min(
        room(rng, difficulty) / max(width, height), rng.uniform(0.6, 1.0) * MAX_SPACE_PIXELS / piece.space
    )
    size = (max(1, int(width * zoom)), max(1, int(height * zoom)))
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
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
    return Sample("score", image, piece.kern, marks, piece.kern)


@dataclass(frozen=True)
class ScorePool:
    """Engraved pieces of one split kept packed, so that a sample costs a decoding and not an engraving."""

    pieces: tuple[tuple[str, bytes, tuple[Mark, ...], float], ...]
    """Kern, PNG, marks, pixels between staff lines."""

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
            pieces.append((piece.kern, packed, piece.marks, piece.space))
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
        packed = [np.frombuffer(png, np.uint8) for _, png, _, _ in self.pieces]
        marks = [np.array([(m.x, m.y) for m in marks]).reshape(-1, 2) for _, _, marks, _ in self.pieces]
        labels = [" ".join(m.label for m in marks) for _, _, marks, _ in self.pieces]
        spans = [
            np.array([m.span or (-1, -1) for m in marks]).reshape(-1, 2) for _, _, marks, _ in self.pieces
        ]
        with path.open("wb") as file:
            np.savez(
                file,
                kern=np.array([kern for kern, *_ in self.pieces]),
                png=np.concatenate(packed),
                png_size=np.array([len(png) for png in packed]),
                points=np.concatenate(marks),
                labels=np.array(labels),
                spans=np.concatenate(spans),
                space=np.array([space for *_, space in self.pieces]),
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
            rows = zip(data["kern"].tolist(), images, marks, data["space"].tolist(), strict=True)
            return cls(tuple((kern, png.tobytes(), spots, space) for kern, png, spots, space in rows))

    def sample(self, rng: random.Random, difficulty: float) -> Sample:
        """A piece from the easier ``difficulty`` share of the pool, looked at afresh."""
        import cv2

        last = max(0, round((len(self.pieces) - 1) * difficulty))
        kern, png, marks, space = self.pieces[rng.randint(0, last)]
        gray = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
        return set_in_square(Engraving(kern, gray, marks, space), rng, difficulty)


def _next_engraving(rng: random.Random, difficulty: float, split: Split) -> Engraving:
    while True:
        kern = passage(rng, difficulty)
        if split_of(kern) != split:
            continue
        try:
            return engrave(kern, rng, difficulty)
        except UndrawableError:
            continue


def _rasterise(svg: str, kern: str, longer_side: float) -> Engraving:
    import cv2
    import resvg_py
    from lxml import etree

    root = etree.fromstring(svg.encode())
    inner = root.find(f"{_SVG}svg")
    assert inner is not None
    width, height = (float(v) for v in inner.attrib["viewBox"].split()[2:])
    scale = longer_side / max(width, height)
    png = resvg_py.svg_to_bytes(
        svg_string=svg, background="white", width=max(1, round(width * scale)), skip_system_fonts=True
    )
    packed = np.frombuffer(bytes(png), np.uint8)
    gray = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    scale = gray.shape[1] / width
    ys, xs = np.nonzero(gray < 200)
    x0, y0 = int(xs.min()), int(ys.min())
    cut = np.ascontiguousarray(gray[y0 : int(ys.max()) + 1, x0 : int(xs.max()) + 1])
    marks = tuple(
        replace(mark, x=mark.x * scale - x0, y=mark.y * scale - y0) for mark in _noteheads(inner, kern)
    )
    return Engraving(kern, cut, marks, _SPACE * scale)


def _noteheads(svg: object, kern: str) -> Iterator[Mark]:
    """Each notehead, in Verovio's units, with its kern pitch; notes are named by line and field."""
    from lxml import etree

    assert isinstance(svg, etree._Element)
    rows = [line.split("\t") for line in kern.split("\n")]
    page = svg.find(f"{_SVG}g")
    shift = _TRANSLATE.match(page.get("transform", "")) if page is not None else None
    dx, dy = (float(v) for v in shift.groups()) if shift else (0.0, 0.0)
    for group in svg.iter(f"{_SVG}g"):
        name = _NOTE_ID.match(group.get("id", ""))
        glyph = group.find(f"{_SVG}g/{_SVG}use")
        if name is None or glyph is None:
            continue
        at = _TRANSLATE.match(glyph.get("transform", ""))
        head = glyph.get(_HREF, "")[1:5]
        if at is None or head not in _HEAD_WIDTH:
            continue
        line, field, note = int(name[1]) - 1, int(name[2]) - 1, int(name[3] or 1) - 1
        notes = rows[line][field].split(" ")
        start = sum(map(len, rows[line][:field])) + field + sum(map(len, notes[:note])) + note
        start += sum(len("\t".join(row)) + 1 for row in rows[:line])
        yield Mark(
            float(at[1]) + dx + _HEAD_WIDTH[head] / 2,
            float(at[2]) + dy,
            re.sub(r"[^a-gA-G#n-]", "", notes[note]),
            (start, start + len(notes[note])),
        )


generate: Generator[str] = Generator("score", compose, draw)

"""Lines of text for the `text` head: words with their boxes."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import (
    SIZE,
    Box,
    Generator,
    Mark,
    Plan,
    Sample,
    lerp,
    loc,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.noise import degrade
from docai.pipelines.synthesis.words import random_word

MAX_FONT_SIZE = 190
PRINT_FONT_SIZES = (44, 130)
"""Font sizes that print comes to where the crop step enlarges as far as it will, pixels."""
_PROBE_SIZE = 64


@dataclass(frozen=True)
class _Style:
    face: str
    leading: float
    """Line advance as a share of the face's height."""
    word_space: float
    align: float
    """0 left, 0.5 centred, 1 right."""
    ink: int
    paper: int


@dataclass(frozen=True)
class _Word:
    text: str
    x: float
    y: float
    """Pen position at the top of the ascent, relative to the block."""


def compose(rng: random.Random, difficulty: float) -> Plan[list[list[str]]]:
    n_lines = lerp(rng, (1, 1), (1, 6), difficulty)
    lines = [
        [random_word(rng, difficulty) for _ in range(lerp(rng, (1, 2), (1, 8), difficulty))]
        for _ in range(n_lines)
    ]
    return Plan("\n".join(" ".join(line) for line in lines), lines)


def draw(plan: Plan[list[list[str]]], rng: random.Random, difficulty: float) -> Sample:
    style = _style(rng, difficulty)
    probe = _layout(plan.content, fonts.face(style.face, _PROBE_SIZE), style)
    free = room(rng, difficulty)
    scale = free / max(probe[1], probe[2])
    face = fonts.face(style.face, max(8, min(_largest_font(rng, difficulty), int(_PROBE_SIZE * scale))))
    lines, width, height = _layout(plan.content, face, style)
    left, top = place(width, height, rng, difficulty)
    left, top = round(left), round(top)

    image = Image.new("L", (SIZE, SIZE), 255)
    pen = ImageDraw.Draw(image)
    if style.paper < 255:
        pen.rectangle((left - 12, top - 12, left + width + 12, top + height + 12), fill=style.paper)
    marks: list[Mark] = []
    target = ""
    for line in lines:
        separator = "\n" if target else ""
        for word in line:
            x, y = round(left + word.x), round(top + word.y)
            pen.text((x, y), word.text, fill=style.ink, font=face.font)
            x0, y0, x1, y1 = face.ink(word.text)
            target += f"{separator}{loc(Box(x + x0, y + y0, x + x1, y + y1))} "
            separator = " ; "
            centres = enumerate(zip(word.text, face.centres(word.text), strict=True), start=len(target))
            marks.extend(Mark(x + cx, y + cy, character, (n, n + 1)) for n, (character, (cx, cy)) in centres)
            target += word.text
    gray = degrade(np.asarray(image), rng, difficulty)
    return Sample("text", to_rgb(gray), target, tuple(marks), plan.key)


def _largest_font(rng: random.Random, difficulty: float) -> int:
    return rng.randint(*PRINT_FONT_SIZES) if rng.random() < difficulty else MAX_FONT_SIZE


def _style(rng: random.Random, difficulty: float) -> _Style:
    easy = rng.random() > difficulty
    return _Style(
        face=fonts.pick(rng, upright=easy),
        leading=rng.uniform(0.95, 1.1 + 0.5 * difficulty),
        word_space=rng.uniform(0.95, 1.1 + 0.7 * difficulty),
        align=rng.choice((0.0, 0.0, 0.0, 0.5, 1.0)),
        ink=rng.randint(0, round(20 + 70 * difficulty)),
        paper=255 if easy or rng.random() < 0.8 else rng.randint(225, 254),
    )


def _layout(
    lines: list[list[str]], face: fonts.Face, style: _Style
) -> tuple[list[list[_Word]], float, float]:
    """Words at their pen positions, with width and height of the block, pixels."""
    space = face.space * style.word_space
    widths = [sum(map(face.advance, line)) + space * (len(line) - 1) for line in lines]
    width = max(widths)
    placed = []
    for number, (line, line_width) in enumerate(zip(lines, widths, strict=True)):
        x = (width - line_width) * style.align
        y = number * face.height * style.leading
        row = []
        for text in line:
            row.append(_Word(text, x, y))
            x += face.advance(text) + space
        placed.append(row)
    height = face.height * (style.leading * (len(lines) - 1) + 1)
    return placed, width, height


generate: Generator[list[list[str]]] = Generator("text", compose, draw)

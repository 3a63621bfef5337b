"""Words with their boxes for the `text` head: lines, pages with columns, and signs on pictures.

Up to a difficulty of 0.35 a sample is one to a few lines on white. Above it come pages with titles and
columns, words placed freely on photo-like grounds, lines rotated by 90°, distorted sheets, tinted and
textured grounds in color, accents and signs, and the fonts of the machine, down to print with an x-height of
9 pixels.

The splits are disjoint by words and numbers (:func:`words.core`), so by text too, and by designs of fonts
(:func:`fonts.is_held_out`). Tokens without letters and digits, such as a dash, are in both.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import (
    SIZE,
    Box,
    Generator,
    Gray,
    Mark,
    Plan,
    Sample,
    Split,
    UndrawableError,
    lerp,
    loc,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.noise import EDGE, degrade, distortion, follow, harsh, warp
from docai.pipelines.synthesis.text.ground import Color, paint_ground, pick_ink
from docai.pipelines.synthesis.text.layout import (
    PROBE_SIZE,
    Content,
    Lines,
    PageStyle,
    Piece,
    Style,
    lay_lines,
    lay_page,
    lay_scene,
    pick_face,
    shift,
    smallest_size,
)
from docai.pipelines.synthesis.words import document_word, paragraph, sign_word, split_of_words

MAX_FONT_SIZE = 190
PRINT_FONT_SIZES = (44, 130)
"""Font sizes of print where the crop step enlarges as far as it can, pixels."""
MAX_CHARACTERS = 1900
"""Tokens of the longest page, one per character: the answer stays within the head's limit."""
_WORD_COST = 6
"""Tokens per word besides its characters: four locations, a space and a separator."""
_PAPER_MARGIN = 12


def compose(rng: random.Random, difficulty: float, split: Split = "train") -> Plan[Content]:
    """Words of the split only: held-out samples share none with training."""
    late = harsh(difficulty)
    roll = rng.random() if late else 1.0
    if roll < 0.35 * late:
        content = _compose_page(rng, difficulty, split)
    elif roll < 0.6 * late:
        content = _compose_scene(rng, difficulty, split)
    else:
        n_lines = lerp(rng, (1, 1), (1, 6), difficulty)
        lines = tuple(
            tuple(document_word(rng, difficulty, split) for _ in range(lerp(rng, (1, 2), (1, 8), difficulty)))
            for _ in range(n_lines)
        )
        content = Content("lines", (lines,))
    return Plan(content.text, content)


def split_of_content(plan: Plan[Content]) -> Split:
    return split_of_words(plan.key)


def _compose_page(rng: random.Random, difficulty: float, split: Split) -> Content:
    late = harsh(difficulty)
    n_columns = rng.choice((1, 1, 2, 2, 3))
    budget = 150 + (MAX_CHARACTERS - 150) * late * rng.random() ** 1.5
    # About square, where a letter is half as wide as its line is high and half of the budget is letters.
    square = math.sqrt(1.3 * budget) / n_columns
    line_length = round(min(max(10, square * rng.uniform(0.6, 2)), (75, 38, 25)[n_columns - 1]))
    blocks = []
    has_title = rng.random() < 0.5
    if has_title:
        title = paragraph(rng, difficulty, split, min(40, line_length), rng.choice((1, 1, 2)))
        blocks.append(_frozen(title))
        budget -= _cost(blocks[0])
    while not blocks or len(blocks) == has_title or budget > 0:
        block = _frozen(paragraph(rng, difficulty, split, line_length, rng.randint(1, 7)))
        if _cost(block) > budget and len(blocks) > has_title:
            break
        blocks.append(block)
        budget -= _cost(block)
    return Content("page", tuple(blocks), n_columns, has_title)


def _cost(block: Lines) -> int:
    """Tokens of the block in the target, about."""
    return sum(len(word) + _WORD_COST for line in block for word in line)


def _compose_scene(rng: random.Random, difficulty: float, split: Split) -> Content:
    lines = [
        tuple(sign_word(rng, difficulty, split) for _ in range(rng.choice((1, 1, 1, 2, 2, 3))))
        for _ in range(rng.randint(1, 2 + round(6 * harsh(difficulty))))
    ]
    return Content("scene", (tuple(lines),))


def _frozen(lines: list[list[str]]) -> Lines:
    return tuple(tuple(line) for line in lines)


def draw(plan: Plan[Content], rng: random.Random, difficulty: float) -> Sample:
    pieces = place_pieces(plan.content, rng, difficulty, split_of_content(plan))
    target, marks = describe(pieces)
    detail = min(piece.face.x_height for piece in pieces)
    image = _paint(pieces, rng, difficulty, is_scene=plan.content.form == "scene")
    image = degrade(image, rng, difficulty, detail=detail)
    return Sample(
        "text", to_rgb(image) if image.ndim == 2 else Image.fromarray(image), target, marks, plan.key
    )


def place_pieces(content: Content, rng: random.Random, difficulty: float, split: Split) -> list[Piece]:
    """The pieces in the square. Raises UndrawableError where they do not fit at a legible size."""
    late = harsh(difficulty)
    free = room(rng, difficulty)
    if content.form == "scene":
        pieces = lay_scene(content, rng, free, free * rng.uniform(0.35, 1), difficulty, split)
    else:
        pieces = _lay_print(content, rng, difficulty, split, free)
    if content.form == "lines" and rng.random() < 0.08 * late:
        side = rng.choice((1.0, -1.0))
        quarter = np.array([[0, -side, 0], [side, 0, 0], [0, 0, 1]], dtype=np.float64)
        pieces = [piece.moved(quarter) for piece in pieces]
    x0, y0, x1, y1 = _extent(pieces)
    left, top = place(x1 - x0, y1 - y0, rng, difficulty)
    pieces = [piece.moved(shift(round(left - x0), round(top - y0))) for piece in pieces]
    if rng.random() < 0.4 * late:
        matrix = distortion(_extent(pieces), rng, late)
        pieces = [piece.moved(matrix) for piece in pieces]
    return pieces


def _lay_print(
    content: Content, rng: random.Random, difficulty: float, split: Split, free: float
) -> list[Piece]:
    """Lines or a page, as large as the square allows, or at the size of print."""
    style = _pick_style(rng, difficulty, content, split)
    page_style = _pick_page_style(rng, style, content, split)
    probe = _extent(_lay(content, PROBE_SIZE, style, page_style))
    fitting = int(PROBE_SIZE * free / max(probe.x1 - probe.x0, probe.y1 - probe.y0))
    smallest = smallest_size(style.face) if content.form == "page" or harsh(difficulty) else 8
    if fitting < smallest:
        raise UndrawableError("more text than fits at a legible size")
    return _lay(content, max(smallest, min(_largest_font(rng, difficulty), fitting)), style, page_style)


def _lay(content: Content, size: int, style: Style, page_style: PageStyle) -> list[Piece]:
    if content.form == "page":
        return lay_page(content, size, style, page_style)
    return [lay_lines(content.blocks[0], fonts.face(style.face, size), style)]


def _largest_font(rng: random.Random, difficulty: float) -> int:
    low, high = PRINT_FONT_SIZES
    low -= round(20 * harsh(difficulty))
    return rng.randint(low, high) if rng.random() < difficulty else MAX_FONT_SIZE


def _pick_style(rng: random.Random, difficulty: float, content: Content, split: Split) -> Style:
    easy = rng.random() > difficulty
    align: float | None = rng.choice((0.0, 0.0, 0.0, 0.5, 1.0))
    if content.form == "page":
        align = rng.choice((0.0, 0.0, None, None, None, 0.5))
    return Style(
        face=pick_face(rng, content.text, split, difficulty, easy=easy),
        leading=rng.uniform(0.95, 1.1 + 0.5 * difficulty),
        word_space=rng.uniform(0.95, 1.1 + 0.7 * difficulty),
        align=align,
    )


def _pick_page_style(rng: random.Random, style: Style, content: Content, split: Split) -> PageStyle:
    title_face = fonts.bold(style.face)
    if content.has_title and rng.random() < 0.5:
        title_face = pick_face(rng, content.text, split, 1.0, easy=False)
    return PageStyle(
        title_face=title_face,
        title_scale=rng.uniform(1.0, 2.0),
        title_align=rng.choice((0.0, 0.5)),
        gutter=rng.uniform(1.2, 3.0),
        gap=rng.choice((0.0, 0.0, rng.uniform(0.2, 1.0))),
        indent=rng.choice((0.0, 0.0, rng.uniform(0.8, 2.0))),
        has_rules=rng.random() < 0.25,
    )


def describe(pieces: list[Piece]) -> tuple[str, tuple[Mark, ...]]:
    """The target, and the marks of all characters."""
    target = ""
    marks: list[Mark] = []
    for piece in pieces:
        for line in piece.lines:
            separator = "\n" if target else ""
            for word in line:
                target += f"{separator}{loc(_word_box(piece, word.text, word.x, word.y))} "
                separator = " ; "
                centers = np.array(piece.face.centers(word.text)) + _pen(word.x, word.y)
                for character, (x, y) in zip(word.text, follow(piece.matrix, centers).tolist(), strict=True):
                    marks.append(Mark(x, y, character, (len(target), len(target) + 1)))
                    target += character
    return target, tuple(marks)


def _word_box(piece: Piece, text: str, x: float, y: float) -> Box:
    """The box around the transformed ink of a word."""
    if _is_shift(piece.matrix):
        x0, y0, x1, y1 = piece.face.ink(text)
        ink = np.array([[x0, y0], [x1, y1]], np.float64)
    else:
        ink = piece.face.outline(text)
    moved = follow(piece.matrix, ink + _pen(x, y))
    return Box(*moved.min(axis=0).tolist(), *moved.max(axis=0).tolist())


def _pen(x: float, y: float) -> NDArray[np.float64]:
    """The pen position, rounded: words are drawn at whole pixels."""
    return np.array([round(x), round(y)], np.float64)


def _is_shift(matrix: NDArray[np.float64]) -> bool:
    return bool(np.array_equal(matrix[:, :2], np.eye(3)[:, :2]))


def _extent(pieces: list[Piece]) -> Box:
    corners = np.concatenate([piece.corners() for piece in pieces])
    return Box(*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


def coverage(piece: Piece) -> Gray:
    """One piece, black on a white square."""
    plain = _is_shift(piece.matrix)
    left, top = (round(float(v)) for v in piece.matrix[:2, 2]) if plain else (0, 0)
    side = SIZE if plain else max(SIZE, round(piece.width) + 8, round(piece.height) + 8)
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    for rule in piece.rules:
        pen.rectangle((rule.x0 + left, rule.y0 + top, rule.x1 + left - 1, rule.y1 + top - 1), fill=0)
    for line in piece.lines:
        for word in line:
            pen.text((left + round(word.x), top + round(word.y)), word.text, fill=0, font=piece.face.font)
    flat = np.asarray(image)
    return flat if plain else warp(flat, piece.matrix, SIZE)


def _paint(pieces: list[Piece], rng: random.Random, difficulty: float, *, is_scene: bool) -> Gray:
    """The picture: ground and ink."""
    late = harsh(difficulty)
    if not is_scene and rng.random() >= 0.5 * late:
        return _print(pieces, rng, difficulty)
    sheet = _sheet(pieces)
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    height, width = image[sheet].shape[:2]
    ground = paint_ground(rng, height, width, difficulty, photo=is_scene)
    image[sheet] = ground.pixels if ground.pixels.ndim == 3 else ground.pixels[:, :, None]
    ink = pick_ink(rng, ground, difficulty)
    for index, piece in enumerate(pieces):
        if index and (is_scene and rng.random() < 0.5):
            ink = pick_ink(rng, ground, difficulty)
        image = _print_piece(image, coverage(piece), ink)
    return image


def _print(pieces: list[Piece], rng: random.Random, difficulty: float) -> Gray:
    """Black or gray print on white, or on a slightly darker sheet."""
    import cv2

    ink = rng.randint(0, round(20 + 70 * difficulty))
    paper = rng.randint(225, 254) if rng.random() < 0.2 * difficulty else 255
    cover = coverage(pieces[0])
    for piece in pieces[1:]:
        cover = np.minimum(cover, coverage(piece))
    image = np.asarray(cv2.LUT(cover, np.linspace(ink, 255, 256).astype(np.uint8)), np.uint8)
    if paper < 255:
        sheet = _sheet(pieces)
        image[sheet] = np.minimum(image[sheet], paper)
    return image


def _sheet(pieces: list[Piece]) -> tuple[slice, slice]:
    """Rows and columns of the pieces with a margin, within the white edge of the square."""
    x0, y0, x1, y1 = _extent(pieces)
    rows = slice(max(EDGE, round(y0) - _PAPER_MARGIN), min(SIZE - EDGE, round(y1) + _PAPER_MARGIN))
    return rows, slice(max(EDGE, round(x0) - _PAPER_MARGIN), min(SIZE - EDGE, round(x1) + _PAPER_MARGIN))


def _print_piece(image: Gray, cover: Gray, ink: Color) -> Gray:
    """Print a piece onto the picture."""
    import cv2

    alpha = np.repeat(255 - cover[:, :, None], 3, axis=2)
    x, y, width, height = cv2.boundingRect(alpha[:, :, 0])
    here = (slice(y, y + height), slice(x, x + width))
    below = cv2.multiply(image[here], 255 - alpha[here], scale=1 / 255)
    above = cv2.multiply(alpha[here], np.array([*ink, 0], np.float64), scale=1 / 255)
    image[here] = cv2.add(below, above)
    return image


generate: Generator[Content] = Generator("text", compose, draw, split_of_content)

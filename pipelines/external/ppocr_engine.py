"""PP-OCR in its child process: lines of a picture are found, cut out and read.

Imported by the child that :mod:`docai.pipelines.external.ppocr` asks.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external.letter_lines import lines_of_letters, with_ground
from docai.pipelines.external.letter_marks import has_unwritten_marks, is_of_unknown_letters
from docai.pipelines.external.ocr_letters import Letters, find_letters, measured_letter_height
from docai.pipelines.external.ocr_lines import (
    Quad,
    cut_out,
    is_long,
    join_tiles,
    middle_of,
    pieces_of,
    size_of,
    spans_of,
    to_picture,
    turned,
)
from docai.pipelines.external.ocr_words import Letter, cut_words

SEARCH_LETTER_PX: Final = 9.0
"""Height of letters in the picture in which lines are looked for."""

MAX_SEARCH_SCALE: Final = 3.0

UNMEASURED_SIDE_PX: Final = 1600
"""Longest side of that picture where no letters can be measured, as in photographs: one piece, see
:data:`TILE_PX`. A photograph of 1280 pixels is searched as it is, with the border that readers get."""

MIN_SIDE_PX: Final = 960
"""Longest side of that picture at least, where the picture has as much: print may be of any size beside
that which was measured."""

TILE_PX: Final = 1600
"""Longest side of the pieces in which that picture is searched: memory and time grow with the area."""

TILE_OVERLAP_PX: Final = 128
"""Pixels that two of them share, more than the height of usual lines."""

SIDE_STEP: Final = 32
"""Pixels: the network that looks for lines takes pictures of sides that are multiples of it."""

LINE_HEIGHT_PX: Final = 48
"""Height of the picture of a line that the recognizer reads."""

MIN_LINE_WIDTH_PX: Final = 200
"""Width up to which that picture is filled up. Of 600 drawn short words 17 come out wrong, and with the
engine's own value of 320 they are 24, which takes 1.45 times as long."""

_MIN_CONFIDENCE: Final = 0.3
"""Mean of the characters of a line; below it is no text."""

SEARCH_THRESHOLD, PHOTOGRAPH_SEARCH_THRESHOLD = 0.5, 0.3
"""The engine's own score of a box from which it holds a line; in a photograph letters are fainter."""

PHOTOGRAPH_SMOOTHING: Final = 0.7
"""Standard deviation, pixels, of the Gauss filter through which lines are looked for in a photograph. On 8
drawn street scenes of 69 words, F1 of words at their place is 0.690 with it, 0.509 with none, 0.636 with 1.0
and 0.604 with 1.4; without it 0.558 and 0.438 at scales of 0.9 and 0.8."""

PHOTOGRAPH_LINE, PHOTOGRAPH_WORD = 0.7, 0.6
"""Mean of a line, and confidence of a word, from which they are believed in a photograph: textures look like
letters."""

_DOUBTFUL: Final = 0.75
"""Below this mean a line may lie the other way round, and is turned."""

MIN_MISSED_LETTERS: Final = 5
"""Letters beside each other that no word covers, from which they are a line that was not found: fewer are
indices, bullets and signs of formulas."""

MAX_MISSED_SHARE: Final = 0.3
"""Share of the letters of a page that no word covers, above which the engine does not know them."""

MIN_MISSED_CONFIDENCE: Final = 0.7
"""Mean of the words of such a line from which it is text."""

MARKED_WORD: Final = 0.3
"""Confidence, at most, in a word with accents that it was not read with, on a page of such words."""

_SAMPLE_LINES: Final = 8
"""Lines of a page, spread over it, that tell whether its letters are known."""

_MAX_READ_STRANGE: Final = 0.25
"""Share of these that are read, up to which they are not."""

_UPRIGHT_RATIO, _LETTER_RATIO = 1.5, 3.0
"""Height of a box in its widths, from which it holds a line on its side or one narrow letter; from the second
one on no letter."""


class OcrWord(NamedTuple):
    """A word as PP-OCR reads it."""

    text: str
    box: BBox
    """Pixels, tight on its ink."""
    line: int
    """Counted over the picture, in the order of reading."""
    confidence: float
    """The engine's own, 0…1: the least of its characters."""
    after_space: bool = True
    """A space was read before it, or it begins its line; else it is cut off at a gap of the ink alone."""
    quarters: int = 0
    """Quarter turns clockwise, 0 to 3, by which its line is turned in the picture."""


def load() -> None:
    """The engine loads its networks, and what these need, when it first reads."""
    _read_letters(np.full((LINE_HEIGHT_PX, MIN_LINE_WIDTH_PX, 3), 255, np.uint8), 0.0)


def _threads() -> int:
    """Lines that are read at once; each takes up to 100 MB."""
    return min(4, os.cpu_count() or 1)


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    # Pictures come scaled and cut. Its own steps for that enlarge wide ones to 9,000 pixels, and its
    # classifier turns short lines over.
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.use_preprocess_img": False,
            "Global.use_vertical_padding": False,
            "Global.text_score": 0.0,
            "Det.limit_type": "max",
            "Det.limit_side_len": TILE_PX + TILE_OVERLAP_PX,
            "Rec.rec_img_shape": [3, LINE_HEIGHT_PX, MIN_LINE_WIDTH_PX],
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def read_page(picture: NDArray[np.uint8], letter_height: float | None) -> list[OcrWord]:
    """The words of an RGB picture ``(H, W, 3)`` line by line, as :func:`.ppocr.read_words` gives them."""
    letters: Letters | None = None
    if letter_height is None:
        import cv2

        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        letters = find_letters(gray)
        letter_height = measured_letter_height(gray, letters)
        if letter_height is None:
            return _read_photograph(picture)
    side = max(picture.shape[:2])
    scale = min(max(SEARCH_LETTER_PX / letter_height, min(1.0, MIN_SIDE_PX / side)), MAX_SEARCH_SCALE)
    words = _read_lines(picture, scale, SEARCH_THRESHOLD, _MIN_CONFIDENCE)
    if letters is None:
        return words
    words += _missed_words(picture, letters, letter_height, words)
    has_marks = has_unwritten_marks(letters, [(word.text, word.box) for word in words])
    if not is_of_unknown_letters(has_marks):
        return words
    return [
        word._replace(confidence=min(word.confidence, MARKED_WORD)) if marked else word
        for word, marked in zip(words, has_marks, strict=True)
    ]


def _missed_words(
    picture: NDArray[np.uint8], letters: Letters, letter_height: float, words: Sequence[OcrWord]
) -> list[OcrWord]:
    """Words of lines that the engine did not find, such as some with exponents and subscripts; of a page
    most of which it does not read there are none."""
    missed = lines_of_letters(letters.boxes, [word.box for word in words], letter_height)
    long = [(box, count) for box, count in missed if count >= MIN_MISSED_LETTERS]
    if sum(count for _, count in missed) > MAX_MISSED_SHARE * len(letters.boxes):
        return []
    boxes = [with_ground(box) for box, _ in long]
    first_line = 1 + max((word.line for word in words), default=-1)
    found: list[OcrWord] = []
    for number, line in enumerate(read_given(picture, boxes) if boxes else []):
        if sum(word.confidence for word in line) >= MIN_MISSED_CONFIDENCE * max(1, len(line)):
            found += [word._replace(line=first_line + number) for word in line]
    return found


def _read_photograph(picture: NDArray[np.uint8]) -> list[OcrWord]:
    """Words of a picture whose letters cannot be measured; most such pictures have few, or none."""
    scale = min(1.0, UNMEASURED_SIDE_PX / max(picture.shape[:2]))
    words = _read_lines(
        picture, scale, PHOTOGRAPH_SEARCH_THRESHOLD, PHOTOGRAPH_LINE, smoothing=PHOTOGRAPH_SMOOTHING
    )
    believed = [word for word in words if word.confidence >= PHOTOGRAPH_WORD]
    # A post, an edge or a wheel alone is read as one letter.
    lengths: Counter[int] = Counter()
    for word in believed:
        lengths[word.line] += len(word.text)
    return [word for word in believed if lengths[word.line] > 1]


def _read_lines(
    picture: NDArray[np.uint8],
    scale: float,
    threshold: float,
    min_confidence: float,
    *,
    smoothing: float = 0.0,
) -> list[OcrWord]:
    """The words of the lines that are found in the picture when it is scaled."""
    # The networks were trained on pictures as OpenCV reads them.
    blue_first = np.ascontiguousarray(picture[:, :, ::-1])
    readings = _read_each(blue_first, _find_lines(blue_first, scale, threshold, smoothing))
    return [
        word._replace(line=number)
        for number, (mean, words) in enumerate(readings)
        for word in words
        if mean >= min_confidence
    ]


def read_given(picture: NDArray[np.uint8], boxes: Sequence[BBox]) -> list[list[OcrWord]]:
    """The words of lines that somebody else has found, as :func:`.ppocr.read_lines` gives them."""
    lines = [np.asarray([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32) for x0, y0, x1, y1 in boxes]
    readings = _read_each(np.ascontiguousarray(picture[:, :, ::-1]), lines)
    return [
        [word._replace(line=number) for word in words] if mean >= _MIN_CONFIDENCE else []
        for number, (mean, words) in enumerate(readings)
    ]


def _read_each(picture: NDArray[np.uint8], lines: Sequence[Quad]) -> list[tuple[float, list[OcrWord]]]:
    """The mean confidence of the characters of each line, and its words."""
    level = [line for line in lines if not _is_on_side(line)]
    found: list[tuple[float, list[OcrWord]]] = []
    likely = (1, 3)
    # A line for each thread is faster than several threads for each operation of the network.
    with ThreadPoolExecutor(_threads()) as pool:
        readings = iter(_read_level(picture, level, pool))
        for line in lines:
            if _is_on_side(line):
                mean, quarters, words = _read_line(picture, line, likely)
                if mean >= _DOUBTFUL and quarters in likely:
                    likely = (quarters, 4 - quarters)
            else:
                mean, quarters, words = next(readings)
            found.append((mean, words))
    return found


def _read_level(
    picture: NDArray[np.uint8], lines: Sequence[Quad], pool: ThreadPoolExecutor
) -> list[tuple[float, int, list[OcrWord]]]:
    """Lines as :func:`_read_line` reads them; of many, some tell whether the rest is worth that."""
    step = max(1, len(lines) // _SAMPLE_LINES)
    first = pool.map(partial(_read_line, picture), lines[::step])
    known = dict(zip(range(0, len(lines), step), first, strict=True))
    n_read = sum(mean >= _DOUBTFUL for mean, _, _ in known.values())
    is_strange = step > 1 and n_read <= _MAX_READ_STRANGE * len(known)
    read = partial(_read_strange_line if is_strange else _read_line, picture)
    rest = [index for index in range(len(lines)) if index not in known]
    known.update(zip(rest, pool.map(read, [lines[index] for index in rest]), strict=True))
    return [known[index] for index in range(len(lines))]


def _is_on_side(line: Quad) -> bool:
    """Whether a line runs from top to bottom or back, or holds a single narrow letter."""
    wide, high = size_of(line)
    return high >= _UPRIGHT_RATIO * wide


def _find_lines(
    picture: NDArray[np.uint8], scale: float, threshold: float, smoothing: float = 0.0
) -> list[Quad]:
    """The lines of a picture, pixels of it, from the top; they are searched in tiles of a scaled one."""
    import cv2

    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
    found: list[tuple[tuple[float, float], Quad]] = []
    for y0, y1 in spans_of(scaled.shape[0], TILE_PX, TILE_OVERLAP_PX):
        for x0, x1 in spans_of(scaled.shape[1], TILE_PX, TILE_OVERLAP_PX):
            tile = np.ascontiguousarray(scaled[y0:y1, x0:x1])
            if smoothing:
                tile = _smoothed(tile, smoothing)
            answer = _engine()(tile, use_det=True, use_cls=False, use_rec=False, box_thresh=threshold)
            found += [
                ((x0, y0), np.asarray(box, np.float32))
                for box in (() if answer.boxes is None else answer.boxes)
            ]
    return [quad / np.float32(scale) for quad in join_tiles(found)]


def _smoothed(tile: NDArray[np.uint8], smoothing: float) -> NDArray[np.uint8]:
    """A tile without the grain of a photograph, which hides small letters; filled up so that it is not
    resampled, which would do as much, more or less by chance."""
    import cv2

    down, right = (-side % SIDE_STEP for side in tile.shape[:2])
    filled = cv2.copyMakeBorder(tile, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), smoothing), np.uint8)


def _read_line(
    picture: NDArray[np.uint8], quad: Quad, likely: Sequence[int] = (1, 3)
) -> tuple[float, int, list[OcrWord]]:
    """One line, turned as it is read best.

    Args:
        likely: of a line on its side, the quarter turns clockwise to try, first that of the lines before it.

    Returns:
        The mean confidence of its characters, the quarters by which it is turned, and its words.
    """
    wide, high = size_of(quad)
    ways: tuple[int, ...] = (0, 2)
    if _is_on_side(quad):
        # The box may hold one narrow letter that stands, such as the figure one.
        ways = (*likely, 0) if high < _LETTER_RATIO * wide else tuple(likely)
    best: tuple[float, int, list[OcrWord]] = (0.0, ways[0], [])
    for way in ways:
        if way != ways[0] and is_long(quad) and _middle_mean(picture, quad, way) < _DOUBTFUL:
            continue
        mean, words = _read_way(picture, quad, way)
        best = max(best, (mean, way, words), key=lambda reading: reading[0])
        if best[0] >= _DOUBTFUL:
            break
    return best


def _read_strange_line(picture: NDArray[np.uint8], quad: Quad) -> tuple[float, int, list[OcrWord]]:
    """A line of a page most of which is in letters that are not known: only what is is read in full."""
    if is_long(quad) and (mean := _middle_mean(picture, quad, 0)) < _MIN_CONFIDENCE:
        return mean, 0, []
    return _read_line(picture, quad)


def _middle_mean(picture: NDArray[np.uint8], quad: Quad, quarters: int) -> float:
    """The mean confidence of the characters in the middle of a line that is turned by so many quarters."""
    return _read_way(picture, middle_of(turned(quad, quarters)), 0)[0]


def _read_way(picture: NDArray[np.uint8], quad: Quad, quarters: int) -> tuple[float, list[OcrWord]]:
    """The words of a line that is turned clockwise by so many quarters, after their characters' mean."""
    line, back = cut_out(picture, turned(quad, quarters), LINE_HEIGHT_PX)
    letters: list[Letter] = []
    for x0, x1 in pieces_of(line):
        letters += _read_letters(np.ascontiguousarray(line[:, x0:x1]), x0)
    if not letters:
        return 0.0, []
    words = [
        OcrWord(word.text, to_picture(word.box, back), 0, word.confidence, word.after_space, quarters)
        for word in cut_words(letters, line)
    ]
    return sum(letter.confidence for letter in letters) / len(letters), words


def _read_letters(line: NDArray[np.uint8], x0: float) -> list[Letter]:
    """The characters of a picture of a line; ``x0`` is where it begins."""
    result = _engine()(line, use_det=False, use_cls=False, use_rec=True, return_word_box=True)
    if not result.txts or not result.txts[0].strip():
        return []
    text, columns = result.txts[0], result.word_results[0]
    step = line.shape[1] / max(columns.line_txt_len, 1e-6)
    places = iter([column for word in columns.word_cols for column in word])
    letters = []
    after_space = False
    for character, confidence in zip(text, columns.confs, strict=True):
        if character.isspace():
            after_space = True
            continue
        letters.append(Letter(character, x0 + (next(places) + 0.5) * step, float(confidence), after_space))
        after_space = False
    return letters

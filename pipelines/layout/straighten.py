"""How a scanned page lies, and the page seen straight.

Quarter turns are told by the words of its invisible text layer, else by how its letters stand to each other;
whether it is upside down by the letters that reach above the others and below them, and where these leave it
open by an OCR engine, which reads each line one way well and the other not. Skew is told by where the lower
edges of letters fall, and a sheet in a photograph by its outline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast
from weakref import WeakKeyDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.external.ocr_letters import is_photograph
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.ingest.straight import Matrix, Straightening, StraightPage, turned, upside_down
from docai.pipelines.layout import deskew
from docai.pipelines.layout.light import SIDE as LIGHT_SIDE
from docai.pipelines.layout.light import find_light
from docai.pipelines.layout.origin import sources_of
from docai.pipelines.layout.picture import gray_page
from docai.pipelines.layout.sheet import find_sheet
from docai.pipelines.layout.types import SeenWord, quarter_turn
from docai.pipelines.pixels import Gray, binarize, even_out, parts_of
from docai.pipelines.tracing.score.page_staves import level_staves

MIN_SKEW: Final = 0.3
"""Degrees from which a page is rotated: less moves the ends of a line of A4 by a third of its height, which
layout and readers stand."""

MIN_LETTERS: Final = 20
"""Groups of ink of the size of letters from which a page has a direction of text."""

MIN_LETTERS_ASKEW: Final = 60
"""From which it can be askew: the labels of a drawing stand where its lines lead, which are seldom level."""

SURE: Final = 0.8
"""Confidence of an OCR engine in a word that it reads surely."""

MIN_SURE_LETTERS: Final = 12
"""In such words, from which they tell anything."""

MIN_BETTER: Final = 2.0
"""How many times as many letters must be read surely the other way up."""

Picture = TypeVar("Picture", Gray, NDArray[np.float32])

SeeWords = Callable[[Page], Sequence[SeenWord]]
"""An OCR engine: the words that it reads on a page, boxes tight on the ink, page points. Of each line
it tries which way it is read best, and says so by the angle of its words."""


@dataclass(frozen=True)
class Pose:
    """How a page lies."""

    straightening: Straightening | None = None
    """None: as it should."""
    is_doubtful: bool = False
    """It may be upside down."""
    skew: float | None = None
    """Degrees clockwise by which the lines of a page are turned that lies as it should; None: unknown."""


def straight_page(page: Page, *, use_text_layer: bool = True, see_words: SeeWords | None = None) -> Page:
    """A scanned page seen straight and in even light; the page itself where it is so, or is no scan.

    Args:
        use_text_layer: the words of an invisible text layer may tell how it lies.
        see_words: asked where it may be upside down.

    Raises:
        TooManyPixelsError, DamagedSourceError: as ``Page.words`` and ``Page.render``.
    """
    pose = page.inside(find_pose, use_text_layer)
    chosen = page if pose.straightening is None else StraightPage(page, pose.straightening)
    if pose.skew is not None:
        _SKEWS[chosen] = pose.skew
    if not pose.is_doubtful or see_words is None:
        return chosen
    seen = see_words(chosen)
    sure, over = _read_surely(seen, 0), _read_surely(seen, 2)
    if over >= max(MIN_SURE_LETTERS, MIN_BETTER * sure):
        # Where it reads few of the letters either way, as of other scripts, those few tell.
        return _upside_down(page, pose.straightening)
    if pose.straightening is None or sure >= MIN_SURE_LETTERS:
        return chosen
    if pose.straightening.turn % 2:
        # Nothing is read either way: what seemed letters on their side may be a drawing.
        return _back(page, pose.straightening)
    if pose.straightening.turn == 2 and seen:
        # A script that the engine does not know, whose letters need not reach up more often than down.
        return _upside_down(page, pose.straightening)
    return chosen


_SKEWS: WeakKeyDictionary[Page, float] = WeakKeyDictionary()


def known_skew(page: Page) -> float | None:
    """Degrees clockwise by which the lines of a page are turned for which :func:`straight_page` found that it
    lies as it should; None where nobody measured that."""
    return _SKEWS.get(page)


def find_pose(page: Page, use_text_layer: bool) -> Pose:
    """How a page lies, for :meth:`~docai.pipelines.ingest.page.Page.inside`."""
    words, origin, is_read_from_pixels = sources_of(page, use_text_layer)
    if origin != "scan" or not is_read_from_pixels:
        return Pose()
    displayed, scale = gray_page(page)
    matrix: Matrix = np.diag([scale, scale, 1.0])
    gray, light = _in_even_light(displayed)
    # The edge of a shadow is none of a sheet.
    corners = find_sheet(gray)
    if corners is not None:
        flat = _flattening(corners)
        gray, light = _in_even_light(_warped(displayed, flat, _sheet_size(corners)))
        matrix = flat @ matrix
    as_it_lies = _turned_in_light(page, 0, light)
    if corners is None and is_photograph(gray):
        # The edges of things in a photograph tell nothing of how its few words lie.
        return Pose()
    ink = binarize(gray)
    n_letters = count_letters(ink)
    if n_letters < MIN_LETTERS:
        return Pose(None if corners is not None else as_it_lies)
    turn = turn_of_words(page, words)
    is_known = turn is not None
    if turn is None:
        turn = 1 if deskew.is_rotated_90(ink) and not level_staves(gray) else 0
    turned_ink = np.ascontiguousarray(np.rot90(ink, -turn))
    skew = measured = deskew.skew_angle(turned_ink)
    if abs(skew) < MIN_SKEW or n_letters < MIN_LETTERS_ASKEW:
        skew = 0.0
    if not is_known:
        level = _level(turned_ink, skew)
        votes = deskew.upright_votes(level)
        if votes.is_upside_down and level_staves(np.ascontiguousarray(np.rot90(gray, -turn))):
            # Stems reach up and down as letters do, and tell nothing: the OCR engine is asked.
            votes = deskew.UprightVotes(0, 0)
        if votes.is_upside_down:
            turn += 2
    is_doubtful = not is_known and not (votes.is_upright and turn == 0)
    if corners is None and not skew:
        return Pose(_turned_in_light(page, turn, light), is_doubtful, None if turn else measured)
    paper = round(
        float(np.percentile(gray[:: max(1, gray.shape[0] // 200), :: max(1, gray.shape[1] // 200)], 90))
    )
    height, width = gray.shape
    rotation, size = _rotation(width, height, turn, skew)
    to_points: Matrix = np.diag([1 / scale, 1 / scale, 1.0])
    straightening = Straightening(
        to_points @ rotation @ matrix,
        (size[0] / scale, size[1] / scale),
        turn,
        skew,
        corners is not None,
        paper,
        None if light is None else _small(_warped(light, rotation, (round(size[0]), round(size[1])))),
    )
    return Pose(straightening, is_doubtful)


def turn_of_words(page: Page, words: Sequence[PageWord]) -> int | None:
    """Quarters that set a scan upright, by the direction of the words of its text layer; None without."""
    # Imported here, since PyMuPDF loads its layout model on import, which takes a second.
    from docai.pipelines.layout.digital import MIN_WORDS_TO_MEASURE, text_turn

    if page.pdf is None or len(words) < MIN_WORDS_TO_MEASURE:
        return None
    return text_turn(page.pdf)


def _n_letters(words: Sequence[SeenWord]) -> int:
    return sum(len(seen.word.text) for seen in words)


def _read_surely(words: Sequence[SeenWord], quarters: int) -> int:
    """Letters in words that the engine reads surely and that are turned clockwise by so many quarters."""
    return _n_letters(
        [one for one in words if one.confidence >= SURE and quarter_turn(one.word.angle) == quarters]
    )


def _upside_down(page: Page, straightening: Straightening | None) -> Page:
    """The page seen the other way up: itself where that undoes all."""
    if straightening is None:
        return StraightPage(page, turned(page.width, page.height, 2))
    over = upside_down(straightening)
    if over.light is None and not over.turn and over.is_turned_only:
        return page
    return StraightPage(page, over)


def _back(page: Page, straightening: Straightening) -> Page:
    """The page as it lies: in even light alone."""
    light = straightening.light
    if light is None or not straightening.is_turned_only:
        return page
    light = np.ascontiguousarray(np.rot90(light, straightening.turn))
    return StraightPage(page, turned(page.width, page.height, 0)._replace(light=light))


def _in_even_light(gray: Gray) -> tuple[Gray, NDArray[np.float32] | None]:
    """The picture in even light, and the light that was on each of its pixels; None where it was even."""
    found = find_light(gray)
    if found is None:
        return gray, None
    light = cv2.resize(found, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    return even_out(gray, np.asarray(light, np.float32)), np.asarray(light, np.float32)


def _turned_in_light(page: Page, turn: int, light: NDArray[np.float32] | None) -> Straightening | None:
    """That of a page turned by quarters, seen in even light; None where nothing is to be done.

    Args:
        light: of each pixel of a picture of the page as it lies; None where it is even.
    """
    if not turn and light is None:
        return None
    straightening = turned(page.width, page.height, turn)
    if light is None:
        return straightening
    return straightening._replace(light=_small(np.ascontiguousarray(np.rot90(light, -turn))))


def _small(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light changes gently: a small picture of it does."""
    scale = min(1.0, LIGHT_SIDE / max(light.shape))
    size = tuple(max(1, round(scale * side)) for side in light.shape[::-1])
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)


def count_letters(ink: Gray) -> int:
    """Parts of the ink that have the size of letters, at the resolution of layout."""
    parts = parts_of(ink)
    letters = (parts.heights >= 4) & (parts.heights <= 80) & (parts.widths >= 2) & (parts.widths <= 120)
    return int((letters & (parts.areas >= 8)).sum())


def _level(ink: Gray, skew: float) -> Gray:
    """The ink rotated so that lines are level."""
    if not skew:
        return ink
    height, width = ink.shape
    matrix = deskew.turn_matrix(width, height, skew)
    return np.asarray(cv2.warpAffine(ink, matrix, (width, height), flags=cv2.INTER_NEAREST))


def _rotation(width: int, height: int, turn: int, skew: float) -> tuple[Matrix, tuple[float, float]]:
    """3 x 3 that sets a picture upright and level, and the size in which all of it is seen; pixels."""
    quarters = turned(width, height, turn)
    wide, high = quarters.size
    matrix = np.vstack([deskew.turn_matrix(wide, high, skew), [0.0, 0.0, 1.0]])
    angle = np.radians(abs(skew))
    size = (
        float(wide * np.cos(angle) + high * np.sin(angle)),
        float(wide * np.sin(angle) + high * np.cos(angle)),
    )
    shift = np.array([[1, 0, (size[0] - wide) / 2], [0, 1, (size[1] - high) / 2], [0, 0, 1]])
    return shift @ matrix @ quarters.matrix, size


def _sheet_size(corners: NDArray[np.float64]) -> tuple[int, int]:
    """Width and height of a sheet: the longer of two opposite sides, which is the nearer one."""
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    return max(1, round(max(sides[0], sides[2]))), max(1, round(max(sides[1], sides[3])))


def _flattening(corners: NDArray[np.float64]) -> Matrix:
    """3 x 3 that maps the corners (4, 2) of a sheet to those of its own picture."""
    width, height = _sheet_size(corners)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), target), np.float64)


def _warped(picture: Picture, matrix: Matrix, size: tuple[int, int]) -> Picture:
    return cast(
        Picture,
        cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
    )

"""A page seen straight: turned upright, without skew, flat where it was photographed at an angle, evenly lit.

All steps after ingest work on such a page as on any other, and what they find is moved back at the end, by
:meth:`StraightPage.to_displayed`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.geometry import BBox, TurnedFrame, clip, union
from docai.pipelines.ingest.page import Page, PageWord
from docai.pipelines.pixels import even_out

Matrix = NDArray[np.float64]

P = ParamSpec("P")

R = TypeVar("R")

_CLOCKWISE = {1: Image.Transpose.ROTATE_270, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_90}
"""Pillow's names of quarter turns clockwise; its own go counterclockwise."""

_MAX_ENLARGED = 4.0
"""Pixels of the displayed page per pixel of the straight one: the far edge of a photographed sheet."""


class Straightening(NamedTuple):
    """How to see a page straight."""

    matrix: Matrix
    """3 x 3: points of the displayed page to points of the straight one."""
    size: tuple[float, float]
    """Width and height of the straight page, points."""
    turn: int = 0
    """Quarters clockwise (0 to 3) that set its text upright."""
    skew: float = 0.0
    """Degrees clockwise by which its lines are turned besides."""
    is_sheet: bool = False
    """It is a sheet that lies in the picture, of which only the sheet is seen."""
    paper: int = 255
    """Gray level of what is beyond the page."""
    light: NDArray[np.float32] | None = None
    """Over the straight page, (height, width) of any size: the light on it, as shares of the brightest; None
    where it is even."""

    @property
    def is_turned_only(self) -> bool:
        """Its sides are those of the displayed page: no pixel need be resampled."""
        return not self.skew and not self.is_sheet

    def describe(self) -> str:
        """What was done to its position, in words; empty where it lies as it should."""
        done = []
        if self.is_sheet:
            done.append("cut out as a sheet in the picture and made flat")
        if self.turn:
            done.append({1: "turned right", 2: "turned upside down", 3: "turned left"}[self.turn])
        if self.skew:
            done.append(f"rotated by {-self.skew:.1f}°")
        return " and ".join(done)


def turned(width: float, height: float, turn: int) -> Straightening:
    """That of a page of ``width`` by ``height`` points which is turned by quarters alone."""
    frame = TurnedFrame(width, height, turn)
    return Straightening(_turn_matrix(frame), frame.size, turn)


def upside_down(straightening: Straightening) -> Straightening:
    """How to see the page the other way up."""
    over = turned(*straightening.size, 2)
    light = straightening.light
    return straightening._replace(
        matrix=over.matrix @ straightening.matrix,
        turn=(straightening.turn + 2) % 4,
        light=None if light is None else np.ascontiguousarray(light[::-1, ::-1]),
    )


class StraightPage(Page):
    """Another page, seen straight. Its points are its own; see :class:`Page` for the rest.

    It is a picture: :attr:`pdf` is None, and words of an invisible text layer are moved with it.
    """

    is_straight = True

    def __init__(self, page: Page, straightening: Straightening) -> None:
        super().__init__(page._source, page._limits)
        self.displayed = page
        self.straightening = straightening
        self.number, self.rotation, self.dpi = page.number, page.rotation, page.dpi
        self.width, self.height = straightening.size
        self._turned = TurnedFrame(page.width, page.height, straightening.turn)
        self._forward = straightening.matrix
        self._back: Matrix = np.asarray(np.linalg.inv(self._forward), np.float64)

    @property
    def image_size(self) -> tuple[int, int] | None:
        return self.displayed.image_size

    def words(self) -> list[PageWord]:
        quarters = 90 * self.straightening.turn
        words = []
        for word in self.displayed.words():
            box = self._moved_size(word.bbox)
            if box[2] > 0 and box[3] > 0 and box[0] < self.width and box[1] < self.height:
                angle = (word.angle + quarters) % 360
                words.append(word._replace(bbox=clip(box, self.width, self.height), angle=angle))
        return words

    def native_scale(self, bbox: BBox) -> float:
        return self.displayed.native_scale(self.to_displayed(bbox)) * self._enlarged(bbox)

    def inside(self, function: Callable[Concatenate[Page, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.displayed.inside(_on_straight_page, self.straightening, function, args, kwargs)

    def release(self) -> None:
        self.displayed.release()

    def outline(self, box: BBox) -> tuple[tuple[float, float], ...]:
        """The corners of a box on the displayed page, clockwise from the one that is its top left here."""
        return tuple((float(x), float(y)) for x, y in _moved(self._back, _corners(box)))

    def to_displayed(self, box: BBox) -> BBox:
        """The box around that on the displayed page."""
        around = union([(x, y, x, y) for x, y in self.outline(box)])
        return clip(around, self.displayed.width, self.displayed.height)

    def from_displayed(self, box: BBox) -> BBox:
        """The box here around one of the displayed page."""
        around = union(
            [(float(x), float(y), float(x), float(y)) for x, y in _moved(self._forward, _corners(box))]
        )
        return clip(around, self.width, self.height)

    def _moved_size(self, box: BBox) -> BBox:
        """A box of the displayed page here: its center moves and its sides stay, as a slanted line has boxes
        of words as high as its letters where the OCR program knew of the slant."""
        if self.straightening.is_turned_only:
            return self._turned.from_page(box)
        x0, y0, x1, y1 = box
        ((x, y),) = _moved(self._forward, np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]))
        wide, high = (x1 - x0) / 2, (y1 - y0) / 2
        if self.straightening.turn % 2:
            wide, high = high, wide
        return float(x - wide), float(y - high), float(x + wide), float(y + high)

    def _enlarged(self, bbox: BBox) -> float:
        """Points of the displayed page for one of the straight page, near the middle of a box."""
        x, y = (bbox[0] + bbox[2]) / 2, (bbox[1] + bbox[3]) / 2
        (px, py), (ax, ay), (bx, by) = _moved(self._back, np.array([[x, y], [x + 1, y], [x, y + 1]]))
        area = abs((ax - px) * (by - py) - (ay - py) * (bx - px))
        return float(min(max(math.sqrt(area), 1 / _MAX_ENLARGED), _MAX_ENLARGED))

    def _raster(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Image.Image:
        window = (x0, y0, x0 + size[0] / scale, y0 + size[1] / scale)
        if self.straightening.is_turned_only:
            picture = self._turned_picture(window, scale, size)
        else:
            picture = self._warped_picture(window, scale, size)
        light = self._light(x0, y0, scale, size)
        return picture if light is None else Image.fromarray(even_out(np.asarray(picture), light), "RGB")

    def _light(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> NDArray[np.float32] | None:
        """The light on each pixel of a picture of ``size`` (width, height), as shares of the brightest."""
        import cv2

        light = self.straightening.light
        if light is None:
            return None
        rows, columns = light.shape
        across, down = columns / self.width, rows / self.height
        # From pixels of the picture to those of the light; OpenCV counts centers.
        matrix = np.array(
            [
                [across / scale, 0, (x0 + 0.5 / scale) * across - 0.5],
                [0, down / scale, (y0 + 0.5 / scale) * down - 0.5],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        lit = cv2.warpAffine(light, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(lit, np.float32)

    def _turned_picture(self, window: BBox, scale: float, size: tuple[int, int]) -> Image.Image:
        """A picture of a page that is turned by quarters alone: no pixel is resampled twice."""
        turn = self.straightening.turn
        x0, y0 = self._turned.to_page(window)[:2]
        sides = size if turn % 2 == 0 else (size[1], size[0])
        picture = self.displayed._raster(x0, y0, scale, sides)
        return picture.transpose(_CLOCKWISE[turn]) if turn else picture

    def _warped_picture(self, window: BBox, scale: float, size: tuple[int, int]) -> Image.Image:
        import cv2

        around = union([(x, y, x, y) for x, y in self.outline(window)])
        # One more point on each side, for the interpolation at the edges.
        around = clip((around[0] - 1, around[1] - 1, around[2] + 1, around[3] + 1), *self._displayed_size)
        if around[2] - around[0] < 1 or around[3] - around[1] < 1:
            return Image.new("RGB", size, "white")
        source_scale = self.displayed.fit_scale(scale / self._enlarged(window), around)
        source = np.asarray(self.displayed.render(around, scale=source_scale))
        # From pixels of the picture to pixels of the source; edges of pixels, while OpenCV counts centers.
        to_page = np.array([[1 / scale, 0, window[0]], [0, 1 / scale, window[1]], [0, 0, 1]])
        to_source = np.array(
            [
                [source_scale, 0, -around[0] * source_scale],
                [0, source_scale, -around[1] * source_scale],
                [0, 0, 1],
            ]
        )
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        matrix = np.linalg.inv(half) @ to_source @ self._back @ to_page @ half
        picture = cv2.warpPerspective(
            source,
            matrix,
            size,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(self.straightening.paper,) * 3,
        )
        return Image.fromarray(np.asarray(picture, np.uint8), "RGB")

    @property
    def _displayed_size(self) -> tuple[float, float]:
        return self.displayed.width, self.displayed.height


def _on_straight_page(
    page: Page,
    straightening: Straightening,
    function: Callable[..., R],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> R:
    """What :meth:`StraightPage.inside` calls in the process of the page."""
    return function(StraightPage(page, straightening), *args, **kwargs)


def _turn_matrix(frame: TurnedFrame) -> Matrix:
    """3 x 3: points of a displayed page to points of the turned one."""
    corner, right, below = (
        frame.from_page((x, y, x, y))[:2] for x, y in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    return np.array(
        [
            [right[0] - corner[0], below[0] - corner[0], corner[0]],
            [right[1] - corner[1], below[1] - corner[1], corner[1]],
            [0.0, 0.0, 1.0],
        ]
    )


def _corners(box: BBox) -> Matrix:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def _moved(matrix: Matrix, points: Matrix) -> Matrix:
    """Points (n, 2) under a 3 x 3 matrix."""
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])

"""Pages of image files, read with Pillow: one page, or one for each frame of a TIFF."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import ExifTags, Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from docai.errors import DamagedSourceError, TooManyPixelsError
from docai.geometry import BBox, PageTransform, clip
from docai.limits import Limits, raise_limit
from docai.pipelines.ingest.page import Page, PageWord

_DPI_RANGE: Final = (50.0, 2400.0)
"""Dots per inch; values outside are placeholders written by software, not measurements."""

_MAX_PIXEL_ASPECT: Final = 1.05
"""Ratio of the two resolutions above which pixels are not square (fax: 204 x 98 dpi)."""

_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that sets each EXIF orientation upright (EXIF 2.32, tag 0x0112)."""

_CLOCKWISE: Final = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
"""Degrees clockwise of that transposition; 0 for the other orientations."""

_PILLOW_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's decoders were seen to raise on damaged files."""


@contextmanager
def _own_limit() -> Iterator[None]:
    """Replace Pillow's own limit, which is one number for the whole process, by ``Limits.max_pixels``, and
    keep its warnings about odd metadata off the terminal."""
    guard = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = guard


class ImageFile:
    """An open image file; closed by :meth:`close`."""

    repaired = False

    def __init__(self, data: Path | bytes, kind: str, *, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._kind = kind
        self._file: BinaryIO = BytesIO(data) if isinstance(data, bytes) else data.open("rb")
        try:
            with _own_limit(), _damage_named(name):
                self._image = Image.open(self._file, formats=[kind.upper()])
            # Animations and the previews of phone cameras have several frames too, which are not pages.
            self.n_pages = self._count_frames() if kind == "tiff" else 1
            if self.n_pages == 1:
                self._check(1)
        except BaseException:
            self._file.close()
            raise

    def page(self, number: int) -> ImagePage:
        return ImagePage(self, number, source=self._name, limits=self._limits)

    def seek(self, number: int) -> Image.Image:
        """The image at the frame of that page, with its size checked and not decoded yet."""
        if self._file.closed:
            raise ValueError(f"page {number} of {self._name} was used after its source was closed")
        with _own_limit(), _damage_named(self._name, number):
            if self.n_pages > 1:
                self._image.seek(number - 1)
        self._check(number)
        return self._image

    def decode(self, number: int) -> Image.Image:
        """The frame of that page, upright, in mode L or RGB, on white, with square pixels."""
        image = self.seek(number)
        with _own_limit(), _damage_named(self._name, number):
            if self.n_pages == 1:
                # A second handle, so that its pixels are freed once they are copied.
                image = Image.open(self._file, formats=[self._kind.upper()])
            dpi_x, dpi_y = _resolution(image)
            # Before the tags: Pillow decodes a PNG to find them, and would keep its damage to itself.
            image.load()
            turn = _orientation(image)
            flat = flatten(image)
            if flat is image:
                flat = image.copy()
            if turn in _TRANSPOSE:
                flat = flat.transpose(_TRANSPOSE[turn])
            size = _square_pixels(flat.size, dpi_x, dpi_y, swapped=turn >= 5)
            return flat if size == flat.size else flat.resize(size, Image.Resampling.BICUBIC)

    def close(self) -> None:
        self._image.close()
        self._file.close()

    def _count_frames(self) -> int:
        """Frames up to the first that cannot be reached: a truncated file keeps its first pages."""
        n_frames = 0
        with _own_limit():
            try:
                while True:
                    self._image.seek(n_frames)
                    n_frames += 1
            except _PILLOW_ERRORS:
                if n_frames == 0:
                    raise
            self._image.seek(0)
        return n_frames

    def _check(self, number: int) -> None:
        width, height = self._image.size
        most = self._limits.max_pixels
        if most is not None and width * height > most:
            what = f"Page {number} of {self._name}" if self.n_pages > 1 else self._name
            raise TooManyPixelsError(
                f"{what} has {width} x {height} pixels, more than the limit of {most:,}: scale it down or "
                f"{raise_limit('max_pixels')}.",
                source=self._name,
            )


class ImagePage(Page):
    """See :class:`Page`."""

    def __init__(self, file: ImageFile, number: int, *, source: str, limits: Limits) -> None:
        super().__init__(source, limits)
        self._file = file
        self.number = number
        image = file.seek(number)
        with _own_limit(), _damage_named(source, number):
            turn = _orientation(image)
            dpi_x, dpi_y = _resolution(image)
            size = image.size
        if turn >= 5:
            size = size[1], size[0]
        self._size = _square_pixels(size, dpi_x, dpi_y, swapped=turn >= 5)
        self.rotation = _CLOCKWISE.get(turn, 0)
        self.dpi = max(dpi_x, dpi_y)
        self.width, self.height = (side * 72 / self.dpi for side in self._size)
        self._decoded: Image.Image | None = None

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height as displayed; pixels that are not square (fax) are resampled."""
        return self._size

    def words(self) -> list[PageWord]:
        return []

    def native_scale(self, bbox: BBox) -> float:
        return self.dpi / 72

    def release(self) -> None:
        self._decoded = None

    def _raster(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Image.Image:
        if self._decoded is None:
            self._decoded = self._file.decode(self.number)
        image = self._decoded
        picture, file = PageTransform(x0, y0, scale), PageTransform(0, 0, self.dpi / 72)
        # The edges of the page in pixels of the picture; what is outside them stays white.
        page_x0, page_y0, page_x1, page_y1 = (round(edge) for edge in picture.to_pixels(self.bbox))
        left, top, right, bottom = (
            max(0, page_x0),
            max(0, page_y0),
            min(size[0], page_x1),
            min(size[1], page_y1),
        )
        if right <= left or bottom <= top:
            return Image.new("RGB", size, "white")
        box = clip(file.to_pixels(picture.to_page((left, top, right, bottom))), image.width, image.height)
        filter_ = Image.Resampling.LANCZOS if scale < file.scale else Image.Resampling.BICUBIC
        part = image.resize((right - left, bottom - top), filter_, box=box).convert("RGB")
        if part.size == size:
            return part
        canvas = Image.new("RGB", size, "white")
        canvas.paste(part, (left, top))
        return canvas


def flatten(image: Image.Image) -> Image.Image:
    """Any image in mode L or RGB: transparency on white, 16 bits scaled to 8, CMYK by its color profile."""
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bit(image)
    if image.has_transparency_data:
        colors = image.convert("RGBA")
        white = Image.new("RGBA", colors.size, "white")
        return Image.alpha_composite(white, colors).convert("RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return _convert_profile(image, lab, srgb)
    if image.mode == "CMYK" and "icc_profile" in image.info:
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
            return _convert_profile(image, profile, ImageCms.createProfile("sRGB"))
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB")
    return image.convert("RGB")


def _convert_profile(image: Image.Image, source: Any, target: Any) -> Image.Image:
    result = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    if result is None:
        raise OSError("the color profile gave no image")
    return result


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float gray as 8-bit gray; Pillow's own conversion clips at 255."""
    values = np.asarray(image).astype(np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = _white_level(image, float(values.max(initial=0.0)))
    gray = np.clip(values * (255.0 / top), 0, 255)
    if image.info.get("transparency") is not None:
        gray[values == float(image.info["transparency"])] = 255.0
    return Image.fromarray(np.rint(gray).astype(np.uint8), mode="L")


def _white_level(image: Image.Image, largest: float) -> float:
    """The value of white."""
    if image.mode.startswith("I;16"):
        # A 12-bit scan is stored in 16-bit numbers and would come out almost black.
        return 4095.0 if largest <= 4095 and _bits(image) == 12 else 65535.0
    for level in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if largest <= level:
            return level
    return largest


def _bits(image: Image.Image) -> int:
    """Bits per sample that a TIFF declares (tag 258); 16 for other formats."""
    if not isinstance(image, TiffImageFile):
        return 16
    bits = image.tag_v2.get(258)
    return int(bits[0]) if bits else 16


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none that is valid. Pillow turns TIFF frames itself."""
    if image.format == "TIFF":
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and value in _TRANSPOSE else 1


def _resolution(image: Image.Image) -> tuple[float, float]:
    """Dots per inch across and down, 72 where the file gives none in the range of :data:`_DPI_RANGE`."""
    try:
        dpi = tuple(float(value) for value in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        dpi = ()
    if len(dpi) != 2 or not all(_DPI_RANGE[0] <= value <= _DPI_RANGE[1] for value in dpi):
        return 72.0, 72.0
    return dpi[0], dpi[1]


def _square_pixels(size: tuple[int, int], dpi_x: float, dpi_y: float, *, swapped: bool) -> tuple[int, int]:
    """``size`` with the side of the lower resolution enlarged to that of the higher one."""
    if swapped:
        dpi_x, dpi_y = dpi_y, dpi_x
    finer = max(dpi_x, dpi_y)
    if finer / min(dpi_x, dpi_y) < _MAX_PIXEL_ASPECT:
        return size
    return math.ceil(size[0] * finer / dpi_x), math.ceil(size[1] * finer / dpi_y)


@contextmanager
def _damage_named(name: str, number: int | None = None) -> Iterator[None]:
    try:
        yield
    except _PILLOW_ERRORS as error:
        what = name if number is None else f"Page {number} of {name}"
        raise DamagedSourceError(
            f"{what} cannot be decoded ({error}), so it is cut off or broken: get the file again.",
            source=name,
        ) from error

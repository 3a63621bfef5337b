"""Seeded synthetic pages with true regions, to measure layout.

A page has one or two columns of prose with headings, captions, lists, a running head and a page number,
and between them tables, molecules, scores and plain figures, drawn as vectors or placed as rasters.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import pymupdf
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.synthesis.pages.figures import Picture, picture
from docai.pipelines.synthesis.words import ENGLISH
from docai.records import Kind

FONTS = (("helv", "hebo", "heit"), ("tiro", "tibo", "tiit"), ("tiro", "hebo", "tiit"))
ASCENT, DESCENT = 0.74, 0.22
"""Height above and below the baseline of a true line of text, in ems: of its letters, without leading."""
RASTER_SHARE = 0.4


@dataclass(frozen=True)
class Truth:
    """One true region; ``bbox`` in points of the page, origin top left."""

    kind: Kind
    bbox: BBox


@dataclass(frozen=True)
class SyntheticPage:
    """A one-page PDF and its regions in reading order. A text region is a paragraph, heading or caption."""

    seed: int
    pdf: bytes
    width: float
    height: float
    truth: tuple[Truth, ...]


def synthetic_page(seed: int) -> SyntheticPage:
    """The page of a seed, always the same."""
    rng = random.Random(f"docai page {seed}")
    with pymupdf.open() as document:
        width, height = rng.choice(((595.0, 842.0), (612.0, 792.0)))
        writer = _Writer(rng, document.new_page(width=width, height=height), rng.choice(FONTS))
        writer.write()
        return SyntheticPage(seed, bytes(document.tobytes(deflate=True)), width, height, tuple(writer.truth))


def scanned(page: SyntheticPage, *, dpi: int = 200, uneven_light: bool = False) -> SyntheticPage:
    """The same page as an image-only PDF: a slightly rotated, noisy JPEG, with the true boxes rotated too.

    With ``uneven_light``, as of a photograph: a lamp at one side, the soft shadow of what stands beside, or a
    fold takes 20 to 60 % of the light of the darkest place.
    """
    import cv2

    rng = random.Random(f"docai scan {page.seed}")
    with pymupdf.open("pdf", page.pdf) as document:
        pixels = document[0].get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
    gray = np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.stride)[:, : pixels.width]
    center = (pixels.width / 2, pixels.height / 2)
    matrix = cv2.getRotationMatrix2D(center, rng.uniform(-1.0, 1.0), 1.0)
    gray = cv2.warpAffine(
        gray, matrix, (pixels.width, pixels.height), flags=cv2.INTER_LINEAR, borderValue=(255,)
    )
    gray = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.3, 0.8))
    noise = np.random.default_rng(page.seed).normal(0, rng.uniform(1, 6), gray.shape)
    shade = rng.uniform(225, 255) / 255
    light = _uneven_light(page.seed, gray.shape) if uneven_light else 1.0
    gray = (gray.astype(np.float32) * shade * light + noise).clip(0, 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(50, 90)])
    scale = dpi / 72
    truth = []
    for region in page.truth:
        x0, y0, x1, y1 = (value * scale for value in region.bbox)
        corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]]) @ matrix.T / scale
        low, high = corners.min(axis=0), corners.max(axis=0)
        truth.append(Truth(region.kind, (float(low[0]), float(low[1]), float(high[0]), float(high[1]))))
    with pymupdf.open() as document:
        sheet = document.new_page(width=page.width, height=page.height)
        sheet.insert_image(sheet.rect, stream=jpeg.tobytes(), keep_proportion=False)
        return SyntheticPage(page.seed, bytes(document.tobytes()), page.width, page.height, tuple(truth))


def _uneven_light(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Light on a page, (height, width), as shares of the brightest."""
    rng = random.Random(f"docai light {seed}")
    height, width = shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    along = (along - along.min()) / (along.max() - along.min())
    kind = rng.choice(("lamp", "shadow", "fold"))
    if kind == "lamp":
        taken = along
    elif kind == "shadow":
        taken = 1 / (1 + np.exp(-(along - rng.uniform(0.3, 0.7)) / rng.uniform(0.015, 0.06)))
    else:
        taken = np.exp(-(((along - rng.uniform(0.3, 0.7)) / rng.uniform(0.04, 0.1)) ** 2))
    return np.asarray(1 - rng.uniform(0.2, 0.6) * taken, np.float32)


@dataclass
class _Writer:
    """Fills one page from top to bottom, column by column."""

    rng: random.Random
    page: pymupdf.Page
    faces: tuple[str, str, str]
    truth: list[Truth] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = self.rng
        self.size = rng.uniform(8.5, 11.5)
        self.leading = self.size * rng.uniform(1.15, 1.4)
        self.indented = rng.random() < 0.25
        self.gap = 0.0 if self.indented else self.leading * rng.uniform(0.45, 0.9)
        self.justified = rng.random() < 0.6
        self.fonts = {name: pymupdf.Font(name) for name in self.faces}

    def write(self) -> None:
        rng, page = self.rng, self.page
        margin = rng.uniform(45, 80)
        left, right = margin, page.rect.width - margin
        top, bottom = margin, page.rect.height - margin
        if rng.random() < 0.5:
            self._line(self._text(rng.randint(3, 7)), left, margin * 0.55, self.faces[2], self.size * 0.85)
        if rng.random() < 0.35:
            top = self._heading(left, top, right - left, self.size * rng.uniform(1.6, 2.0), words=(4, 9)) + 6
        if rng.random() < 0.25:
            top = self._float(left, top, right - left, bottom) + self.leading
        columns = rng.choice((1, 2, 2))
        gutter = rng.uniform(16, 28)
        wide = (right - left - gutter * (columns - 1)) / columns
        for column in range(columns):
            self._column(left + column * (wide + gutter), top, wide, bottom)
        if rng.random() < 0.6:
            self._line(
                str(rng.randint(1, 400)),
                page.rect.width / 2 - 5,
                bottom + margin * 0.55,
                size=self.size * 0.9,
            )

    def _column(self, x: float, y: float, wide: float, bottom: float) -> None:
        rng, last = self.rng, ""
        while y < bottom - 4 * self.leading:
            kind = rng.choices(("paragraph", "heading", "float", "list"), (3, 0.8, 2.2, 0.4))[0]
            if kind == last != "paragraph":
                kind = "paragraph"
            if last == "heading":
                kind = "paragraph"
            if kind == "heading":
                if y > bottom - 8 * self.leading:
                    return
                y = self._heading(
                    x, y + self.leading * 0.4, wide, self.size * rng.uniform(1.05, 1.4), words=(2, 6)
                )
                y += self.leading * 0.35
            elif kind == "float":
                y = self._float(x, y + self.leading * 0.3, wide, bottom) + self.leading * 0.9
            elif kind == "list":
                for _ in range(rng.randint(2, 4)):
                    words = f"{rng.choice('•–')} {self._text(rng.randint(5, 20))}"
                    y = self._paragraph(words, x + 10, y, wide - 10, bottom) + self.leading * 0.35
                y += self.gap + self.leading * 0.2
            else:
                text = self._text(rng.randint(25, 110)) + "."
                y = self._paragraph(text, x, y, wide, bottom, indent=self.size * 1.5 if self.indented else 0)
                y += self.gap
            last = kind

    def _float(self, x: float, y: float, wide: float, bottom: float) -> float:
        rng = self.rng
        kinds: tuple[Kind, ...] = ("table", "molecule", "score", "figure")
        kind = rng.choices(kinds, (1.2, 1, 0.9, 1))[0]
        drawn = picture(kind, rng, wide)
        captioned = rng.random() < 0.75
        if y + drawn.height + (3 * self.leading if captioned else 0) > bottom:
            return y - self.leading
        name = "Table" if kind == "table" else "Figure"
        words = f"{name} {rng.randint(1, 20)}: {self._text(rng.randint(4, 16))}."
        size = self.size * 0.88
        if captioned and kind == "table":
            y = self._paragraph(words, x, y, wide, bottom, size=size) + rng.uniform(4, 9)
        shift = 0.0 if rng.random() < 0.4 else (wide - drawn.width) / 2
        self._place(drawn, x + shift, y)
        y += drawn.height
        if captioned and kind != "table":
            y = self._paragraph(words, x, y + rng.uniform(6, 12), wide, bottom, size=size)
        return y

    def _place(self, drawn: Picture, x: float, y: float) -> None:
        box = pymupdf.Rect(x, y, x + drawn.width, y + drawn.height)
        with pymupdf.open("pdf", drawn.pdf) as source:
            if self.rng.random() < RASTER_SHARE:
                pixels = source[0].get_pixmap(dpi=self.rng.choice((150, 200, 300)), clip=drawn.ink)
                self.page.insert_image(box, pixmap=pixels, keep_proportion=False)
            else:
                self.page.show_pdf_page(box, source, 0, clip=drawn.ink)
        self.truth.append(Truth(drawn.kind, (box.x0, box.y0, box.x1, box.y1)))

    def _heading(self, x: float, y: float, wide: float, size: float, words: tuple[int, int]) -> float:
        text = self._text(self.rng.randint(*words)).title()
        if self.rng.random() < 0.4:
            text = f"{self.rng.randint(1, 9)}.{self.rng.randint(1, 9)} {text}"
        return self._paragraph(text, x, y, wide, 10_000, size=size, face=self.faces[1], leading=size * 1.2)

    def _line(self, text: str, x: float, baseline: float, face: str = "", size: float = 0) -> None:
        face, size = face or self.faces[0], size or self.size
        self.page.insert_text((x, baseline), text, fontname=face, fontsize=size)
        width = self.fonts[face].text_length(text, size)
        self.truth.append(Truth("text", (x, baseline - ASCENT * size, x + width, baseline + DESCENT * size)))

    def _paragraph(
        self, text: str, x: float, y: float, wide: float, bottom: float, *,
        indent: float = 0, size: float = 0, face: str = "", leading: float = 0,
    ) -> float:  # fmt: skip
        """Set a paragraph with the top of its first line at ``y``; returns the y of the next line."""
        size, face = size or self.size, face or self.faces[0]
        leading = leading or self.leading * size / self.size
        font, space = self.fonts[face], self.fonts[face].text_length(" ", size)
        lines: list[list[str]] = [[]]
        used = indent
        for word in text.split():
            length = font.text_length(word, size)
            if lines[-1] and used + length > wide:
                lines.append([])
                used = 0
            lines[-1].append(word)
            used += length + space
        fits = max(1, int((bottom - y) / leading))
        lines = lines[:fits]
        right = x
        baseline = y + ASCENT * size
        for index, words in enumerate(lines):
            start = x + (indent if index == 0 else 0)
            natural = font.text_length(" ".join(words), size)
            stretched = self.justified and index + 1 < len(lines) and len(words) > 1 and face == self.faces[0]
            extra = (x + wide - start - natural) / (len(words) - 1) if stretched else 0
            if extra > space * 2:
                extra = 0
            pen = start
            if extra == 0:
                self.page.insert_text((start, baseline), " ".join(words), fontname=face, fontsize=size)
                pen = start + natural
            else:
                for word in words:
                    self.page.insert_text((pen, baseline), word, fontname=face, fontsize=size)
                    pen += font.text_length(word, size) + space + extra
                pen -= space + extra
            right = max(right, pen)
            baseline += leading
        low = baseline - leading + DESCENT * size
        start = x if len(lines) > 1 else x + indent
        self.truth.append(Truth("text", (start, y, right, low)))
        return low + leading - (ASCENT + DESCENT) * size

    def _text(self, n: int) -> str:
        words = [self.rng.choice(ENGLISH) for _ in range(n)]
        for index in range(n - 1):
            if self.rng.random() < 0.08:
                words[index] += self.rng.choice((",", ",", "."))
        return " ".join(words).capitalize()

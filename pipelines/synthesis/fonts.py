"""Faces that come with docai's own dependencies, so that no font has to be installed or downloaded.

PyMuPDF carries the base-14 faces (Nimbus), ReportLab the Vera family, and Matplotlib, which music21
depends on, DejaVu and STIX.
"""

from __future__ import annotations

import importlib.util
import random
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path

from PIL import ImageFont

BASE14 = ("helv", "heit", "hebo", "hebi", "tiro", "tiit", "tibo", "tibi", "cour", "coit", "cobo", "cobi")
MATPLOTLIB = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
)
REPORTLAB = ("Vera", "VeraBd", "VeraIt", "VeraBI")
BOLD = {
    "helv": "hebo",
    "tiro": "tibo",
    "cour": "cobo",
    "DejaVuSans": "DejaVuSans-Bold",
    "DejaVuSerif": "DejaVuSerif-Bold",
    "STIXGeneral": "STIXGeneralBol",
    "Vera": "VeraBd",
}
UPRIGHT = tuple(BOLD)
_SYSTEM = Path("/usr/share/fonts")


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """Names of the faces present, in a fixed order."""
    return BASE14 + tuple(name for name in MATPLOTLIB + REPORTLAB if _package_file(name) is not None)


@lru_cache(maxsize=1)
def system_faces() -> tuple[str, ...]:
    """Paths of TrueType and OpenType files of the machine; only for callers that ask for them."""
    return tuple(str(path) for path in sorted(_SYSTEM.rglob("*.[to]tf")))


def pick(rng: random.Random, *, upright: bool = False, system: bool = False) -> str:
    """A random face, each family about as often as another where it is upright."""
    if system and system_faces() and rng.random() < 0.5:
        return rng.choice(system_faces())
    present = faces()
    return rng.choice([name for name in UPRIGHT if name in present] if upright else present)


def bold(name: str) -> str:
    """The bold face of a family, or the face itself where there is none."""
    wanted = BOLD.get(name, name)
    return wanted if wanted in faces() else name


@dataclass(frozen=True)
class Face:
    """One font at one size, with what layout needs to know about its glyphs."""

    name: str
    size: int

    @cached_property
    def font(self) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(
            BytesIO(_font_bytes(self.name)), self.size, layout_engine=ImageFont.Layout.BASIC
        )

    @cached_property
    def ascent(self) -> int:
        return self.font.getmetrics()[0]

    @cached_property
    def height(self) -> int:
        """Ascent and descent, pixels."""
        return sum(self.font.getmetrics())

    @cached_property
    def space(self) -> float:
        return self.font.getlength(" ")

    def advance(self, text: str) -> float:
        """Pixels the pen moves."""
        return self.font.getlength(text)

    def ink(self, text: str) -> tuple[float, float, float, float]:
        """Ink box relative to the pen position at the top of the ascent.

        Of the drawn mask: Pillow's ``getbbox`` reaches from the pen to the advance, not from ink to ink.
        """
        mask, (left, top) = self.font.getmask2(text, "L")
        x0, y0, x1, y1 = mask.getbbox() or (0, 0, 0, 0)
        return left + x0, top + y0, left + x1, top + y1

    def centres(self, text: str) -> list[tuple[float, float]]:
        """Centre of each character's ink, relative to the pen position at the top of the ascent."""
        found = []
        for index, character in enumerate(text):
            x0, y0, x1, y1 = _glyph_ink(self, character)
            pen = self.advance(text[:index])
            found.append((pen + (x0 + x1) / 2, (y0 + y1) / 2))
        return found


@lru_cache(maxsize=512)
def face(name: str, size: int) -> Face:
    """The face at a size in pixels, kept for the next call."""
    return Face(name, size)


@lru_cache(maxsize=20_000)
def _glyph_ink(of: Face, character: str) -> tuple[float, float, float, float]:
    return of.ink(character)


@lru_cache(maxsize=64)
def _font_bytes(name: str) -> bytes:
    if name in BASE14:
        import pymupdf

        return bytes(pymupdf.Font(name).buffer)
    path = _package_file(name) or Path(name)
    return path.read_bytes()


def _package_file(name: str) -> Path | None:
    for package, folder, names in (
        ("matplotlib", "mpl-data/fonts/ttf", MATPLOTLIB),
        ("reportlab", "fonts", REPORTLAB),
    ):
        spec = importlib.util.find_spec(package) if name in names else None
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / folder / f"{name}.ttf"
            return path if path.is_file() else None
    return None

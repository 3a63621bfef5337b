"""Faces that come with docai's own dependencies, and those found on the machine.

PyMuPDF carries the base-14 faces (Nimbus), ReportLab the Vera family, and Matplotlib, which music21
depends on, DejaVu and STIX; :func:`faces` lists those of them that are there. :func:`system_faces` lists
the TrueType and OpenType files under the usual font folders, as Debian's packages fonts-urw-base35,
fonts-noto-core, fonts-texgyre, fonts-open-sans and so on put them there, sorted by file name.

What a seed means depends on both lists: a machine with other fonts draws other looks (the same text).
Nothing needs a system font; where there is none, the faces of the packages are all.

Designs are held out whole (:func:`is_held_out`): of a family, with its bold, italic, narrow and cloned
versions, either every face or none is kept out of training.
"""

from __future__ import annotations

import hashlib
import importlib.util
import random
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from docai.pipelines.synthesis.base import Split

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
HELD_OUT_DESIGNS = 6
"""About one design in this many is held out."""

_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/share/texmf/fonts/opentype"),
    Path("/usr/local/share/fonts"),
)
_NOT_FOR_TEXT = re.compile(
    r"symbol|emoji|math|dingbat|tamil|icon|awesome|braille|fallback|ornament|barcode|caps|D050000L"
    r"|lm(romanunsl|romandunh|sansquot)|STIX(Integrals|NonUnicode|Size|Variants)",
    re.I,
)
_NOTO_LATIN = re.compile(r"Noto(Sans|Serif|SansMono|Mono|SansDisplay|SerifDisplay)-")
"""Of the hundreds of Noto families, those made for the letters that are drawn here."""
_STYLE = re.compile(r"[ _]*(bold|italic|oblique|regular|\[wght\])", re.I)
_SLANTED = re.compile(r"ital|obli|slant|it$|bi$|boldit|bdita", re.I)
_DESIGNS = (
    (re.compile(r"he(lv|it|bo|bi)$|NimbusSans|texgyreheros"), "NimbusSans"),
    (re.compile(r"ti(ro|it|bo|bi)$|NimbusRoman|texgyretermes"), "NimbusRoman"),
    (re.compile(r"co(ur|it|bo|bi)$|NimbusMono|texgyrecursor"), "NimbusMono"),
    (re.compile(r"DejaVuSansMono|VeraMono"), "DejaVuSansMono"),
    (re.compile(r"DejaVuSerif|VeraSe"), "DejaVuSerif"),
    (re.compile(r"DejaVuSans|Vera"), "DejaVuSans"),
    (re.compile(r"STIX|XITS"), "STIX"),
    (re.compile(r"C059|texgyreschola"), "C059"),
    (re.compile(r"P052|texgyrepagella"), "P052"),
    (re.compile(r"Z003|texgyrechorus"), "Z003"),
    (re.compile(r"URWBookman|texgyrebonum"), "URWBookman"),
    (re.compile(r"URWGothic|texgyreadventor"), "URWGothic"),
    (re.compile(r"LiberationSans"), "LiberationSans"),
    (re.compile(r"lmroman"), "lmroman"),
    (re.compile(r"lmmono"), "lmmono"),
    (re.compile(r"Roboto(?!Mono|Slab)"), "Roboto"),
    (re.compile(r"NotoSerif"), "NotoSerif"),
    (re.compile(r"Noto(Sans)?Mono"), "NotoSansMono"),
    (re.compile(r"NotoSans"), "NotoSans"),
    (re.compile(r"LinLibertine"), "LinLibertine"),
    (re.compile(r"LinBiolinum"), "LinBiolinum"),
    (re.compile(r"tuffy", re.I), "Tuffy"),
)
"""Names of one design: clones, and the versions that other packages carry."""


_carried: list[Path] = []


def use_carried(folder: Path) -> None:
    """Draw with the faces in ``folder`` and no others, from now on in this process.

    For machines without the packages and fonts that another one draws with. A package's face is a file of
    its name there, such as ``helv.otf``. ``/usr/share/fonts`` is not looked at: a seed then means the same.
    """
    if _carried != [folder]:
        _carried[:] = [folder]
        for cached in (faces, system_faces, _of_split, _designs, _has_glyph, _tells_case, face, font_bytes):
            cached.cache_clear()


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """Names of the packages' faces that are present, in a fixed order."""
    has_base = importlib.util.find_spec("pymupdf") is not None and not _carried
    base = tuple(name for name in BASE14 if has_base or _carried_file(name) is not None)
    return base + tuple(name for name in MATPLOTLIB + REPORTLAB if _package_file(name) is not None)


@lru_cache(maxsize=1)
def system_faces() -> tuple[str, ...]:
    """Paths of the machine's font files for Latin text, sorted by file name; one of each name."""
    found: dict[str, str] = {}
    for folder in _carried or _FOLDERS:
        for path in sorted(folder.rglob("*.[to]tf")):
            if _carried and path.stem in BASE14 + MATPLOTLIB + REPORTLAB:
                continue
            is_noto = path.name.startswith("Noto")
            if _NOT_FOR_TEXT.search(path.stem) or (is_noto and not _NOTO_LATIN.match(path.name)):
                continue
            found.setdefault(path.name, str(path))
    return tuple(found[name] for name in sorted(found))


def design(name: str) -> str:
    """The family whose shapes a face has, narrow and cloned versions with it."""
    stem = Path(name).stem
    for pattern, known in _DESIGNS:
        if pattern.match(stem):
            return known
    return re.sub(r"\d+$", "", _STYLE.sub("", stem.split("-")[0]))


def is_held_out(name: str) -> bool:
    """Whether the face is never drawn for training: by the SHA-256 of ``family/`` and its design's name."""
    digest = hashlib.sha256(f"family/{design(name)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_DESIGNS == 0


def pick(
    rng: random.Random, *, upright: bool = False, system: bool = False, split: Split | None = "train"
) -> str:
    """A random face, each design about as often as another where upright or the machine's are asked for.

    Only faces of the split, unless it is None or the machine has none of it.
    """
    if system:
        designs = _designs(upright, split)
        return rng.choice(designs[rng.choice(tuple(designs))])
    return rng.choice(_of_split(UPRIGHT if upright else faces(), split))


@lru_cache(maxsize=8)
def _of_split(names: tuple[str, ...], split: Split | None) -> tuple[str, ...]:
    present = tuple(name for name in names if name in faces() or name in system_faces())
    chosen = tuple(name for name in present if split is None or is_held_out(name) == (split == "held-out"))
    return chosen or present


@lru_cache(maxsize=8)
def _designs(upright: bool, split: Split | None) -> MappingProxyType[str, tuple[str, ...]]:
    """The faces of each design, in a fixed order."""
    names = faces() + system_faces()
    if upright:
        slanted = {name for name in system_faces() if _SLANTED.search(Path(name).stem)}
        names = UPRIGHT + tuple(name for name in system_faces() if name not in slanted)
    grouped: dict[str, list[str]] = {}
    for name in _of_split(names, split):
        grouped.setdefault(design(name), []).append(name)
    return MappingProxyType({key: tuple(grouped[key]) for key in sorted(grouped)})


def bold(name: str) -> str:
    """The bold face of a family, or the face itself where there is none."""
    wanted = BOLD.get(name, name)
    return wanted if wanted in faces() else name


@lru_cache(maxsize=100_000)
def _has_glyph(name: str, character: str) -> bool:
    try:
        probe = face(name, 32)
        mask, missing = probe.font.getmask(character), probe.font.getmask("\uffff")
    except OSError:
        return False
    return mask.getbbox() is not None and (mask.size, bytes(mask)) != (missing.size, bytes(missing))


@lru_cache(maxsize=2000)
def _tells_case(name: str) -> bool:
    """Not a face that draws small letters as capitals, as lettering of comics does."""
    if not _has_glyph(name, "X"):
        return True
    probe = face(name, 64)
    _, top, _, bottom = probe.ink("X")
    return probe.x_height < 0.92 * (bottom - top)


def covers(name: str, text: str) -> bool:
    """Whether words can be set in a face: it has every character of ``text``, and small letters.

    Never, where its file cannot be read. Blanks are not asked for.
    """
    letters = "".join(dict.fromkeys(text)).split()
    return _tells_case(name) and all(_has_glyph(name, letter) for part in letters for letter in part)


@dataclass(frozen=True)
class Face:
    """One font at one size, with what layout needs to know about its glyphs."""

    name: str
    size: int

    @cached_property
    def font(self) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(
            BytesIO(font_bytes(self.name)), self.size, layout_engine=ImageFont.Layout.BASIC
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

    @cached_property
    def x_height(self) -> float:
        """Height of small letters without ascenders, pixels; 0 where the face has none."""
        inks = (self.ink(letter) for letter in "xnu")
        return min(bottom - top for _, top, _, bottom in inks)

    def outline(self, text: str) -> NDArray[np.float64]:
        """Corners of the convex hull of the ink, ``(N, 2)``, relative to the same pen position."""
        import cv2

        mask, (left, top) = self.font.getmask2(text, "L")
        pixels = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[1], mask.size[0])
        found = cv2.findNonZero(pixels)
        if found is None:
            return np.array([[left, top]], dtype=np.float64)
        corners = cv2.convexHull(found).reshape(-1, 1, 2) + np.array([[[0, 0], [1, 0], [0, 1], [1, 1]]])
        return np.asarray(corners.reshape(-1, 2) + np.array([left, top]), np.float64)

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


@lru_cache(maxsize=256)
def font_bytes(name: str) -> bytes:
    if name in BASE14 and not _carried:
        import pymupdf

        return bytes(pymupdf.Font(name).buffer)
    path = _carried_file(name) or _package_file(name) or Path(name)
    return path.read_bytes()


def _carried_file(name: str) -> Path | None:
    places = (folder / f"{name}{suffix}" for folder in _carried for suffix in (".ttf", ".otf"))
    return next((path for path in places if path.is_file()), None)


def _package_file(name: str) -> Path | None:
    if _carried:
        return _carried_file(name)
    for package, folder, names in (
        ("matplotlib", "mpl-data/fonts/ttf", MATPLOTLIB),
        ("reportlab", "fonts", REPORTLAB),
    ):
        spec = importlib.util.find_spec(package) if name in names else None
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / folder / f"{name}.ttf"
            return path if path.is_file() else None
    return None

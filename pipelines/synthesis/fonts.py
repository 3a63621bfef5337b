"""Font faces of docai's dependencies, and those installed on the machine.

PyMuPDF has the base-14 faces (Nimbus), ReportLab the Vera family, and Matplotlib, which music21 depends on,
DejaVu and STIX; :func:`faces` lists those that are present. :func:`system_faces` lists the TrueType and
OpenType files in the usual font folders, such as those of Debian's packages fonts-urw-base35,
fonts-noto-core, fonts-texgyre and fonts-open-sans, sorted by file name.

The pictures of a seed depend on both lists: a machine with other fonts draws the same text in other faces.
No system font is needed; where there is none, only the faces of the packages are used.

Designs are held out as a whole (:func:`is_held_out`): of a family, with its bold, italic, narrow and cloned
versions, either every face or none is held out of training.
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
"""About one of this many designs is held out."""

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
"""The Noto families with the letters that are drawn here, of hundreds."""
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
"""Patterns of face names, and the design they belong to: clones, and versions in other packages."""


_pack_folders: list[Path] = []


def use_pack_fonts(folder: Path) -> None:
    """Use only the faces in ``folder`` from now on, in this process.

    This is for machines without the packages and fonts of the machine that wrote the folder. A face of a
    package is a file with its name, such as ``helv.otf``. Without system fonts a seed gives the same
    pictures.
    """
    if _pack_folders != [folder]:
        _pack_folders[:] = [folder]
        cached = (faces, system_faces, _faces_of_split, _faces_by_design)
        for function in (*cached, _has_glyph, _has_small_letters, face, font_bytes):
            function.cache_clear()


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """Names of the packages' faces that are present, in a fixed order."""
    has_base = importlib.util.find_spec("pymupdf") is not None and not _pack_folders
    base = tuple(name for name in BASE14 if has_base or _pack_file(name) is not None)
    return base + tuple(name for name in MATPLOTLIB + REPORTLAB if _package_file(name) is not None)


@lru_cache(maxsize=1)
def system_faces() -> tuple[str, ...]:
    """Paths of the machine's font files for Latin text, sorted by file name; one of each name."""
    paths: dict[str, str] = {}
    for folder in _pack_folders or _FOLDERS:
        for path in sorted(folder.rglob("*.[to]tf")):
            if _pack_folders and path.stem in BASE14 + MATPLOTLIB + REPORTLAB:
                continue
            if is_for_latin_text(path):
                paths.setdefault(path.name, str(path))
    return tuple(paths[name] for name in sorted(paths))


def is_for_latin_text(path: Path) -> bool:
    """Whether a font file is one for Latin text, by its name."""
    is_noto = path.name.startswith("Noto")
    return not _NOT_FOR_TEXT.search(path.stem) and (not is_noto or _NOTO_LATIN.match(path.name) is not None)


def design(name: str) -> str:
    """The family that a face belongs to, with its narrow and cloned versions."""
    stem = Path(name).stem
    for pattern, known in _DESIGNS:
        if pattern.match(stem):
            return known
    return re.sub(r"\d+$", "", _STYLE.sub("", stem.split("-")[0]))


def is_held_out(name: str) -> bool:
    """Whether the face is held out of training, by the SHA-256 of ``family/`` and its design's name."""
    digest = hashlib.sha256(f"family/{design(name)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_DESIGNS == 0


def pick(
    rng: random.Random, *, upright: bool = False, system: bool = False, split: Split | None = "train"
) -> str:
    """The name of a random face.

    Args:
        rng: chooses.
        upright: only upright faces.
        system: also faces of the machine; each design is then about equally frequent.
        split: only faces of this split, unless it is None or the machine has none of it.
    """
    if system:
        designs = _faces_by_design(upright, split)
        return rng.choice(designs[rng.choice(tuple(designs))])
    return rng.choice(_faces_of_split(UPRIGHT if upright else faces(), split))


@lru_cache(maxsize=8)
def _faces_of_split(names: tuple[str, ...], split: Split | None) -> tuple[str, ...]:
    present = tuple(name for name in names if name in faces() or name in system_faces())
    chosen = tuple(name for name in present if split is None or is_held_out(name) == (split == "held-out"))
    return chosen or present


@lru_cache(maxsize=8)
def _faces_by_design(upright: bool, split: Split | None) -> MappingProxyType[str, tuple[str, ...]]:
    """The faces of each design, in a fixed order."""
    names = faces() + system_faces()
    if upright:
        slanted = {name for name in system_faces() if _SLANTED.search(Path(name).stem)}
        names = UPRIGHT + tuple(name for name in system_faces() if name not in slanted)
    grouped: dict[str, list[str]] = {}
    for name in _faces_of_split(names, split):
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
def _has_small_letters(name: str) -> bool:
    """Whether lower-case letters differ from capitals, which is not so in comic lettering."""
    if not _has_glyph(name, "X"):
        return True
    probe = face(name, 64)
    _, top, _, bottom = probe.ink("X")
    return probe.x_height < 0.92 * (bottom - top)


def covers(name: str, text: str) -> bool:
    """Whether a face has every character of ``text`` but spaces, and lower-case letters.

    False where its file cannot be read.
    """
    letters = "".join(dict.fromkeys(text)).split()
    return _has_small_letters(name) and all(_has_glyph(name, letter) for part in letters for letter in part)


@dataclass(frozen=True)
class Face:
    """One face at one size, with the metrics that layout needs."""

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
        """Advance width in pixels."""
        return self.font.getlength(text)

    def ink(self, text: str) -> tuple[float, float, float, float]:
        """Ink box relative to the pen position at the top of the ascent.

        It is measured on the drawn mask: Pillow's ``getbbox`` reaches from the pen to the advance.
        """
        mask, (left, top) = self.font.getmask2(text, "L")
        x0, y0, x1, y1 = mask.getbbox() or (0, 0, 0, 0)
        return left + x0, top + y0, left + x1, top + y1

    @cached_property
    def x_height(self) -> float:
        """Height of lower-case letters without ascenders, pixels; 0 where the face has none."""
        inks = (self.ink(letter) for letter in "xnu")
        return min(bottom - top for _, top, _, bottom in inks)

    def outline(self, text: str) -> NDArray[np.float64]:
        """Corners of the convex hull of the ink, ``(N, 2)``, relative to the same pen position."""
        import cv2

        mask, (left, top) = self.font.getmask2(text, "L")
        pixels = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[1], mask.size[0])
        ink = cv2.findNonZero(pixels)
        if ink is None:
            return np.array([[left, top]], dtype=np.float64)
        corners = cv2.convexHull(ink).reshape(-1, 1, 2) + np.array([[[0, 0], [1, 0], [0, 1], [1, 1]]])
        return np.asarray(corners.reshape(-1, 2) + np.array([left, top]), np.float64)

    def centers(self, text: str) -> list[tuple[float, float]]:
        """Center of each character's ink, relative to the pen position at the top of the ascent."""
        centers = []
        for index, character in enumerate(text):
            x0, y0, x1, y1 = _glyph_ink(self, character)
            pen = self.advance(text[:index])
            centers.append((pen + (x0 + x1) / 2, (y0 + y1) / 2))
        return centers


@lru_cache(maxsize=512)
def face(name: str, size: int) -> Face:
    """The face at a size in pixels, cached."""
    return Face(name, size)


@lru_cache(maxsize=20_000)
def _glyph_ink(of: Face, character: str) -> tuple[float, float, float, float]:
    return of.ink(character)


@lru_cache(maxsize=256)
def font_bytes(name: str) -> bytes:
    if name in BASE14 and not _pack_folders:
        import pymupdf

        return bytes(pymupdf.Font(name).buffer)
    path = _pack_file(name) or _package_file(name) or Path(name)
    return path.read_bytes()


def _pack_file(name: str) -> Path | None:
    places = (folder / f"{name}{suffix}" for folder in _pack_folders for suffix in (".ttf", ".otf"))
    return next((path for path in places if path.is_file()), None)


def _package_file(name: str) -> Path | None:
    if _pack_folders:
        return _pack_file(name)
    for package, folder, names in (
        ("matplotlib", "mpl-data/fonts/ttf", MATPLOTLIB),
        ("reportlab", "fonts", REPORTLAB),
    ):
        spec = importlib.util.find_spec(package) if name in names else None
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / folder / f"{name}.ttf"
            return path if path.is_file() else None
    return None

"""Passages engraved by Verovio, as vectors: its glyphs as outlines, or of a font of one of three kinds."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from docai.geometry import BBox
from docai.parsers.score_notes import read_field, tuplet_of
from docai.pipelines.external import engraving
from docai.pipelines.synthesis.base import UndrawableError
from docai.pipelines.synthesis.score import generator
from docai.pipelines.synthesis.score.svg import drawn_kern
from docai.pipelines.synthesis.vector.music_font import FontKind, embed_definitions
from docai.pipelines.synthesis.vector.svg_pdf import svg_to_pdf

MUSIC_FONTS: Final = ("Leipzig", "Bravura", "Leland", "Gootville", "Petaluma")
"""Fonts that Verovio's wheel carries."""

GlyphKind = Literal["outlines"] | FontKind
"""How music glyphs stand in the PDF; see :data:`~docai.pipelines.synthesis.vector.music_font.FontKind`."""

_KINDS: Final[tuple[GlyphKind, ...]] = ("outlines", "outlines", "outlines", *get_args(FontKind))
_NOTE_ID: Final = re.compile(r"note-L\d+F\d+")
_MULTI_SYSTEM_SHARE: Final = 0.3


@dataclass(frozen=True)
class DrawnScore:
    """Engraved music as a PDF of one page."""

    data: bytes
    kern: str
    """What is drawn, with ``n`` exactly where a natural sign is."""
    systems: tuple[BBox, ...]
    """Boxes in points, from the top."""
    glyphs: GlyphKind
    difficulty: float
    options: dict[str, float | str]
    """Of Verovio."""


def draw_score(
    seed: int | str, difficulty: float | None = None, glyphs: GlyphKind | None = None
) -> DrawnScore:
    """A passage in a random style.

    Args:
        seed: of content and style.
        difficulty: 0…1, as in training; None: any.
        glyphs: how music glyphs stand in the PDF; None: any.
    """
    rng = random.Random(f"vector/score/{seed}")
    while True:
        level = rng.random() if difficulty is None else difficulty
        kern = generator.compose(rng, level).content
        request = generator.engraving_request(kern, rng, level)
        options = dict(request.options)
        if rng.random() < 0.3 * level:
            options["font"] = "Petaluma"
        kind = rng.choice(_KINDS) if glyphs is None else glyphs
        if rng.random() < _MULTI_SYSTEM_SHARE * level:
            options |= _breaks(request.source, options, rng)
        try:
            return _drawn(request.source, kern, options, request.n_added, kind, level, rng)
        except UndrawableError:
            continue


def _breaks(source: str, options: dict[str, float | str], rng: random.Random) -> dict[str, float | str]:
    """Options for a page so narrow that the passage takes several systems, none of them squeezed."""
    found = re.search(r'width="(\d+)px"', engraving.engrave(source, options) or "")
    n_measures = source.count("\n=")
    if found is None or n_measures < 3:
        return {}
    width = int(found[1]) * max(rng.uniform(0.4, 0.8), 1.5 / n_measures)
    return {"breaks": "auto", "adjustPageWidth": False, "pageWidth": round(width), "pageHeight": 20000}


def verovio_pdf(
    kern: str, glyphs: GlyphKind = "outlines", seed: int | str = 0, **options: float | str
) -> DrawnScore:
    """Music engraved with the given options of Verovio.

    Raises:
        UndrawableError: Verovio refuses it, or draws something else than the kern says.
    """
    rng = random.Random(seed)
    return _drawn(kern.rstrip("\n") + "\n", kern.rstrip("\n"), dict(options), 0, glyphs, 0.0, rng)


def _drawn(
    source: str,
    kern: str,
    options: dict[str, float | str],
    n_added: int,
    glyphs: GlyphKind,
    difficulty: float,
    rng: random.Random,
) -> DrawnScore:
    svg = engraving.engrave(source, options)
    if svg is None:
        raise UndrawableError("Verovio did not engrave the piece.")
    drawn = drawn_kern(svg, kern, n_added)
    _require_tuplets(svg, kern, n_added)
    page = svg_to_pdf(
        svg,
        points_per_pixel=rng.choice((0.5, 0.75, rng.uniform(0.25, 1.0))),
        text_font=rng.choice(("tiro", "tibo", "helv")),
        boxes_of=("system",),
        glyphs=None if glyphs == "outlines" else embed_definitions(svg, glyphs),
    )
    return DrawnScore(page.data, drawn, tuple(page.boxes["system"]), glyphs, difficulty, options)


def _require_tuplets(svg: str, kern: str, n_added: int) -> None:
    """Raise :class:`UndrawableError` where what is drawn as tuplets are other notes than those of the kern.

    Verovio takes a beam that goes on beyond a triplet for all of the triplet.
    """
    from lxml import etree

    rows = [line.split("\t") for line in kern.split("\n")]
    drawn = set()
    for group in etree.fromstring(svg.encode()).iterfind(".//{*}g[@class='tuplet']"):
        drawn |= {found[0] for node in group.iter("{*}g") if (found := _NOTE_ID.match(node.get("id", "")))}
    numbers = (text[6:].split("F") for text in drawn)
    places = {(int(row) - 1 - n_added, int(field) - 1) for row, field in numbers}
    for number, row in enumerate(rows):
        for field, text in enumerate(row):
            content = read_field(text) if row[0][:1] not in ("*", "=", "!") and text != "." else None
            if content is None or not content.n_notes or not content.duration:
                continue
            is_tuplet = tuplet_of(content.notes[0].recip) is not None
            if is_tuplet != ((number, field) in places):
                raise UndrawableError("Verovio drew other tuplets than the kern has.")

"""A font made of the glyphs that Verovio's drawing defines, as other engravers embed theirs."""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from docai.pipelines.synthesis.vector.svg_paths import apply, read_path, read_transform
from docai.pipelines.synthesis.vector.svg_pdf import GlyphFont

if TYPE_CHECKING:
    from lxml import etree

FontKind = Literal["smufl", "names", "ids"]
"""``smufl``: code points of SMuFL, glyphs without names, as in MuseScore 4; ``names``: names of SMuFL
and no code points; ``ids``: codes of the Latin alphabet that mean nothing, and no names."""

UNITS_PER_EM: Final = 1000
"""Of Verovio's glyphs."""


def embed_definitions(svg: str, kind: FontKind) -> GlyphFont:
    """A font with the glyphs that the drawing uses."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen
    from lxml import etree

    root = etree.fromstring(svg.encode())
    glyphs = {}
    for node in root.iterfind("{*}defs/{*}*[@id]"):
        code = node.get("id", "").split("-", 1)[0]
        if len(code) == 4 and code not in glyphs:
            glyphs[code] = node
    names = {code: _glyph_name(code, index, kind) for index, code in enumerate(glyphs, 1)}
    charstrings: dict[str, Any] = {".notdef": _charstring(None, T2CharStringPen)}
    for code, node in glyphs.items():
        charstrings[names[code]] = _charstring(node, T2CharStringPen)
    builder = FontBuilder(UNITS_PER_EM, isTTF=False)
    builder.setupGlyphOrder(list(charstrings))
    codes = {
        int(code, 16) if kind == "smufl" else 0x21 + index: names[code] for index, code in enumerate(glyphs)
    }
    builder.setupCharacterMap({} if kind == "names" else codes)
    builder.setupCFF("Music", {"FullName": "Music"}, charstrings, {})
    builder.setupHorizontalMetrics(dict.fromkeys(charstrings, (UNITS_PER_EM, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Music", "styleName": "Regular", "psName": "Music"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost(keepGlyphNames=kind == "names")
    out = io.BytesIO()
    builder.save(out)
    gids = {code: builder.font.getGlyphID(names[code]) for code in glyphs}
    return GlyphFont(out.getvalue(), gids)


def _glyph_name(code: str, index: int, kind: FontKind) -> str:
    return _smufl_names().get(code, f"uni{code}") if kind == "names" else f"glyph{index:05}"


@cache
def _smufl_names() -> dict[str, str]:
    """Code point in hexadecimal → name in SMuFL, from Verovio's wheel."""
    from lxml import etree

    spec = find_spec("verovio")
    assert spec is not None
    assert spec.origin is not None
    root = etree.parse(Path(spec.origin).parent / "data" / "Bravura.xml").getroot()
    return {node.get("c", ""): node.get("n", "") for node in root.iterfind("g")}


def _charstring(node: etree._Element | None, pen_class: Any) -> Any:
    pen = pen_class(UNITS_PER_EM, None)
    is_open = False
    for path in node.iter("{*}path") if node is not None else ():
        # Verovio's definitions have y up under a mirror, as fonts have.
        turn = read_transform(path.get("transform"))
        mirror = (turn[0], -turn[1], turn[2], -turn[3], turn[4], -turn[5])
        for kind, values in read_path(path.get("d", "")):
            points = [apply(mirror, *values[i : i + 2]) for i in range(0, len(values), 2)]
            if kind == "h":
                pen.closePath()
                is_open = False
            elif kind == "m":
                if is_open:
                    pen.closePath()
                pen.moveTo(points[0])
                is_open = True
            elif kind == "l":
                pen.lineTo(points[0])
            else:
                pen.curveTo(*points)
    if is_open:
        pen.closePath()
    return pen.getCharString()

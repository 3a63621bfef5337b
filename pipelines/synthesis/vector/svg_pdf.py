"""SVG to a PDF of true vectors, for what RDKit, Indigo and Verovio write.

MuPDF's own reader of SVG draws neither nested pictures with a ``viewBox`` nor all that is in ``use``. Here
everything is placed: transforms, ``use``, ``symbol``, nested ``svg``, style attributes and simple style
sheets. Clips, gradients, filters and images are not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from docai.geometry import BBox
from docai.pipelines.synthesis.vector.svg_paths import (
    Matrix,
    Piece,
    apply,
    concat,
    ellipse,
    numbers,
    read_path,
    read_transform,
    scale_of,
)
from docai.pipelines.synthesis.vector.svg_style import INHERITED, color_of, declarations, read_rules

if TYPE_CHECKING:
    from lxml import etree

_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_SHAPES: Final = {"path", "rect", "line", "polyline", "polygon", "circle", "ellipse"}


@dataclass
class VectorPage:
    """A PDF of one page."""

    data: bytes
    boxes: dict[str, list[BBox]] = field(default_factory=dict)
    """Class of a group → boxes in points, in the order of the drawing, of what such groups draw."""


@dataclass(frozen=True)
class GlyphFont:
    """A font whose glyphs stand for the definitions that a ``use`` names.

    ``gids`` goes from the start of a definition's id, up to its first ``-``, to the glyph.
    """

    buffer: bytes
    gids: Mapping[str, int]


def svg_to_pdf(
    svg: str | bytes,
    *,
    points_per_pixel: float = 0.75,
    text_font: str = "helv",
    boxes_of: Collection[str] = (),
    glyphs: GlyphFont | None = None,
    margin: float = 0.0,
) -> VectorPage:
    """Draw SVG as a PDF of one page.

    Args:
        svg: the picture.
        points_per_pixel: of the outer picture.
        text_font: what ``text`` is set in: a font file, or a name that PyMuPDF has.
        boxes_of: classes of groups whose boxes are wanted.
        glyphs: a font to draw definitions with, instead of their outlines.
        margin: of the page around the picture, points.
    """
    import pymupdf
    from lxml import etree

    root = etree.fromstring(svg.encode() if isinstance(svg, str) else svg)
    width, height = _size(root)
    k = points_per_pixel
    bottom = height * k + 2 * margin
    with pymupdf.open() as document:
        page = document.new_page(width=width * k + 2 * margin, height=bottom)
        painter = _Painter(page, text_font, boxes_of, glyphs)
        painter.rules = [rule for node in root.iter("{*}style") for rule in read_rules(node.text or "")]
        painter.by_id = {node.get("id", ""): node for node in root.iter("{*}*")}
        # A PDF has its origin at the bottom.
        flip: Matrix = (k, 0, 0, -k, margin, bottom - margin)
        view = numbers(root.get("viewBox", ""))
        if len(view) == 4 and view[2] and view[3]:
            flip = concat(_fit(view, 0, 0, width, height), flip)
        painter.paint_children(root, flip, INHERITED)
        pymupdf.TOOLS._insert_contents(page, "\n".join(painter.operators).encode(), 1)
        boxes = {
            name: [(b[0], bottom - b[3], b[2], bottom - b[1]) for b in found]
            for name, found in painter.boxes.items()
        }
        return VectorPage(document.tobytes(garbage=1, deflate=True), boxes)


def _size(root: etree._Element) -> tuple[float, float]:
    view = numbers(root.get("viewBox", "")) or [0.0, 0.0, 100.0, 100.0]
    sizes = []
    for name, default in (("width", view[2]), ("height", view[3])):
        text = root.get(name, "")
        found = numbers(text)
        unit = 4 / 3 if text.endswith("pt") else 96 / 25.4 if text.endswith("mm") else 1.0
        sizes.append(found[0] * unit if found and not text.endswith("%") else default)
    return sizes[0], sizes[1]


def _fit(view: list[float], x: float, y: float, width: float, height: float) -> Matrix:
    """The map of a ``viewBox`` into a place, its shape kept and centered."""
    scale = min(width / view[2], height / view[3])
    left = x + (width - scale * view[2]) / 2 - scale * view[0]
    return scale, 0, 0, scale, left, y + (height - scale * view[3]) / 2 - scale * view[1]


class _Painter:
    """Writes the operators of one page."""

    def __init__(
        self, page: Any, text_font: str, boxes_of: Collection[str], glyphs: GlyphFont | None
    ) -> None:
        self.operators: list[str] = []
        self.rules: list[tuple[str, str, dict[str, str]]] = []
        self.by_id: dict[str, etree._Element] = {}
        self.boxes: dict[str, list[BBox]] = {name: [] for name in boxes_of}
        self._open: list[list[float]] = []
        self._page, self._text_font, self._glyphs = page, text_font, glyphs
        self._fonts: dict[str, Any] = {}

    def paint_children(self, node: etree._Element, matrix: Matrix, style: Mapping[str, str]) -> None:
        for child in node:
            if isinstance(child.tag, str):
                self._paint(child, matrix, style)

    def _paint(self, node: etree._Element, matrix: Matrix, style: Mapping[str, str]) -> None:
        tag = node.tag.rsplit("}", 1)[-1]
        if tag in ("defs", "symbol", "style", "desc", "title", "metadata", "clipPath", "mask"):
            return
        style = self._styled(node, tag, style)
        if style.get("display") == "none":
            return
        matrix = concat(read_transform(node.get("transform")), matrix)
        names = [name for name in node.get("class", "").split() if name in self.boxes]
        if names:
            self._open.append([math.inf, math.inf, -math.inf, -math.inf])
        if tag in _SHAPES:
            self._paint_path(_pieces(node, tag), matrix, style)
        elif tag == "use":
            self._paint_use(node, matrix, style)
        elif tag == "text":
            self._paint_text(node, matrix, style)
        elif tag == "svg":
            self._paint_nested(node, matrix, style)
        elif tag in ("g", "a"):
            self.paint_children(node, matrix, style)
        if names:
            box = self._open.pop()
            if box[0] <= box[2]:
                for name in names:
                    self.boxes[name].append((box[0], box[1], box[2], box[3]))
                self._reach([(box[0], box[1]), (box[2], box[3])])

    def _styled(self, node: etree._Element, tag: str, style: Mapping[str, str]) -> dict[str, str]:
        made = dict(style)
        # Opacity of a group holds for its parts; it is not inherited, but multiplied.
        before = float(made.pop("opacity", "1"))
        made.pop("display", None)
        own = {str(name): str(value) for name, value in node.attrib.items()}
        classes = own.get("class", "").split()
        for rule_tag, name, values in self.rules:
            if rule_tag in ("", tag) and (not name or name in classes):
                own |= values
        own |= declarations(own.pop("style", ""))
        made |= {name: value for name, value in own.items() if name in INHERITED or name == "display"}
        made["opacity"] = str(before * float(own.get("opacity", "1")))
        return made

    def _paint_nested(self, node: etree._Element, matrix: Matrix, style: Mapping[str, str]) -> None:
        view = numbers(node.get("viewBox", ""))
        x, y = (float(node.get(name, "0")) for name in ("x", "y"))
        if len(view) == 4:
            holder = node.getparent()
            around = numbers(holder.get("viewBox", "")) if holder is not None else []
            width, height = (around[2], around[3]) if len(around) == 4 else _size(holder)  # type: ignore[arg-type]
            width = numbers(node.get("width", ""))[0] if _is_length(node.get("width")) else width
            height = numbers(node.get("height", ""))[0] if _is_length(node.get("height")) else height
            matrix = concat(_fit(view, x, y, width, height), matrix)
        else:
            matrix = concat((1, 0, 0, 1, x, y), matrix)
        self.paint_children(node, matrix, style)

    def _paint_use(self, node: etree._Element, matrix: Matrix, style: Mapping[str, str]) -> None:
        name = (node.get(_HREF) or node.get("href") or "").lstrip("#")
        target = self.by_id.get(name)
        if target is None:
            return
        x, y = (float(numbers(node.get(key, "0"))[0]) for key in ("x", "y"))
        matrix = concat((1, 0, 0, 1, x, y), matrix)
        gid = self._glyphs.gids.get(name.split("-", 1)[0]) if self._glyphs else None
        if gid is not None:
            # An em of a music font is 1000 units here, y up.
            self._show_glyphs("music", [gid], concat((1000, 0, 0, -1000, 0, 0), matrix), style)
            return
        if target.tag.rsplit("}", 1)[-1] == "symbol":
            view = numbers(target.get("viewBox", ""))
            if len(view) == 4 and _is_length(node.get("width")) and _is_length(node.get("height")):
                size = [numbers(node.get(key, ""))[0] for key in ("width", "height")]
                matrix = concat(_fit(view, 0, 0, *size), matrix)
            self.paint_children(target, matrix, self._styled(target, "symbol", style))
        else:
            self._paint(target, matrix, style)

    def _paint_path(self, pieces: Iterable[Piece], matrix: Matrix, style: Mapping[str, str]) -> None:
        fill = color_of(style["fill"], style, style["fill-opacity"])
        stroke = color_of(style["stroke"], style, style["stroke-opacity"])
        width = numbers(style["stroke-width"])[0] * scale_of(matrix)
        if width <= 0:
            stroke = None
        if style["visibility"] != "visible" or (fill is None and stroke is None):
            return
        words, reached = [], []
        for kind, values in pieces:
            points = [apply(matrix, *values[i : i + 2]) for i in range(0, len(values), 2)]
            reached += points
            words.append(" ".join(f"{value:.5f}" for point in points for value in point) + f" {kind}")
        if not words:
            return
        self._reach(reached)
        even = "*" if style["fill-rule"] == "evenodd" else ""
        ends = {"B" + even: fill and stroke, "f" + even: fill, "S": stroke}
        self.operators += ["q", *self._state(style, fill, stroke, width, matrix), *words]
        self.operators += [next(name for name, paints in ends.items() if paints), "Q"]

    def _state(
        self,
        style: Mapping[str, str],
        fill: tuple[float, float, float] | None,
        stroke: tuple[float, float, float] | None,
        width: float,
        matrix: Matrix,
    ) -> Iterable[str]:
        if fill:
            yield "{:.4f} {:.4f} {:.4f} rg".format(*fill)
        if stroke:
            yield "{:.4f} {:.4f} {:.4f} RG".format(*stroke)
            yield f"{width:.5f} w"
            yield f"{('butt', 'round', 'square').index(style['stroke-linecap'])} J"
            joins = {"miter": 0, "round": 1, "bevel": 2}
            yield f"{joins.get(style['stroke-linejoin'], 0)} j"
            dashes = numbers(style["stroke-dasharray"])
            if any(dashes):
                yield f"[{' '.join(f'{dash * scale_of(matrix):.4f}' for dash in dashes)}] 0 d"

    def _paint_text(self, node: etree._Element, matrix: Matrix, style: Mapping[str, str]) -> None:
        runs = list(
            self._runs(node, style, float(numbers(node.get("x", "0"))[0]), numbers(node.get("y", "0"))[0])
        )
        font = self._font("text")
        start = 0
        while start < len(runs):
            end = start + 1
            while end < len(runs) and runs[end][1] is None:
                end += 1
            line = runs[start:end]
            lengths = [font.text_length(text, float(numbers(s["font-size"])[0])) for text, _, s in line]
            x, y = line[0][1] or (0.0, 0.0)
            x -= {"middle": 0.5, "end": 1.0}.get(line[0][2]["text-anchor"], 0.0) * sum(lengths)
            for (text, _, own), length in zip(line, lengths, strict=True):
                size = float(numbers(own["font-size"])[0])
                gids = [font.has_glyph(ord(character)) for character in text]
                self._show_glyphs("text", gids, concat((size, 0, 0, -size, x, y), matrix), own)
                x += length
            start = end

    def _runs(
        self, node: etree._Element, style: Mapping[str, str], x: float, y: float
    ) -> Iterable[tuple[str, tuple[float, float] | None, Mapping[str, str]]]:
        """Runs of text with their place; None for one that goes on where the last one ended."""
        at: tuple[float, float] | None = (x, y)
        if node.text and node.text.strip():
            yield node.text.strip(), at, style
            at = None
        for child in node:
            own = self._styled(child, "tspan", style)
            placed = child.get("x") is not None or child.get("y") is not None
            if placed:
                at = tuple(numbers(child.get(key, str(v)))[0] for key, v in (("x", x), ("y", y)))  # type: ignore[assignment]
            for text, place, deeper in self._runs(child, own, *(at or (x, y))):
                yield text, (place if at is not None else None), deeper
                at = None
            if child.tail and child.tail.strip():
                yield child.tail.strip(), at, style
                at = None

    def _show_glyphs(self, name: str, gids: list[int], place: Matrix, style: Mapping[str, str]) -> None:
        """Glyphs from an origin on; ``place`` maps ems, y up, to the page."""
        fill = color_of(style["fill"], style, style["fill-opacity"])
        size = scale_of(place)
        if fill is None or size <= 0 or not gids or style["visibility"] != "visible":
            return
        self._font(name)
        a, b, c, d, e, f = place
        self._reach([apply(place, u, v) for u in (0.0, 0.6 * len(gids)) for v in (-0.2, 0.8)])
        codes = "".join(f"{gid:04x}" for gid in gids)
        turn = " ".join(f"{value / size:.6f}" for value in (a, b, c, d))
        color = "{:.4f} {:.4f} {:.4f} rg".format(*fill)
        self.operators.append(
            f"q {color} BT /{_RESOURCE[name]} {size:.4f} Tf {turn} {e:.5f} {f:.5f} Tm <{codes}> Tj ET Q"
        )

    def _font(self, name: str) -> Any:
        import pymupdf

        if name not in self._fonts:
            if name == "music":
                assert self._glyphs is not None
                font = pymupdf.Font(fontbuffer=self._glyphs.buffer)
            elif "/" in self._text_font or "\\" in self._text_font:
                font = pymupdf.Font(fontfile=self._text_font)
            else:
                font = pymupdf.Font(self._text_font)
            self._page.insert_font(fontname=_RESOURCE[name], fontbuffer=font.buffer)
            self._fonts[name] = font
        return self._fonts[name]

    def _reach(self, points: Iterable[tuple[float, float]]) -> None:
        if self._open:
            box = self._open[-1]
            for x, y in points:
                box[:] = min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y)


_RESOURCE: Final = {"text": "Text", "music": "Music"}


def _is_length(text: str | None) -> bool:
    return bool(text) and not str(text).endswith("%")


def _pieces(node: etree._Element, tag: str) -> Iterable[Piece]:
    """The outline of a shape in its own units."""

    def value(name: str) -> float:
        return (numbers(node.get(name, "0")) or [0.0])[0]

    if tag == "path":
        return read_path(node.get("d", ""))
    if tag == "line":
        return [("m", (value("x1"), value("y1"))), ("l", (value("x2"), value("y2")))]
    if tag in ("polyline", "polygon"):
        found = numbers(node.get("points", ""))
        made: list[Piece] = [
            ("l" if index else "m", (found[index], found[index + 1])) for index in range(0, len(found) - 1, 2)
        ]
        return [*made, ("h", ())] if tag == "polygon" and made else made
    if tag == "rect":
        x, y, width, height = (value(name) for name in ("x", "y", "width", "height"))
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        return [("l" if index else "m", corner) for index, corner in enumerate(corners)] + [("h", ())]
    radii = (value("r"),) * 2 if tag == "circle" else (value("rx"), value("ry"))
    return ellipse(value("cx"), value("cy"), *radii)

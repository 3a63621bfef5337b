"""A device of MuPDF that records what a page paints, as operations with their state."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import pymupdf
from pymupdf import mupdf

from docai.geometry import BBox, touches
from docai.pipelines.ingest.drawing import Cap, Color
from docai.pipelines.ingest.drawing_flatten import CLOSE, CURVE, LINE, MOVE

Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f: ``x' = a x + c y + e``, ``y' = b x + d y + f``."""

MAX_TILES: Final = 1_000
"""Paths and glyphs that a pattern may repeat; where it would repeat more, its area is painted as a whole."""

_CALLBACKS: Final = (
    *("fill_path", "stroke_path", "clip_path", "clip_stroke_path"),
    *("fill_text", "stroke_text", "clip_text", "clip_stroke_text"),
    *("fill_shade", "fill_image", "fill_image_mask", "clip_image_mask"),
    *("pop_clip", "begin_mask", "end_mask", "begin_group", "end_group", "begin_tile", "end_tile"),
)

_CAPS: Final[tuple[Cap, ...]] = ("butt", "round", "square", "butt")

MUPDF_CALL_ERRORS: Final = (mupdf.FzErrorBase, RuntimeError, ValueError)
"""What calls of MuPDF were seen to raise."""


class Clip(NamedTuple):
    """What the clips in force at one time let through."""

    bbox: BBox
    is_exact: bool
    """They let through the whole box."""


class PathRecord(NamedTuple):
    """One painted path; its operations are ``codes[begin:end]`` of the recorder."""

    order: int
    begin: int
    end: int
    matrix: Matrix
    stroke: Color | None
    fill: Color | None
    width: float
    """Before the matrix."""
    cap: Cap
    dashes: tuple[float, ...]
    """Before the matrix."""
    opacity: float
    is_shaded: bool
    clip: int


class GlyphRecord(NamedTuple):
    """One painted glyph."""

    order: int
    text: str
    shape: int
    matrix: Matrix
    """From ems."""
    color: Color
    opacity: float
    clip: int


class ImageRecord(NamedTuple):
    """One painted image."""

    order: int
    bbox: BBox
    is_opaque: bool


class _ClipFrame(NamedTuple):
    """A clip on the stack, with what is needed to paint its area."""

    index: int
    outer: int
    path: Any = None
    stroke: Any = None
    texts: tuple[Any, ...] = ()
    matrix: Any = None


class _TileFrame(NamedTuple):
    n_paths: int
    n_glyphs: int
    area: BBox
    view: BBox
    step: tuple[float, float]
    matrix: Matrix


class Recorder(mupdf.FzDevice2):  # type: ignore[misc]  # PyMuPDF has no types here
    """Records paths, glyphs and images that touch a box; clips outside of it are left out at once.

    Attributes:
        is_full: a limit was reached; what came after it is missing.
        codes, coordinates: of all operations of paths.
        shapes: font and glyph number of each kind of glyph.
    """

    def __init__(self, bbox: BBox, max_paths: int, max_glyphs: int, max_points: int, cookie: Any) -> None:
        super().__init__()
        for name in _CALLBACKS:
            getattr(self, f"use_virtual_{name}")()
        self.paths: list[PathRecord] = []
        self.glyphs: list[GlyphRecord] = []
        self.images: list[ImageRecord] = []
        self.clips: list[Clip] = [Clip(bbox, is_exact=True)]
        self.shapes: list[tuple[Any, int]] = []
        self.is_full = False
        self._limits = max_paths, max_glyphs, max_points
        self._cookie = cookie
        self._walker = PathWalker()
        self.codes = self._walker.codes
        self.coordinates = self._walker.coordinates
        self._order = 0
        self._stack: list[_ClipFrame] = []
        self._alphas = [1.0]
        self._tiles: list[_TileFrame] = []
        self._n_masks = 0
        self._shape_indices: dict[tuple[int, int], int] = {}
        self._colors: dict[tuple[Any, ...], Color] = {}
        self._last_fill_text: tuple[int, int] = (-1, 0)

    # Paths

    def fill_path(
        self, _ctx: Any, path: Any, _rule: int, ctm: Any, space: Any, color: Any, alpha: float, *_: Any
    ) -> None:
        if self._begins(alpha):
            self._add_path(path, None, ctm, self._color(space, color), alpha, self._clip)

    def stroke_path(
        self, _ctx: Any, path: Any, stroke: Any, ctm: Any, space: Any, color: Any, alpha: float, *_: Any
    ) -> None:
        if self._begins(alpha):
            self._add_path(path, stroke, ctm, self._color(space, color), alpha, self._clip)

    def _begins(self, alpha: float) -> bool:
        """Count something painted; whether it is to be recorded."""
        self._order += 1
        return not (self.is_full or self._n_masks or alpha <= 0 or self._alphas[-1] <= 0)

    def _add_path(
        self,
        path: Any,
        stroke: Any,
        ctm: Any,
        color: Color,
        alpha: float,
        clip: int,
        *,
        is_shaded: bool = False,
    ) -> None:
        bounds = mupdf.ll_fz_bound_path(path, stroke, ctm)
        # Also false for what is not a number.
        if not (self._tiles or touches(_box(bounds), self.clips[clip].bbox)):
            return
        begin = len(self.codes)
        begin_coordinates = len(self.coordinates)
        self._walker.walk(path, fills=stroke is None)
        end = len(self.codes)
        matrix = _matrix(ctm)
        opacity = alpha * self._alphas[-1]
        if stroke is None:
            record = PathRecord(
                self._order, begin, end, matrix, None, color, 0.0, "butt", (), opacity, is_shaded, clip
            )
        else:
            width, dashes = abs(stroke.linewidth), _dashes(stroke)
            cap = _CAPS[stroke.start_cap] if 0 <= stroke.start_cap < len(_CAPS) else "butt"
            record = PathRecord(
                self._order, begin, end, matrix, color, None, width, cap, dashes, opacity, is_shaded, clip
            )
            last = self.paths[-1] if self.paths else None
            if last is not None and self._is_same_path(last, record, begin_coordinates):
                del self.codes[begin:], self.coordinates[begin_coordinates:]
                record = record._replace(order=last.order, begin=last.begin, end=last.end, fill=last.fill)
                self.paths.pop()
        self.paths.append(record)
        self._check_limits()

    def _is_same_path(self, fill: PathRecord, stroke: PathRecord, begin_coordinates: int) -> bool:
        """Whether a stroke goes around what was just filled."""
        return (
            fill.stroke is None
            and fill.order == stroke.order - 1
            and fill.end == stroke.begin
            and fill.end - fill.begin == stroke.end - stroke.begin
            and (fill.matrix, fill.opacity, fill.clip) == (stroke.matrix, stroke.opacity, stroke.clip)
            and self.codes[fill.begin : fill.end] == self.codes[stroke.begin :]
            and self.coordinates[2 * begin_coordinates - len(self.coordinates) : begin_coordinates]
            == self.coordinates[begin_coordinates:]
        )

    def _check_limits(self) -> None:
        counts = len(self.paths), len(self.glyphs), len(self.codes)
        if any(count > most for count, most in zip(counts, self._limits, strict=True)):
            self.is_full = True
            if self._cookie is not None:
                self._cookie.m_internal.abort = 1

    def _color(self, space: Any, color: Any) -> Color:
        if not space or not color:
            return (0.0, 0.0, 0.0)
        values = tuple(mupdf.floats_getitem(color, index) for index in range(space.n))
        key = (int(space.this), *values)
        found = self._colors.get(key)
        if found is None:
            try:
                rgb = mupdf.FzColorspace(mupdf.FzColorspace.Fixed_RGB)
                parameters = mupdf.FzColorParams()
                red, green, blue = mupdf.ll_fz_convert_color(
                    space, color, rgb.m_internal, None, parameters.internal()
                )[:3]
                found = (_share(red), _share(green), _share(blue))
            except MUPDF_CALL_ERRORS:
                found = (0.0, 0.0, 0.0)
            self._colors[key] = found
        return found

    # Text

    def fill_text(
        self, _ctx: Any, text: Any, ctm: Any, space: Any, color: Any, alpha: float, *_: Any
    ) -> None:
        if self._begins(alpha):
            self._last_fill_text = self._order, int(text.this)
            self._add_text(text, ctm, self._color(space, color), alpha, self._clip)

    def stroke_text(
        self, _ctx: Any, text: Any, _stroke: Any, ctm: Any, space: Any, color: Any, alpha: float, *_: Any
    ) -> None:
        # Text that is filled and stroked comes twice.
        was_filled = self._last_fill_text == (self._order, int(text.this))
        if self._begins(alpha) and not was_filled:
            self._add_text(text, ctm, self._color(space, color), alpha, self._clip)

    def _add_text(self, text: Any, ctm: Any, color: Color, alpha: float, clip: int) -> None:
        outer = _matrix(ctm)
        opacity = alpha * self._alphas[-1]
        span = text.head
        while span:
            self._add_span(span, outer, color, opacity, clip)
            span = span.next
        self._check_limits()

    def _add_span(self, span: Any, outer: Matrix, color: Color, opacity: float, clip: int) -> None:
        items = mupdf.FzTextSpan(span)
        trm = span.trm
        turn = (trm.a, trm.b, trm.c, trm.d)
        a, b, c, d, _, _ = _joined((*turn, 0.0, 0.0), outer)
        font = int(span.font.this)
        for index in range(span.len):
            item = items.items(index)
            text = chr(item.ucs) if 0 < item.ucs < 0x110000 and not 0xD800 <= item.ucs < 0xE000 else ""
            if item.gid < 0:
                # The second and later characters of a ligature.
                if self.glyphs and self.glyphs[-1].order == self._order:
                    self.glyphs[-1] = self.glyphs[-1]._replace(text=self.glyphs[-1].text + text)
                continue
            shape = self._shape_indices.get((font, item.gid))
            if shape is None:
                shape = self._shape_indices[font, item.gid] = len(self.shapes)
                self.shapes.append((mupdf.FzFont(mupdf.ll_fz_keep_font(span.font)), item.gid))
            x, y = item.x, item.y
            e = outer[0] * x + outer[2] * y + outer[4]
            f = outer[1] * x + outer[3] * y + outer[5]
            self.glyphs.append(
                GlyphRecord(self._order, text, shape, (a, b, c, d, e, f), color, opacity, clip)
            )

    # Images and shadings

    def fill_image(self, _ctx: Any, image: Any, ctm: Any, alpha: float, *_: Any) -> None:
        if self._begins(alpha):
            self._add_image(ctm, is_opaque=alpha * self._alphas[-1] >= 1 and not image.mask)

    def fill_image_mask(
        self, _ctx: Any, _image: Any, ctm: Any, _space: Any, _color: Any, alpha: float, *_: Any
    ) -> None:
        if self._begins(alpha):
            self._add_image(ctm, is_opaque=False)

    def _add_image(self, ctm: Any, *, is_opaque: bool) -> None:
        matrix = _matrix(ctm)
        clip = self.clips[self._clip]
        box = _turned((0.0, 0.0, 1.0, 1.0), matrix)
        if touches(box, clip.bbox):
            is_upright = _is_upright(matrix)
            box = _common(box, clip.bbox)
            self.images.append(ImageRecord(self._order, box, is_opaque and is_upright and clip.is_exact))

    def fill_shade(self, _ctx: Any, shade: Any, ctm: Any, alpha: float, *_: Any) -> None:
        if not self._begins(alpha):
            return
        if self._stack:
            box = self.clips[self._clip].bbox
            self._fill_clip(_mean_color(shade, ctm, box), alpha)

    def _fill_clip(self, color: Color, alpha: float) -> None:
        """Paint what the innermost clip lets through."""
        frame = self._stack[-1]
        for text in frame.texts:
            self._add_text(text, frame.matrix, color, alpha, frame.outer)
        if frame.path is not None:
            path = frame.path.m_internal
            stroke = None if frame.stroke is None else frame.stroke.m_internal
            self._add_path(path, stroke, frame.matrix, color, alpha, frame.outer, is_shaded=True)

    # Clips

    @property
    def _clip(self) -> int:
        """Index of the clip in force."""
        return self._stack[-1].index if self._stack else 0

    def clip_path(self, _ctx: Any, path: Any, _rule: int, ctm: Any, _scissor: Any) -> None:
        box = _box(mupdf.ll_fz_bound_path(path, None, ctm))
        is_rectangle = bool(mupdf.ll_fz_path_is_rect(path, ctm))
        kept = mupdf.FzPath(mupdf.ll_fz_keep_path(path))
        self._push_clip(box, is_exact=is_rectangle, path=kept, matrix=_kept_matrix(ctm))

    def clip_stroke_path(self, _ctx: Any, path: Any, stroke: Any, ctm: Any, _scissor: Any) -> None:
        box = _box(mupdf.ll_fz_bound_path(path, stroke, ctm))
        kept = mupdf.FzPath(mupdf.ll_fz_keep_path(path))
        kept_stroke = mupdf.FzStrokeState(mupdf.ll_fz_keep_stroke_state(stroke))
        self._push_clip(box, is_exact=False, path=kept, stroke=kept_stroke, matrix=_kept_matrix(ctm))

    def clip_text(self, _ctx: Any, text: Any, ctm: Any, _scissor: Any) -> None:
        box = _box(mupdf.ll_fz_bound_text(text, None, ctm))
        kept = mupdf.FzText(mupdf.ll_fz_keep_text(text)).m_internal
        self._push_clip(box, is_exact=False, texts=(kept,), matrix=_kept_matrix(ctm))

    def clip_stroke_text(self, _ctx: Any, text: Any, _stroke: Any, ctm: Any, scissor: Any) -> None:
        self.clip_text(_ctx, text, ctm, scissor)

    def clip_image_mask(self, _ctx: Any, _image: Any, ctm: Any, _scissor: Any) -> None:
        self._push_clip(_turned((0.0, 0.0, 1.0, 1.0), _matrix(ctm)), is_exact=False)

    def begin_mask(self, _ctx: Any, area: Any, *_: Any) -> None:
        # What is painted until its end is the mask, which then clips until pop_clip.
        self._push_clip(_box(area), is_exact=False)
        self._n_masks += 1

    def end_mask(self, *_: Any) -> None:
        self._n_masks = max(0, self._n_masks - 1)

    def _push_clip(
        self,
        box: BBox,
        *,
        is_exact: bool,
        path: Any = None,
        stroke: Any = None,
        texts: tuple[Any, ...] = (),
        matrix: Any = None,
    ) -> None:
        outer = self._clip
        index = outer
        # Inside the cell of a pattern, clips lie elsewhere than what is repeated.
        if not self._tiles:
            over = self.clips[outer]
            clip = Clip(_common(box, over.bbox), is_exact and over.is_exact)
            if clip != over:
                index = len(self.clips)
                self.clips.append(clip)
        self._stack.append(_ClipFrame(index, outer, path, stroke, texts, matrix))

    def pop_clip(self, *_: Any) -> None:
        if self._stack:
            self._stack.pop()

    # Groups and patterns

    def begin_group(self, _ctx: Any, _area: Any, _space: Any, *rest: Any) -> None:
        self._alphas.append(self._alphas[-1] * rest[3])

    def end_group(self, *_: Any) -> None:
        if len(self._alphas) > 1:
            self._alphas.pop()

    def begin_tile(self, _ctx: Any, area: Any, view: Any, dx: float, dy: float, ctm: Any, *_: Any) -> int:
        frame = _TileFrame(
            len(self.paths), len(self.glyphs), _box(area), _box(view), (abs(dx), abs(dy)), _matrix(ctm)
        )
        self._tiles.append(frame)
        return 0

    def end_tile(self, *_: Any) -> None:
        if not self._tiles:
            return
        tile = self._tiles.pop()
        paths, glyphs = self.paths[tile.n_paths :], self.glyphs[tile.n_glyphs :]
        del self.paths[tile.n_paths :], self.glyphs[tile.n_glyphs :]
        if self._tiles or not (paths or glyphs):
            return
        shifts = _tile_shifts(tile, MAX_TILES // (len(paths) + len(glyphs)))
        if shifts is None:
            color = next((path.fill or path.stroke for path in paths), None) or glyphs[0].color
            if self._stack:
                self._fill_clip(color, 1.0)
            return
        for dx, dy in shifts:
            self.paths += [path._replace(matrix=_shifted(path.matrix, dx, dy)) for path in paths]
            self.glyphs += [glyph._replace(matrix=_shifted(glyph.matrix, dx, dy)) for glyph in glyphs]
        self._check_limits()


class PathWalker(mupdf.FzPathWalker2):  # type: ignore[misc]
    """Appends the operations of paths to flat lists. Every subpath begins with a move."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("moveto", "lineto", "curveto", "closepath"):
            getattr(self, f"use_virtual_{name}")()
        self.codes: list[int] = []
        self.coordinates: list[float] = []
        self._is_open = False
        self._fills = False
        self._start = (0.0, 0.0)

    def walk(self, path: Any, *, fills: bool) -> None:
        """``fills`` closes each subpath."""
        self._is_open, self._fills, self._start = False, fills, (0.0, 0.0)
        mupdf.ll_fz_walk_path(path, self.m_internal, self.m_internal)
        if self._is_open and fills:
            self.codes.append(CLOSE)

    def moveto(self, _ctx: Any, x: float, y: float) -> None:
        if self._is_open and self._fills:
            self.codes.append(CLOSE)
        self.codes.append(MOVE)
        self.coordinates += (x, y)
        self._start = (x, y)
        self._is_open = True

    def lineto(self, _ctx: Any, x: float, y: float) -> None:
        if not self._is_open:
            self.moveto(_ctx, *self._start)
        self.codes.append(LINE)
        self.coordinates += (x, y)

    def curveto(self, _ctx: Any, *points: float) -> None:
        if not self._is_open:
            self.moveto(_ctx, *self._start)
        self.codes.append(CURVE)
        self.coordinates += points

    def closepath(self, _ctx: Any) -> None:
        if self._is_open:
            self.codes.append(CLOSE)
            self._is_open = False


def _mean_color(shade: Any, ctm: Any, box: BBox) -> Color:
    """The mean color that a shading paints in a box; gray where that cannot be said."""
    n = 8
    width, height = box[2] - box[0], box[3] - box[1]
    if not (0 < width < math.inf and 0 < height < math.inf):
        return (0.5, 0.5, 0.5)
    try:
        rgb = mupdf.FzColorspace(mupdf.FzColorspace.Fixed_RGB)
        pixmap = mupdf.FzPixmap(rgb, mupdf.FzIrect(0, 0, n, n), mupdf.FzSeparations(), 1)
        pixmap.fz_clear_pixmap()
        to_pixels = mupdf.FzMatrix(n / width, 0, 0, n / height, -box[0] * n / width, -box[1] * n / height)
        device = mupdf.FzDevice(mupdf.FzMatrix(), pixmap)
        kept = mupdf.FzShade(mupdf.ll_fz_keep_shade(shade))
        device.fz_fill_shade(
            kept, mupdf.fz_concat(mupdf.FzMatrix(ctm), to_pixels), 1.0, mupdf.FzColorParams()
        )
        device.fz_close_device()
        samples = pymupdf.Pixmap("raw", pixmap).samples
    except MUPDF_CALL_ERRORS:
        return (0.5, 0.5, 0.5)
    total = sum(samples[3::4])
    if not total:
        return (0.5, 0.5, 0.5)
    # Colors of a pixmap with alpha are multiplied by it.
    red, green, blue = (_share(sum(samples[index::4]) / total) for index in range(3))
    return (red, green, blue)


def _dashes(stroke: Any) -> tuple[float, ...]:
    if not stroke.dash_len:
        return ()
    lengths = stroke.dash_list
    dashes = tuple(abs(mupdf.floats_getitem(lengths, index)) for index in range(min(stroke.dash_len, 32)))
    return dashes if sum(dashes) > 0 else ()


def _tile_shifts(tile: _TileFrame, most: int) -> list[tuple[float, float]] | None:
    """By how much to move the cell of a pattern to cover its area; None for more than ``most`` times."""
    ranges = []
    for axis in (0, 1):
        step = tile.step[axis]
        low, high = tile.area[axis] - tile.view[axis + 2], tile.area[axis + 2] - tile.view[axis]
        if not (step > 0 and math.isfinite(low) and math.isfinite(high) and (high - low) / step <= most + 2):
            return None
        first, last = math.floor(low / step + 1e-3) + 1, math.ceil(high / step - 1e-3) - 1
        ranges.append([index * step for index in range(first, last + 1)])
    if len(ranges[0]) * len(ranges[1]) > most:
        return None
    a, b, c, d, _, _ = tile.matrix
    return [(a * x + c * y, b * x + d * y) for y in ranges[1] for x in ranges[0]]


def _shifted(matrix: Matrix, dx: float, dy: float) -> Matrix:
    return (*matrix[:4], matrix[4] + dx, matrix[5] + dy)


def _matrix(m: Any) -> Matrix:
    return (m.a, m.b, m.c, m.d, m.e, m.f)


def _kept_matrix(m: Any) -> Any:
    """A matrix of its own: that of a callback is gone after it."""
    return mupdf.ll_fz_make_matrix(m.a, m.b, m.c, m.d, m.e, m.f)


def _joined(first: Matrix, second: Matrix) -> Matrix:
    """First the one, then the other."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def _turned(box: BBox, matrix: Matrix) -> BBox:
    """The box around a box under a matrix."""
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _is_upright(matrix: Matrix) -> bool:
    """Whether it makes upright rectangles of such."""
    a, b, c, d, _, _ = matrix
    slack = 1e-3 * max(abs(a), abs(b), abs(c), abs(d))
    return (abs(b) <= slack and abs(c) <= slack) or (abs(a) <= slack and abs(d) <= slack)


def _box(rect: Any) -> BBox:
    return (rect.x0, rect.y0, rect.x1, rect.y1)


def _common(a: BBox, b: BBox) -> BBox:
    """What two boxes share; with ``x1 < x0`` or ``y1 < y0`` where they are apart."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _share(value: float) -> float:
    """A part of a color, 0…1."""
    return min(max(float(value), 0.0), 1.0) if value == value else 0.0

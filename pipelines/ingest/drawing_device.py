"""A device of MuPDF that records what a page paints, as operations with their state."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pymupdf import mupdf

from docai.geometry import BBox, touches
from docai.pipelines.ingest.drawing import Cap, Color
from docai.pipelines.ingest.drawing_mupdf import (
    MUPDF_CALL_ERRORS,
    PathWalker,
    color_share,
    dashes_of,
    kept_matrix,
    mean_color,
)
from docai.pipelines.ingest.drawing_records import (
    Clip,
    GlyphRecord,
    ImageRecord,
    Matrix,
    PathRecord,
    TileFrame,
    box_of,
    common_box,
    is_upright,
    joined_matrix,
    matrix_of,
    shifted,
    tile_shifts,
    turned_box,
)

MAX_TILES: Final = 1_000
"""Paths and glyphs that a pattern may repeat; where it would repeat more, its area is painted as a whole."""

NORMAL_BLENDING: Final = 0
"""Number in MuPDF of the blend mode that covers what is below."""

_CALLBACKS: Final = (
    *("fill_path", "stroke_path", "clip_path", "clip_stroke_path"),
    *("fill_text", "stroke_text", "clip_text", "clip_stroke_text"),
    *("fill_shade", "fill_image", "fill_image_mask", "clip_image_mask"),
    *("pop_clip", "begin_mask", "end_mask", "begin_group", "end_group", "begin_tile", "end_tile"),
)

_CAPS: Final[dict[int, Cap]] = {0: "butt", 1: "round", 2: "square"}


class _ClipFrame(NamedTuple):
    """A clip on the stack, with what is needed to paint its area."""

    clip: int
    outer: int
    path: Any = None
    stroke: Any = None
    texts: tuple[Any, ...] = ()
    matrix: Any = None


class _GroupFrame(NamedTuple):
    alpha: float
    is_blended: bool


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
        self._groups = [_GroupFrame(1.0, is_blended=False)]
        self._tiles: list[TileFrame] = []
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
        return not (self.is_full or self._n_masks or alpha <= 0 or self._groups[-1].alpha <= 0)

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
        if not (self._tiles or touches(box_of(bounds), self.clips[clip].bbox)):
            return
        begin = len(self.codes)
        begin_coordinates = len(self.coordinates)
        self._walker.walk(path, fills=stroke is None)
        end = len(self.codes)
        matrix = matrix_of(ctm)
        opacity = alpha * self._groups[-1].alpha
        width, cap = 0.0, _CAPS[0]
        dashes: tuple[float, ...] = ()
        if stroke is not None:
            width, cap, dashes = abs(stroke.linewidth), _CAPS.get(stroke.start_cap, "butt"), dashes_of(stroke)
        record = PathRecord(
            order=self._order,
            begin=begin,
            end=end,
            matrix=matrix,
            stroke=None if stroke is None else color,
            fill=color if stroke is None else None,
            width=width,
            cap=cap,
            dashes=dashes,
            opacity=opacity,
            is_shaded=is_shaded,
            is_blended=self._groups[-1].is_blended,
            clip=clip,
        )
        if stroke is not None:
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
        max_paths, max_glyphs, max_points = self._limits
        if len(self.paths) > max_paths or len(self.glyphs) > max_glyphs or len(self.codes) > max_points:
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
                found = (color_share(red), color_share(green), color_share(blue))
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
        outer = matrix_of(ctm)
        opacity = alpha * self._groups[-1].alpha
        span = text.head
        while span:
            self._add_span(span, outer, color, opacity, clip)
            span = span.next
        self._check_limits()

    def _add_span(self, span: Any, outer: Matrix, color: Color, opacity: float, clip: int) -> None:
        items = mupdf.FzTextSpan(span)
        trm = span.trm
        turn = (trm.a, trm.b, trm.c, trm.d)
        a, b, c, d, _, _ = joined_matrix((*turn, 0.0, 0.0), outer)
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
            self._add_image(ctm, is_opaque=alpha * self._groups[-1].alpha >= 1 and not image.mask)

    def fill_image_mask(
        self, _ctx: Any, _image: Any, ctm: Any, _space: Any, _color: Any, alpha: float, *_: Any
    ) -> None:
        if self._begins(alpha):
            self._add_image(ctm, is_opaque=False)

    def _add_image(self, ctm: Any, *, is_opaque: bool) -> None:
        matrix = matrix_of(ctm)
        clip = self.clips[self._clip]
        box = turned_box((0.0, 0.0, 1.0, 1.0), matrix)
        if touches(box, clip.bbox):
            box = common_box(box, clip.bbox)
            is_blended = self._groups[-1].is_blended
            hides = is_opaque and not is_blended and is_upright(matrix) and clip.is_exact
            self.images.append(ImageRecord(self._order, box, hides))

    def fill_shade(self, _ctx: Any, shade: Any, ctm: Any, alpha: float, *_: Any) -> None:
        if not self._begins(alpha):
            return
        if self._stack:
            box = self.clips[self._clip].bbox
            self._fill_clip(mean_color(shade, ctm, box), alpha)

    def _fill_clip(self, color: Color, alpha: float) -> None:
        """Paint what the innermost clip lets through."""
        frame = self._stack[-1]
        for text in frame.texts:
            self._add_text(text.m_internal, frame.matrix, color, alpha, frame.outer)
        if frame.path is not None:
            path = frame.path.m_internal
            stroke = None if frame.stroke is None else frame.stroke.m_internal
            self._add_path(path, stroke, frame.matrix, color, alpha, frame.outer, is_shaded=True)

    # Clips

    @property
    def _clip(self) -> int:
        """Index of the clip in force."""
        return self._stack[-1].clip if self._stack else 0

    def clip_path(self, _ctx: Any, path: Any, _rule: int, ctm: Any, _scissor: Any) -> None:
        box = box_of(mupdf.ll_fz_bound_path(path, None, ctm))
        is_rectangle = bool(mupdf.ll_fz_path_is_rect(path, ctm))
        kept = mupdf.FzPath(mupdf.ll_fz_keep_path(path))
        self._push_clip(box, is_exact=is_rectangle, path=kept, matrix=kept_matrix(ctm))

    def clip_stroke_path(self, _ctx: Any, path: Any, stroke: Any, ctm: Any, _scissor: Any) -> None:
        box = box_of(mupdf.ll_fz_bound_path(path, stroke, ctm))
        kept = mupdf.FzPath(mupdf.ll_fz_keep_path(path))
        kept_stroke = mupdf.FzStrokeState(mupdf.ll_fz_keep_stroke_state(stroke))
        self._push_clip(box, is_exact=False, path=kept, stroke=kept_stroke, matrix=kept_matrix(ctm))

    def clip_text(self, _ctx: Any, text: Any, ctm: Any, _scissor: Any) -> None:
        box = box_of(mupdf.ll_fz_bound_text(text, None, ctm))
        kept = mupdf.FzText(mupdf.ll_fz_keep_text(text))
        self._push_clip(box, is_exact=False, texts=(kept,), matrix=kept_matrix(ctm))

    def clip_stroke_text(self, _ctx: Any, text: Any, _stroke: Any, ctm: Any, scissor: Any) -> None:
        self.clip_text(_ctx, text, ctm, scissor)

    def clip_image_mask(self, _ctx: Any, _image: Any, ctm: Any, _scissor: Any) -> None:
        self._push_clip(turned_box((0.0, 0.0, 1.0, 1.0), matrix_of(ctm)), is_exact=False)

    def begin_mask(self, _ctx: Any, area: Any, *_: Any) -> None:
        # What is painted until its end is the mask, which then clips until pop_clip.
        self._push_clip(box_of(area), is_exact=False)
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
            clip = Clip(common_box(box, over.bbox), is_exact and over.is_exact)
            if clip != over:
                index = len(self.clips)
                self.clips.append(clip)
        self._stack.append(_ClipFrame(index, outer, path, stroke, texts, matrix))

    def pop_clip(self, *_: Any) -> None:
        if self._stack:
            self._stack.pop()

    # Groups and patterns

    def begin_group(self, _ctx: Any, _area: Any, _space: Any, *rest: Any) -> None:
        _isolated, _knockout, blend_mode, alpha = rest
        outer = self._groups[-1]
        is_blended = outer.is_blended or blend_mode != NORMAL_BLENDING
        self._groups.append(_GroupFrame(outer.alpha * alpha, is_blended))

    def end_group(self, *_: Any) -> None:
        if len(self._groups) > 1:
            self._groups.pop()

    def begin_tile(self, _ctx: Any, area: Any, view: Any, dx: float, dy: float, ctm: Any, *_: Any) -> int:
        frame = TileFrame(
            len(self.paths), len(self.glyphs), box_of(area), box_of(view), (abs(dx), abs(dy)), matrix_of(ctm)
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
        shifts = tile_shifts(tile, MAX_TILES // (len(paths) + len(glyphs)))
        if shifts is None:
            color = next((path.fill or path.stroke for path in paths), None) or glyphs[0].color
            if self._stack:
                self._fill_clip(color, 1.0)
            return
        for dx, dy in shifts:
            self.paths += [path._replace(matrix=shifted(path.matrix, dx, dy)) for path in paths]
            self.glyphs += [glyph._replace(matrix=shifted(glyph.matrix, dx, dy)) for glyph in glyphs]
        self._check_limits()

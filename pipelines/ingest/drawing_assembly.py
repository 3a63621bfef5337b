"""The drawing that a recorder of a page has seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, grow, touches
from docai.pipelines.ingest.drawing import (
    Drawing,
    PaintedImage,
    PaintedPath,
    PlacedGlyph,
    Subpath,
    place_subpaths,
)
from docai.pipelines.ingest.drawing_clips import cut_areas, cut_strokes
from docai.pipelines.ingest.drawing_device import Recorder
from docai.pipelines.ingest.drawing_flatten import flatten_paths
from docai.pipelines.ingest.drawing_glyphs import read_shapes
from docai.pipelines.ingest.drawing_records import Clip, PathRecord

CUT_TOLERANCE: Final = 0.01
"""Points by which something may reach over its clip without being cut."""

UNEVEN_RATIO: Final = 1.01
"""Of the two scales of a matrix, above which strokes have other widths in other directions."""

MAX_COVERS: Final = 256
"""Opaque boxes, the largest, below which things are looked for that they hide."""


def assemble_drawing(recorder: Recorder, bbox: BBox, *, is_complete: bool) -> Drawing:
    """What a recorder has seen, in straight pieces, without what is cut away or hidden."""
    paths = list(_paths(recorder))
    glyphs = list(_glyphs(recorder))
    images = [PaintedImage(*record) for record in recorder.images]
    blended = {record.order for record in recorder.paths if record.is_blended}
    covers = [(image.order, image.bbox) for image in images if image.is_opaque]
    covers += _opaque_boxes(path for path in paths if path.order not in blended)
    if covers:
        paths = _visible(paths, [grow(path.bbox, path.width / 2) for path in paths], covers)
        glyphs = _visible(glyphs, [glyph.bbox for glyph in glyphs], covers)
    return Drawing(bbox, tuple(paths), tuple(glyphs), tuple(images), is_complete)


def _paths(recorder: Recorder) -> Iterator[PaintedPath]:
    records = recorder.paths
    if not records:
        return
    # Copies that a pattern makes share their operations.
    spans = [(record.begin, record.end) for record in records]
    codes, coordinates = recorder.codes, recorder.coordinates
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        codes, coordinates, spans = _unshared(codes, coordinates, spans)
    matrices = [record.matrix for record in records]
    flat = flatten_paths(codes, coordinates, spans, matrices)
    parts = flat.subpaths(len(records))
    boxes: list[BBox] = [(x0, y0, x1, y1) for x0, y0, x1, y1 in flat.boxes(len(records)).tolist()]
    have_small = flat.have_small(len(records)).tolist()
    for index, record in enumerate(records):
        shown, box = parts[index], boxes[index]
        if have_small[index]:
            shown = _painted_parts(record, shown)
            box = _around(shown) if shown else box
        if shown:
            yield from _cut_path(record, shown, box, recorder.clips[record.clip])


def _unshared(
    codes: Sequence[int], coordinates: Sequence[float], spans: list[tuple[int, int]]
) -> tuple[list[int], list[float], list[tuple[int, int]]]:
    sizes = np.array([2, 2, 6, 0])[np.array(codes, np.int64)]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    new_codes: list[int] = []
    new_coordinates: list[float] = []
    new_spans = []
    for begin, end in spans:
        new_spans.append((len(new_codes), len(new_codes) + end - begin))
        new_codes += codes[begin:end]
        new_coordinates += coordinates[offsets[begin] : offsets[end]]
    return new_codes, new_coordinates, new_spans


def _painted_parts(record: PathRecord, parts: tuple[Subpath, ...]) -> tuple[Subpath, ...]:
    """Without dots that nothing is painted at, and areas that are there and back, as programs fill each line
    that they stroke."""
    if record.stroke is None:
        return tuple(part for part in parts if len(part.points) > 3)
    if record.cap == "butt" or record.width <= 0:
        return tuple(part for part in parts if not _is_dot(part))
    return parts


def _cut_path(record: PathRecord, parts: tuple[Subpath, ...], box: BBox, clip: Clip) -> Iterator[PaintedPath]:
    """The path as painted: none where it is cut away, two where its outline is cut apart from its area."""
    width, dashes = _stroke_widths(record, parts)
    reach = grow(box, width / 2) if width else box
    if not touches(reach, clip.bbox):
        return
    is_clipped = not clip.is_exact and not _is_well_inside(reach, clip.bbox)
    path = PaintedPath(
        record.order,
        parts,
        record.stroke,
        record.fill,
        width,
        dashes,
        record.opacity,
        box,
        is_clipped,
        record.cap,
        record.is_shaded,
    )
    if _is_inside(box, grow(clip.bbox, CUT_TOLERANCE)):
        yield path
        return
    if record.fill is not None and (areas := cut_areas(parts, clip.bbox)):
        yield replace(path, subpaths=areas, bbox=_around(areas), stroke=None, width=0.0, dashes=())
    if record.stroke is not None:
        lines = cut_strokes(parts, clip.bbox) or cut_strokes(parts, grow(clip.bbox, width / 2))
        if lines:
            yield replace(path, subpaths=lines, bbox=_around(lines), fill=None)


def _stroke_widths(record: PathRecord, parts: tuple[Subpath, ...]) -> tuple[float, tuple[float, ...]]:
    """Width and dashes on the page.

    Under a matrix that is not uniform, the mean over its pieces.
    """
    if record.stroke is None or not math.isfinite(record.width):
        return 0.0, ()
    a, b, c, d, _, _ = record.matrix
    det = abs(a * d - b * c)
    squares = a * a + b * b + c * c + d * d
    if not math.isfinite(squares):
        return 0.0, ()
    scale = math.sqrt(det)
    width_scale = along = scale
    # Of the singular values s ≥ t: s² + t² is the sum of squares, s t the determinant.
    if det > 0 and squares > (UNEVEN_RATIO + 1 / UNEVEN_RATIO) * det and parts:
        steps = np.concatenate([np.diff(part.points, axis=0) for part in parts])
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        before = np.hypot(d * steps[:, 0] - c * steps[:, 1], a * steps[:, 1] - b * steps[:, 0]) / det
        if lengths.sum() > 0 and before.sum() > 0:
            along = float(lengths.sum() / before.sum())
            width_scale = det / along
    return record.width * width_scale, tuple(dash * along for dash in record.dashes)


def _glyphs(recorder: Recorder) -> Iterator[PlacedGlyph]:
    records = recorder.glyphs
    if not records:
        return
    shapes = read_shapes(recorder.shapes, _paths)
    boxes = [_around(shape.subpaths) if shape.subpaths else None for shape in shapes]
    for order, text, index, (a, b, c, d, e, f), color, opacity, clip_index in records:
        size = math.hypot(c, d)
        if not (math.isfinite(a + b + c + d + e + f) and size > 0):
            continue
        shape, box = shapes[index], boxes[index]
        if box is None:
            placed = (e, f, e, f)
        elif (b == 0 and c == 0) or (a == 0 and d == 0):
            x0, y0, x1, y1 = box
            xs = sorted((a * x0 + c * y0 + e, a * x1 + c * y1 + e))
            ys = sorted((b * x0 + d * y0 + f, b * x1 + d * y1 + f))
            placed = (xs[0], ys[0], xs[1], ys[1])
        else:
            placed = _around(place_subpaths(shape.subpaths, (a, b, c, d), (e, f)))
        if touches(placed, recorder.clips[clip_index].bbox):
            yield PlacedGlyph(order, text, shape, (e, f), (a, b, c, d), size, color, opacity, placed)


def _opaque_boxes(paths: Iterable[PaintedPath]) -> Iterator[tuple[int, BBox]]:
    """Order and box of each upright rectangle that hides what is below."""
    for path in paths:
        if (
            path.fill is None
            or path.opacity < 1
            or path.is_clipped
            or path.is_shaded
            or len(path.subpaths) != 1
        ):
            continue
        points = path.subpaths[0].points
        if len(points) != 5:
            continue
        x0, y0, x1, y1 = path.bbox
        if (
            x1 > x0
            and y1 > y0
            and all(
                min(abs(x - x0), abs(x - x1)) < CUT_TOLERANCE
                and min(abs(y - y0), abs(y - y1)) < CUT_TOLERANCE
                for x, y in points.tolist()
            )
        ):
            yield path.order, path.bbox


def _visible(things: list[Any], boxes: list[BBox], covers: list[tuple[int, BBox]]) -> list[Any]:
    """The things of which something shows, as far as boxes tell."""
    if not things:
        return things
    places = np.array(boxes)
    orders = np.array([thing.order for thing in things])
    hidden = np.zeros(len(things), bool)
    largest = sorted(covers, key=lambda cover: _area(cover[1]), reverse=True)[:MAX_COVERS]
    for order, box in largest:
        x0, y0, x1, y1 = grow(box, CUT_TOLERANCE)
        inside: NDArray[np.bool_] = (
            (places[:, 0] >= x0) & (places[:, 1] >= y0) & (places[:, 2] <= x1) & (places[:, 3] <= y1)
        )
        hidden |= inside & (orders < order)
    return [thing for thing, is_hidden in zip(things, hidden.tolist(), strict=True) if not is_hidden]


def _area(box: BBox) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _is_dot(part: Subpath) -> bool:
    return len(part.points) == 2 and bool((part.points[0] == part.points[1]).all())


def _is_inside(box: BBox, outer: BBox) -> bool:
    return box[0] >= outer[0] and box[1] >= outer[1] and box[2] <= outer[2] and box[3] <= outer[3]


def _is_well_inside(box: BBox, outer: BBox) -> bool:
    """Whether a box is in the middle of another: what clips there is hardly ever seen."""
    margin_x, margin_y = 0.15 * (outer[2] - outer[0]), 0.15 * (outer[3] - outer[1])
    return _is_inside(box, grow(outer, -margin_x, -margin_y))


def _around(parts: tuple[Subpath, ...]) -> BBox:
    points = parts[0].points if len(parts) == 1 else np.concatenate([part.points for part in parts])
    x0, y0 = points.min(axis=0).tolist()
    x1, y1 = points.max(axis=0).tolist()
    return (x0, y0, x1, y1)

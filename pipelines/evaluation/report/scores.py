"""Two scores side by side: engraved where Verovio is installed, and their lines compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from docai.pipelines.evaluation.base import Prediction, Sample
from docai.pipelines.evaluation.report.alignment import align, runs
from docai.pipelines.evaluation.report.pictures import MAX_BYTES, MAX_SIDE, Album, Picture
from docai.pipelines.evaluation.report.views import (
    Block,
    Drawing,
    LinePair,
    Lines,
    Prose,
    Remark,
    Run,
    Sides,
    cut,
)
from docai.pipelines.external.engraving import engrave

_SECONDS = 20
"""For one engraving; Verovio was seen to crash, and one that does not end must not hold the report."""
_OPTIONS: dict[str, float | str] = {"breaks": "auto", "pageWidth": 2000, "pageHeight": 60000, "scale": 40}
_MAX_LINES = 400
_MAX_SHOWN = 60
_CONTEXT = 2
_ALIKE = 0.4
"""Likeness from which two lines are compared token by token."""
_TOKENS = re.compile(r"([\t ])")
_WIDTH = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)')


def compare_scores(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    """All music of both sides, one item after the other."""
    truth = "\n".join(item.text for item in sample.truth if item.kind == "score")
    items = prediction.items if prediction is not None else []
    given = "\n".join(item.text for item in items if item.kind == "score")
    sides = Sides(_side(truth, album))
    if not given.strip():
        sides.prediction.append(Remark("No music was given."))
        return sides
    sides.prediction += _side(given, album)
    sides.difference += _difference(truth.splitlines(), given.splitlines())
    return sides


def _side(kern: str, album: Album) -> list[Block]:
    picture = _engraved(kern, album)
    if picture is not None:
        return [Drawing(picture)]
    remark = "Verovio cannot engrave this." if find_spec("verovio") else "Verovio is not installed."
    return [Remark(remark), Prose(cut(kern), is_code=True)]


def _engraved(kern: str, album: Album) -> Picture | None:
    """The music as a picture; None where Verovio is not installed, refuses it, crashes or takes too long."""
    if find_spec("verovio") is None or not kern.strip():
        return None
    svg = engrave(kern, _OPTIONS, seconds=_SECONDS)
    return _fitted(svg, album) if svg else None


def _fitted(svg: str, album: Album) -> Picture | None:
    """The drawing as pixels, twice as fine as it is shown; itself where it cannot be turned into any."""
    match = _WIDTH.search(svg)
    width = min(max(round(float(match[1])), 1), MAX_SIDE) if match else MAX_SIDE
    if find_spec("resvg_py") is None:
        data = svg.encode()
        return album.add(data, "image/svg+xml", (width, 0)) if len(data) <= MAX_BYTES else None
    import resvg_py

    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg, background="white", width=2 * width, skip_system_fonts=True
        )
        with Image.open(BytesIO(bytes(png))) as image:
            height = round(width * image.height / image.width)
            picture = album.image(image)
    except (ValueError, UnidentifiedImageError):
        return None
    return replace(picture, width=width, height=height) if picture is not None else None


def _difference(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    too_long = max(len(old), len(new)) > _MAX_LINES
    pairs = list(_lines(old[:_MAX_LINES], new[:_MAX_LINES]))
    changed = [
        place for place, pair in enumerate(pairs) if any(run.look != "same" for run in (*pair.old, *pair.new))
    ]
    blocks: list[Block] = [Remark(f"{len(changed)} of {len(old)} lines differ.")]
    near = sorted({place + step for place in changed for step in range(-_CONTEXT, _CONTEXT + 1)})
    shown = [pairs[place] for place in near if 0 <= place < len(pairs)]
    if shown:
        blocks.append(Lines(shown[:_MAX_SHOWN]))
    if len(shown) > _MAX_SHOWN or too_long:
        blocks.append(Remark("The rest is not shown."))
    return blocks


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[LinePair]:
    """Each line beside the one it is most like, compared token by token."""
    from rapidfuzz.fuzz import ratio

    def likeness(a: str, b: str) -> float:
        return ratio(a, b) / 100

    for i, j in align(old, new, likeness):
        left: list[Run] = []
        right: list[Run] = []
        if i is not None and j is not None and likeness(old[i], new[j]) >= _ALIKE:
            left, right = runs(_TOKENS.split(old[i]), _TOKENS.split(new[j]))
        else:
            left = [Run(old[i], "missed" if j is None else "misread")] if i is not None else []
            right = [Run(new[j], "invented" if i is None else "misread")] if j is not None else []
        yield LinePair(None if i is None else i + 1, left, None if j is None else j + 1, right)

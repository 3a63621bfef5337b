"""A run as one page of HTML that needs nothing beside it: counts, slowest, failures, confidences, and
pictures of the records that are least sure.

Everything that comes from a document is escaped, and pictures are drawn in a worker process, under limits.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from importlib.resources import files
from pathlib import Path
from typing import Final

from docai._version import __version__
from docai.errors import DocaiError
from docai.files import write_durably
from docai.geometry import BBox
from docai.limits import Limits
from docai.pipelines.batch.folder import RunFolder
from docai.pipelines.batch.inputs import source_place
from docai.pipelines.batch.manifest import Manifest, Row
from docai.pipelines.batch.pages import N_BINS, Doubtful
from docai.pipelines.batch.sandbox import restrict
from docai.pipelines.batch.storage import local_copy
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError

N_PICTURES: Final = 24

SURE: Final = (N_BINS - 1) / N_BINS
"""Confidence from which a record is in the highest bar: in a short run the least sure may be sure enough."""

N_SLOWEST: Final = 10

N_ROWS: Final = 5_000
"""Failed inputs that are listed; beyond that a browser is slow, and the manifest has all."""

PICTURE_SECONDS: Final = 30.0

PICTURE_PX: Final = 320
"""Longest side of a picture."""

MARGIN: Final = 6.0
"""Points around a record."""


@dataclass(frozen=True)
class Picture:
    """A record that is not sure, beside what was read."""

    row: Row
    record: Doubtful
    data: str
    """JPEG as base64; empty where it could not be drawn."""


def write_report(folder: RunFolder, *, limits: Limits | None = None) -> Path:
    """Write the report of a run. Raises OSError."""
    from jinja2 import Environment

    manifest = folder.manifest
    template = (files("docai.pipelines.batch") / "report.html").read_text("utf-8")
    page = Environment(autoescape=True).from_string(template)
    failed = list(manifest.rows("failed", "partial", order="code", limit=N_ROWS))
    text = page.render(
        name=folder.path.resolve().name,
        version=__version__,
        settings=folder.settings,
        counts=manifest.counts(),
        totals=manifest.totals(),
        slowest=list(manifest.rows("done", "partial", "failed", order="-seconds", limit=N_SLOWEST)),
        reasons=manifest.reasons(),
        failed=failed,
        bars=list(_bars(manifest)),
        sure=SURE,
        pictures=list(_pictures(manifest, limits or Limits())),
        mebibyte=1 << 20,
    )
    write_durably(folder.report, text.encode("utf-8", "replace"))
    return folder.report


def _bars(manifest: Manifest) -> Iterator[tuple[str, int, Sequence[tuple[str, int, float]]]]:
    """Kind of record, how many, and for each range of confidence how many and the share of the most."""
    sums: dict[str, list[int]] = {}
    for row in manifest.rows("done", "partial"):
        for kind, counts in json.loads(row.confidences).items():
            total = sums.setdefault(kind, [0] * N_BINS)
            sums[kind] = [a + b for a, b in zip(total, counts, strict=True)]
    for kind, counts in sorted(sums.items()):
        most = max(counts)
        yield (
            kind,
            sum(counts),
            [(f"{index / N_BINS:.1f}", count, count / max(most, 1)) for index, count in enumerate(counts)],
        )


def _pictures(manifest: Manifest, limits: Limits) -> Iterator[Picture]:
    unsure = (
        (values[0], row.number, values)
        for row in manifest.rows("done", "partial")
        for values in json.loads(row.doubtful)
        if values[0] < SURE
    )
    chosen = nsmallest(N_PICTURES, unsure, key=lambda one: one[:2])
    rows = {number: manifest.row(number) for _, number, _ in chosen}
    if not chosen:
        return
    worker = CallWorker(__name__, typed=True)
    try:
        for _, number, values in chosen:
            record = Doubtful(*values)
            data = b""
            try:
                with local_copy(source_place(rows[number].path)) as path:
                    data = worker.call(draw_record, PICTURE_SECONDS, path, record.page, record.bbox, limits)
            except (WorkerError, DocaiError, OSError, RuntimeError, ValueError, MemoryError):
                # A report without a picture is better than none.
                data = b""
            yield Picture(rows[number], record, base64.b64encode(data).decode())
    finally:
        worker.close()


def draw_record(path: Path, number: int, bbox: BBox, limits: Limits) -> bytes:
    """In the worker: what a page shows at a place, as JPEG. Raises :class:`docai.errors.DocaiError`."""
    from docai.pipelines.ingest import open_source

    _confine()
    x0, y0, x1, y1 = bbox
    box = (x0 - MARGIN, y0 - MARGIN, x1 + MARGIN, y1 + MARGIN)
    scale = min(2.0, PICTURE_PX / max(box[2] - box[0], box[3] - box[1], 1.0))
    with open_source(path, limits=limits) as source, source.page(number) as page:
        picture = page.render(box, scale=scale)
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=80)
    return file.getvalue()


@cache
def _confine() -> None:
    """Documents that are not sure are drawn with no more rights than they were read with."""
    restrict([])

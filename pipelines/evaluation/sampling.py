"""Which samples of a data set are evaluated."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from docai.errors import DatasetError, SettingError
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import DataSet

NO_SOURCE = "The data set has its truth, but no picture or PDF to read."


@dataclass(frozen=True, slots=True)
class Selection:
    """What is evaluated of a data set."""

    samples: tuple[Sample, ...]
    """In the order of the data set."""
    skipped: tuple[Skipped, ...]
    """Of the whole data set, whatever the limit."""
    ids: frozenset[str]
    """Of every case of the data set, chosen or not."""


def select(dataset: DataSet, *, limit: int | None = None, seed: int = 0) -> Selection:
    """All samples, or ``limit`` of them at random, in the order of the data set.

    A sample is chosen by a hash of its id and the seed: the same ids for the same seed, whatever the order
    of the files, and more of them for a larger limit. Only the chosen ones are kept in memory.

    Raises:
        DatasetError: the data set is unusable or has no samples.
    """
    kept: list[tuple[int, int, Sample]] = []
    skipped: list[Skipped] = []
    ids: set[str] = set()
    for number, case in enumerate(map(_storable, dataset)):
        ids.add(case.id)
        if isinstance(case, Skipped):
            skipped.append(case)
        elif limit is None:
            kept.append((0, number, case))
        else:
            # The largest of a min-heap's negatives goes first; numbers are unique, so samples never compare.
            entry = (-_rank(case.id, seed), number, case)
            if len(kept) < limit:
                heapq.heappush(kept, entry)
            else:
                heapq.heappushpop(kept, entry)
    if not kept:
        raise DatasetError(f"{dataset.format}:{dataset.path} has no samples{_why(skipped)}.")
    samples = tuple(case for _, _, case in sorted(kept, key=lambda entry: entry[1]))
    return Selection(samples, tuple(skipped), frozenset(ids))


def _storable(case: Sample | Skipped) -> Sample | Skipped:
    """A file name that is not valid Unicode cannot be written into JSON."""
    name = case.id.encode("utf-8", "backslashreplace").decode("utf-8")
    return case if name == case.id else Skipped(name, "Its id is not valid Unicode.")


def _rank(identifier: str, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}/{identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _why(skipped: Sequence[Skipped]) -> str:
    reasons = Counter(case.reason for case in skipped).most_common(3)
    return f"; skipped: {', '.join(f'{count} × {reason}' for reason, count in reasons)}" if reasons else ""


def readable(selection: Selection) -> Selection:
    """Those samples that have a picture or PDF; the others are counted as skipped.

    Raises:
        DatasetError: none has.
    """
    without = [Skipped(sample.id, NO_SOURCE) for sample in selection.samples if sample.source is None]
    samples = tuple(sample for sample in selection.samples if sample.source is not None)
    if not samples:
        raise DatasetError(
            "None of the samples has a picture or PDF beside its truth, so nothing can be read: put the "
            "files where the format has them, or score the answers of a reader with --predictions."
        )
    return Selection(samples, (*selection.skipped, *without), selection.ids)


def as_pages(dataset: DataSet) -> DataSet:
    """Crops as pages, whose regions are to be found. A crop that is a part of a page is skipped.

    No published row was measured so.

    Raises:
        SettingError: the data set has pages already.
    """
    if dataset.unit == "page":
        raise SettingError(f"{dataset.format} has whole pages: their regions are found in any case.")

    def read(path: Path) -> Iterator[Sample | Skipped]:
        for case in dataset.read(path):
            if isinstance(case, Skipped):
                yield case
            elif case.bbox is not None:
                yield Skipped(case.id, "It is a part of a page, whose other regions have no truth.")
            else:
                yield replace(case, unit="page")

    return replace(dataset, unit="page", protocol=None, read=read)

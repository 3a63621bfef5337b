"""A data set to measure by: ``open_dataset("pubtabnet:DIR")``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Reader, Sample, Skipped, Unit
from docai.pipelines.evaluation.datasets import (
    icdar2013,
    icdar_text,
    json_text,
    molecules,
    otsl,
    pages,
    pubtables,
    pubtabnet,
    scores,
    total_text,
)
from docai.pipelines.evaluation.datasets.formats import Format
from docai.records import Kind

_FAMILIES = (
    pubtabnet.FORMATS,
    pubtables.FORMATS,
    otsl.FORMATS,
    icdar2013.FORMATS,
    molecules.FORMATS,
    scores.FORMATS,
    icdar_text.FORMATS,
    total_text.FORMATS,
    json_text.FORMATS,
    pages.FORMATS,
)

FORMATS: Mapping[str, Format] = {entry.name: entry for family in _FAMILIES for entry in family}
"""All layouts that can be read, by name."""

_DUPLICATE = "Its id stands for an earlier case already."


@dataclass(frozen=True, slots=True)
class DataSet:
    """Samples of one layout at one path. Iterating reads the files anew, one case at a time."""

    format: str
    path: Path
    unit: Unit
    kinds: tuple[Kind, ...]
    """What its truth labels completely: predictions of other kinds are not held against anyone."""
    tasks: tuple[str, ...]
    """Names of the tasks it is measured by; the first is the main one."""
    protocol: str | None
    """Key of the published rows it can be compared to."""
    read: Reader

    def __iter__(self) -> Iterator[Sample | Skipped]:
        """Its samples with unique ids, and what was skipped and why.

        Raises:
            DatasetError: the whole is unusable; where no case at all could be used, after the last.
        """
        seen: set[str] = set()
        reasons: Counter[str] = Counter()
        for case in self.read(self.path):
            if isinstance(case, Skipped):
                reasons[case.reason] += 1
                yield case
            elif case.id in seen:
                reasons[_DUPLICATE] += 1
                yield Skipped(case.id, _DUPLICATE)
            else:
                seen.add(case.id)
                yield case
        if not seen:
            raise self._unusable(reasons)

    def _unusable(self, reasons: Counter[str]) -> DatasetError:
        summary = FORMATS[self.format].summary if self.format in FORMATS else self.format
        if not reasons:
            return DatasetError(f"The data set {self.path} is empty; {self.format} is {summary}.")
        reason, count = reasons.most_common(1)[0]
        return DatasetError(
            f"None of the {reasons.total()} cases of {self.path} can be used as {self.format}, which is "
            f"{summary}; {count} of them: {reason}"
        )


def open_dataset(spec: str) -> DataSet:
    """The data set that ``FORMAT:PATH`` names. Nothing but its files' presence is looked at yet.

    Raises:
        DatasetError: there is no such format, or nothing of it at the path.
    """
    name, colon, rest = spec.partition(":")
    if not colon or not rest or name not in FORMATS:
        raise DatasetError(
            f"The data set {spec!r} is not of the form FORMAT:PATH with one of these formats: "
            f"{', '.join(sorted(FORMATS))}."
        )
    layout = FORMATS[name]
    path = Path(rest).expanduser()
    # Readers look for their files when called, and read them when iterated.
    layout.read(path)
    return DataSet(
        format=name,
        path=path,
        unit=layout.unit,
        kinds=layout.kinds,
        tasks=layout.tasks,
        protocol=layout.protocol,
        read=layout.read,
    )

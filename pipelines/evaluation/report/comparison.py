"""Two reports over the same data: what became better, what worse, and whether it could be chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from docai.errors import PredictionsError
from docai.pipelines.evaluation.base import Ratio
from docai.pipelines.evaluation.report.model import (
    CaseChange,
    CaseValues,
    Comparison,
    Difference,
    IntervalOf,
    MeasureChange,
    MeasureSummary,
    Report,
    Side,
    TaskSummary,
    read_report,
)

MOST_CHANGED = 50
"""Cases that are listed."""

_Pair = tuple[CaseValues, CaseValues]


def compare_reports(old: Path | str, new: Path | str, out: Path | None = None) -> Comparison:
    """Compare two reports, given as folders or as their ``report.json``, on the cases both have.

    Args:
        out: a folder for ``comparison.json`` and ``comparison.html``; None writes nothing.

    Raises:
        PredictionsError: a report is missing or damaged, or they are not over the same data and tasks.
        MissingDependencyError: a package of the ``eval`` extra is not installed.
    """
    before, after = read_report(old), read_report(new)
    comparison = _compare(before, after, (str(old), str(new)))
    if out is not None:
        from docai.pipelines.evaluation.report.page import render_comparison, write_text

        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "comparison.json", comparison.model_dump_json(indent=2) + "\n")
        write_text(out / "comparison.html", render_comparison(comparison))
    return comparison


def _compare(old: Report, new: Report, paths: tuple[str, str]) -> Comparison:
    _check_data(old, new, paths)
    pairs, n_truth_changed = _pairs(old, new, paths)
    measures, not_compared = _measures(old, new, pairs)
    headline = (old.tasks[0].name, old.tasks[0].headline)
    if headline not in {(change.task, change.name) for change in measures}:
        raise PredictionsError(
            f"The headline of task {headline[0]} is not the same figure in {paths[0]} and {paths[1]}: "
            "evaluate both with one version of docai."
        )
    changes = _changes(pairs, *headline)
    return Comparison(
        data=old.data.format,
        old=_side(old, paths[0], len(old.cases) - len(pairs) - n_truth_changed),
        new=_side(new, paths[1], len(new.cases) - len(pairs) - n_truth_changed),
        n=len(pairs),
        n_truth_changed=n_truth_changed,
        measures=measures,
        not_compared=not_compared,
        headline=headline,
        most_changed=changes[:MOST_CHANGED],
        n_changed=len(changes),
        differences=list(_differences(old, new)),
    )


def _check_data(old: Report, new: Report, paths: tuple[str, str]) -> None:
    for what, old_value, new_value in (
        ("data", old.data.format, new.data.format),
        ("unit", old.data.unit, new.data.unit),
        ("tasks", ", ".join(old.data.tasks), ", ".join(new.data.tasks)),
    ):
        if old_value != new_value:
            raise PredictionsError(
                f"The reports are not comparable: the {what} of {paths[0]} is {old_value!r} and that of "
                f"{paths[1]} {new_value!r}. Compare two reports over the same data."
            )


def _pairs(old: Report, new: Report, paths: tuple[str, str]) -> tuple[list[_Pair], int]:
    """The cases both have, and how many of those have another truth."""
    by_id = {case.id: case for case in new.cases}
    common = [(case, by_id[case.id]) for case in old.cases if case.id in by_id]
    if not common:
        raise PredictionsError(
            f"No id of {paths[0]} is in {paths[1]}: these are different data or different parts of it. "
            "Compare two reports over the same samples (same --limit and --seed)."
        )
    pairs = [(old_case, new_case) for old_case, new_case in common if old_case.truth == new_case.truth]
    if not pairs:
        raise PredictionsError(
            f"All {len(common)} ids that {paths[0]} and {paths[1]} share have another truth in each: these "
            "are different data. Compare two reports over the same data."
        )
    return pairs, len(common) - len(pairs)


def _measures(old: Report, new: Report, pairs: Sequence[_Pair]) -> tuple[list[MeasureChange], list[str]]:
    """Every measure that both reports have by the same definition, and why others were left out."""
    changes, left_out = [], []
    for old_task in old.tasks:
        new_task = next(task for task in new.tasks if task.name == old_task.name)
        known = {measure.name: measure for measure in new_task.measures}
        for measure in old_task.measures:
            match = known.pop(measure.name, None)
            if match is None:
                left_out.append(f"{old_task.name}: only the old report has {measure.label}.")
            elif not _same_definition(measure, match):
                left_out.append(
                    f"{old_task.name}: {measure.label} is defined otherwise: {measure.protocol!r} and then "
                    f"{match.protocol!r}."
                )
            else:
                changes.append(_change(old_task, measure, pairs))
        left_out += [
            f"{old_task.name}: only the new report has {measure.label}." for measure in known.values()
        ]
    return changes, left_out


def _same_definition(old: MeasureSummary, new: MeasureSummary) -> bool:
    return (old.protocol, old.higher_is_better) == (new.protocol, new.higher_is_better)


def _change(task: TaskSummary, measure: MeasureSummary, pairs: Sequence[_Pair]) -> MeasureChange:
    from docai.pipelines.evaluation.statistics import paired_test

    both = [[_ratio(case, task.name, measure.name) for case in side] for side in zip(*pairs, strict=True)]
    test = paired_test(both[0], both[1], higher_is_better=measure.higher_is_better)
    interval = test.interval
    return MeasureChange(
        task=task.name,
        name=measure.name,
        label=measure.label,
        protocol=measure.protocol,
        percent=measure.percent,
        higher_is_better=measure.higher_is_better,
        old=test.old,
        new=test.new,
        difference=test.difference,
        interval=IntervalOf(low=interval.low, high=interval.high, level=interval.level) if interval else None,
        p_value=test.p_value,
        better=test.better,
        worse=test.worse,
        unchanged=test.unchanged,
        undefined=test.undefined,
    )


def _ratio(case: CaseValues, task: str, measure: str) -> Ratio:
    return Ratio(*case.values.get(task, {}).get(measure, (0.0, 0.0)))


def _changes(pairs: Sequence[_Pair], task: str, measure: str) -> list[CaseChange]:
    """Cases whose own value changed, most first."""
    changed = []
    for old_case, new_case in pairs:
        before, after = _ratio(old_case, task, measure).value, _ratio(new_case, task, measure).value
        if before is not None and after is not None and before != after:
            changed.append(CaseChange(id=old_case.id, old=before, new=after))
    return sorted(changed, key=lambda change: (-abs(change.new - change.old), change.id))


def _side(report: Report, path: str, n_only_here: int) -> Side:
    return Side(path=path, reader=report.reader, date=report.date, n_only_here=n_only_here)


def _differences(old: Report, new: Report) -> Iterator[Difference]:
    """What besides the figures is not the same in two runs."""
    flat = [
        {
            "reader": report.reader,
            "data": report.data.path,
            "docai's commit": report.commit,
            "CPU": f"{report.machine.cpu}, {report.machine.n_cores} cores",
            "GPU": ", ".join(report.machine.gpus) or "none",
            "failed": report.counts.failed,
            "without a prediction": report.counts.missing,
        }
        for report in (old, new)
    ]
    yield from _unequal(flat[0], flat[1], "")
    yield from _unequal(old.settings, new.settings, "setting ")
    yield from _unequal(old.versions, new.versions, "version of ")


def _unequal(old: Mapping[str, object], new: Mapping[str, object], prefix: str) -> Iterator[Difference]:
    for key in dict.fromkeys((*old, *new)):
        old_value, new_value = old.get(key), new.get(key)
        if old_value != new_value:
            yield Difference(what=f"{prefix}{key}", old=_told(old_value), new=_told(new_value))


def _told(value: object) -> str:
    return "none" if value is None else str(value)

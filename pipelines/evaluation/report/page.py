"""``report.html`` and ``comparison.html``: one file each that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docai.errors import DocaiError, needs
from docai.files import write_atomically
from docai.pipelines.evaluation.base import CaseScore, Prediction, Ratio, Sample
from docai.pipelines.evaluation.predictions import keep_kinds
from docai.pipelines.evaluation.report import figures
from docai.pipelines.evaluation.report.differences import compare
from docai.pipelines.evaluation.report.model import (
    Calibration,
    ClassPrecision,
    Comparison,
    MeasureSummary,
    Report,
    TaskSummary,
)
from docai.pipelines.evaluation.report.pictures import MAX_BYTES, MAX_SIDE, Album, Picture
from docai.pipelines.evaluation.report.published import (
    PAPER,
    PAPER_LINK,
    Published,
    caveats,
    published_for,
)
from docai.pipelines.evaluation.report.views import Remark, Sides, cut

if TYPE_CHECKING:
    from docai.pipelines.evaluation.scoring import Evaluation, Scored

WORST = 50
"""Cases that are shown."""
MAX_PAGE = 15_000_000
"""Characters of the page: where the cases are larger, fewer are shown."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """One of the worst cases as the page shows it."""

    id: str
    value: str
    others: Sequence[tuple[str, str]]
    notes: Sequence[str]
    error: str | None
    cost: str
    pictures: Sequence[Picture]
    problem: str | None
    """Why there is no picture."""
    sides: Sides


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task, its distribution and what was published."""

    summary: TaskSummary
    published: Published | None
    caveats: Sequence[str]
    histogram: figures.Histogram | None
    reliabilities: Sequence[tuple[Calibration, figures.Reliability]]
    precisions: Mapping[str, Sequence[ClassPrecision]] = field(default_factory=dict)


def render_report(report: Report, evaluation: Evaluation) -> str:
    """The page of a report. The pictures of its worst cases are made from their sources.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    main = report.tasks[0]
    ranked = worst(evaluation.cases, main)
    album = Album()
    cases = [_case(scored, main, report, album) for scored in ranked[:WORST]]
    tasks = [_task(task, report, evaluation) for task in report.tasks]
    while True:
        page = _render(
            "report.html",
            report=report,
            tasks=tasks,
            cases=cases,
            n_imperfect=len(ranked),
            n_left_out=album.n_left_out,
            max_side=MAX_SIDE,
            max_kilobytes=MAX_BYTES // 1000,
            paper=PAPER,
            paper_link=PAPER_LINK,
        )
        if len(page) <= MAX_PAGE or not cases:
            return page
        cases = cases[: len(cases) // 2]


def render_comparison(comparison: Comparison) -> str:
    """The page of a comparison. Raises :class:`MissingDependencyError` where jinja2 is not installed."""
    return _render("comparison.html", comparison=comparison)


def worst(cases: Sequence[Scored], task: TaskSummary) -> list[Scored]:
    """The cases that are not perfect by the task's headline, worst first.

    Among equals the one that weighs more comes first, then by id. Cases on which the headline is not
    defined are left out.
    """
    measure = task.main
    sign = 1 if measure.higher_is_better else -1
    perfect = 1.0 if measure.higher_is_better else 0.0
    ranked = []
    for case in cases:
        ratio = _ratio(case.scores.get(task.name), measure.name)
        if ratio.value is not None and ratio.value != perfect:
            ranked.append((sign * ratio.value, -ratio.denominator, case.sample.id, case))
    return [case for *_, case in sorted(ranked, key=lambda entry: entry[:3])]


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    # A lone surrogate of a broken id or answer must not cost the report.
    write_atomically(path, text.encode("utf-8", "replace"))


def _ratio(score: CaseScore | None, measure: str) -> Ratio:
    return Ratio(*score.ratios[measure]) if score is not None else Ratio(0, 0)


def _task(task: TaskSummary, report: Report, evaluation: Evaluation) -> TaskView:
    values = [
        value
        for case in evaluation.cases
        if (value := _ratio(case.scores.get(task.name), task.headline).value) is not None
    ]
    published = published_for(report.data.protocol, report.data.unit, task.name)
    precisions: dict[str, list[ClassPrecision]] = {}
    for precision in task.average_precision:
        precisions.setdefault(precision.kind, []).append(precision)
    return TaskView(
        summary=task,
        published=published,
        caveats=caveats(published, task.main.n, report.settings.get("resolution")) if published else (),
        histogram=figures.histogram(values),
        reliabilities=[(calibration, figures.reliability(calibration)) for calibration in task.calibrations],
        precisions=precisions,
    )


def _case(scored: Scored, task: TaskSummary, report: Report, album: Album) -> CaseView:
    sample, score = scored.sample, scored.scores[task.name]
    prediction = scored.prediction
    if prediction is not None:
        # What the truth does not label is not held against anyone, and not shown as wrong.
        prediction = keep_kinds(prediction, report.data.kinds)
    sides, pictures = _sides(task.name, sample, prediction, album)
    return CaseView(
        id=sample.id,
        value=figures.shown(_ratio(score, task.headline).value, task.main),
        others=[
            (measure.label, figures.shown(value, measure))
            for measure in task.measures
            if measure.name != task.headline and (value := _ratio(score, measure.name).value) is not None
        ],
        notes=score.notes,
        error=cut(prediction.error, 500) if prediction is not None and prediction.error else None,
        cost=_cost(prediction),
        pictures=pictures,
        problem=album.problems.get(sample.id) or ("" if pictures else "The page is full: no picture."),
        sides=sides,
    )


def _sides(
    task: str, sample: Sample, prediction: Prediction | None, album: Album
) -> tuple[Sides, list[Picture]]:
    try:
        sides = compare(task, sample, prediction, album)
        return sides, album.sample(sample, sides.outlines)
    except DocaiError:
        raise
    except Exception as error:
        # Hours of reading must not be lost to the layout of one odd answer; the page says what happened.
        problem = f"This case could not be laid out: {type(error).__name__}: {error}"
        album.problems[sample.id] = "No picture."
        return Sides(difference=[Remark(cut(problem, 500))]), []


def _cost(prediction: Prediction | None) -> str:
    if prediction is None:
        return ""
    parts = []
    if prediction.seconds is not None:
        parts.append(figures.shown_seconds(prediction.seconds))
    if prediction.n_tokens is not None:
        parts.append(f"{prediction.n_tokens:,} tokens")
    return ", ".join(parts)


def _published(view: TaskView, measure: MeasureSummary) -> list[str]:
    """What each published system reached by a measure."""
    if view.published is None:
        return []
    return [figures.shown(row.values.get(measure.name), measure, places=1) for row in view.published.rows]


def _render(template: str, **values: Any) -> str:
    with needs("docai[eval]", "The page of a report"):
        import jinja2
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"figures": figures, "published": _published}
    return environment.get_template(template).render(**values)

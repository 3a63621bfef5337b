"""Evaluations made by hand, scored by a task that asks whether the text is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from docai.pipelines.evaluation.base import CaseScore, Item, Prediction, Ratio, Sample, Skipped
from docai.pipelines.evaluation.datasets import DataSet
from docai.pipelines.evaluation.scoring import Evaluation, Scored
from docai.pipelines.evaluation.tasks import get_task
from docai.records import Kind


def data_set(task: str, kind: Kind, *, protocol: str | None = None, unit: str = "crop") -> DataSet:
    return DataSet(
        format="handmade",
        path=Path("somewhere"),
        unit="page" if unit == "page" else "crop",
        kinds=(kind,),
        tasks=(task,),
        protocol=protocol,
        read=lambda path: iter(()),
    )


def evaluation(
    task: str,
    cases: Sequence[tuple[Sample, Prediction | None]],
    *,
    kind: Kind,
    protocol: str | None = None,
    unit: str = "crop",
    reader: str = "a reader",
    skipped: Sequence[Skipped] = (),
    settings: Mapping[str, str] | None = None,
) -> Evaluation:
    """Scored by the task itself."""
    measured = get_task(task)
    return Evaluation(
        dataset=data_set(task, kind, protocol=protocol, unit=unit),
        reader=reader,
        cases=[
            Scored(sample, prediction, {task: measured.score(sample, prediction)})
            for sample, prediction in cases
        ],
        skipped=skipped,
        unknown_predictions=2,
        settings=settings or {"seed": "0"},
        seconds=3.5,
    )


def with_values(values: Mapping[str, Ratio]) -> Evaluation:
    """Texts whose word F1 is as given, by id; other measures are not defined."""
    measures = [measure.name for measure in get_task("words").measures]
    cases = []
    for name, ratio in values.items():
        ratios = {measure: Ratio(0, 0) for measure in measures} | {"word-f1": ratio}
        sample = Sample(id=name, truth=(Item(kind="text", text="one two three"),))
        prediction = Prediction(id=name, items=[Item(kind="text", text="one too three")])
        cases.append(Scored(sample, prediction, {"words": CaseScore(name, ratios)}))
    return Evaluation(data_set("words", "text"), "a reader", cases, (), 0, {}, 1.0)


def text_case(
    name: str, truth: str, given: str | None, source: Path | None = None
) -> tuple[Sample, Prediction | None]:
    sample = Sample(id=name, truth=(Item(kind="text", text=truth),), source=source)
    if given is None:
        return sample, None
    return sample, Prediction(id=name, items=[Item(kind="text", text=given)], seconds=0.5, n_tokens=7)


def noise(path: Path, size: tuple[int, int] = (2600, 1900)) -> Path:
    """A picture that no format makes small."""
    Image.effect_noise(size, 120).convert("RGB").save(path)
    return path

"""Measure docai, or the answers of another tool, on a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from docai._version import __version__
from docai.errors import PredictionsError, SettingError
from docai.files import make_folder
from docai.limits import Limits
from docai.models.engine import check_heads, crop_size
from docai.models.heads import HEADS, get_head
from docai.options import MODEL_ALONE, Options, Retry, TextLayer
from docai.pipelines.evaluation.base import Prediction
from docai.pipelines.evaluation.datasets import DataSet, open_dataset
from docai.pipelines.evaluation.prediction_files import read_predictions
from docai.pipelines.evaluation.predictions import (
    PREDICTIONS_NAME,
    PredictionLog,
    match,
    some,
    write_predictions,
)
from docai.pipelines.evaluation.running import SampleReader, Selection, as_pages, readable, select
from docai.pipelines.evaluation.scoring import Evaluation, Scored, score_cases
from docai.pipelines.evaluation.tasks import get_task

if TYPE_CHECKING:
    from docai.models.engine import Engine


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """How far an evaluation is: ``done`` of ``total`` samples of this stage."""

    stage: Literal["select", "read", "score", "report"]
    done: int = 0
    total: int = 0
    n_failed: int = 0
    """Samples read so far that gave an error."""
    message: str | None = None
    """Something a person should know, once."""


EvaluationCallback = Callable[[EvaluationProgress], None]


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a reader gave, and who it was."""

    reader: str
    selection: Selection
    by_id: Mapping[str, Prediction]
    settings: Mapping[str, str]
    n_unknown: int = 0


def evaluate(
    data: str | DataSet,
    *,
    model: str | Path = "nano",
    head: str | None = None,
    device: str = "auto",
    text_layer: TextLayer = "prefer",
    retry: Retry = "off",
    limits: Limits | None = None,
    engine: Engine | None = None,
    find_regions: bool = False,
    predictions: str | Path | None = None,
    tasks: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    jobs: int = 1,
    progress: EvaluationCallback | None = None,
) -> Evaluation:
    """Read the samples of a data set, or take another tool's answers, and score them.

    Crops are read by the head of their kind, pages by the whole pipeline. A sample that cannot be read is
    a failure in the result and stops nothing.

    Args:
        data: ``FORMAT:PATH``, or an open data set.
        model, device, text_layer, retry, limits, engine: as for :class:`docai.Pipeline`. No second reader is
            asked and nothing is read back: the model is measured.
        head: the head that reads crops; on pages, the only one that is asked. None: that of the data.
        find_regions: put crops through the whole pipeline, as if each picture were a page.
        predictions: a file or folder of answers to score instead; :mod:`.prediction_files` has the forms.
        tasks: which of the data set's tasks to measure by; None is all.
        limit: samples taken at random; None is all. The same seed takes the same ones.
        out: folder for ``predictions.jsonl``, ``report.json`` and ``report.html``. A run found there is
            resumed; one with other settings is refused. None writes nothing.
        jobs: processes for scoring. More than 1 needs ``if __name__ == "__main__"`` in a script.
        progress: called with :class:`EvaluationProgress` as the work goes on.

    Raises:
        DatasetError: the data set is unusable or empty.
        PredictionsError: the predictions are broken, doubled, or of no sample.
        SettingError: a setting cannot be used, or ``out`` holds another run.
        ConfigurationError, CheckpointError, AdapterError: the model or a package cannot be used.
    """
    started = time.perf_counter()
    if limit is not None and limit < 1:
        raise SettingError(f"limit is {limit}; it has to be at least 1.")
    report = progress or _silent
    dataset = data if isinstance(data, DataSet) else open_dataset(data)
    if find_regions:
        dataset = as_pages(dataset)
    names = _task_names(dataset, tasks)
    dataset = replace(dataset, tasks=names)
    folder = None if out is None else make_folder(Path(out))
    report(EvaluationProgress("select"))
    selection = select(dataset, limit=limit, seed=seed)
    chosen = {
        "data": f"{dataset.format}:{dataset.path.resolve()}",
        "limit": "none" if limit is None else str(limit),
        "seed": str(seed),
    }
    if predictions is not None:
        if head is not None or find_regions or engine is not None:
            raise SettingError("Predictions are scored as they are: leave out head, find_regions and engine.")
        answers = _given(dataset, selection, Path(predictions), chosen, folder, report)
    else:
        options = replace(MODEL_ALONE, text_layer=text_layer, retry=retry, limits=limits or Limits())
        reader = _reader(dataset, model, device, head, options, engine)
        answers = _read(dataset, selection, reader, chosen, folder, report, find_regions=find_regions)
    evaluation = Evaluation(
        dataset=dataset,
        reader=answers.reader,
        cases=_score(dataset, answers, names, jobs, report),
        skipped=answers.selection.skipped,
        unknown_predictions=answers.n_unknown,
        settings={**answers.settings, "tasks": ", ".join(names)},
        seconds=time.perf_counter() - started,
    )
    if folder is not None:
        from docai.pipelines.evaluation.report import write_report

        report(EvaluationProgress("report"))
        write_report(folder, evaluation)
    return evaluation


def _task_names(dataset: DataSet, tasks: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(dataset.tasks if tasks is None else dict.fromkeys(tasks))
    for name in names:
        # Imported now, so that a package that is missing is missed before hours of reading.
        get_task(name)
        if name not in dataset.tasks:
            raise SettingError(
                f"{dataset.format} is not measured by {name!r}; its tasks are: {', '.join(dataset.tasks)}."
            )
    if not names:
        raise SettingError("No task is given to measure by; leave tasks out to use those of the data set.")
    return names


def _reader(
    dataset: DataSet,
    model: str | Path,
    device: str,
    head: str | None,
    options: Options,
    engine: Engine | None,
) -> SampleReader:
    heads = None if head is None else frozenset([get_head(head).name])
    if head is not None:
        kind = HEADS[head].kind
        if dataset.unit == "crop" and kind not in dataset.kinds:
            raise SettingError(
                f"The head {head!r} reads a {kind}, and {dataset.format} is labeled with: "
                f"{', '.join(dataset.kinds)}."
            )
        if dataset.unit == "page" and (dataset.kinds != (kind,) or "words" in dataset.tasks):
            raise SettingError(
                f"With the head {head!r} alone, what else the pages of {dataset.format} hold would count as "
                "missed: leave the head out."
            )
    if engine is None:
        from docai.models.selection import load_engine

        engine = load_engine(model, device=device)
    return SampleReader(engine, replace(options, heads=heads), head)


def _read(
    dataset: DataSet,
    selection: Selection,
    reader: SampleReader,
    chosen: Mapping[str, str],
    folder: Path | None,
    report: EvaluationCallback,
    *,
    find_regions: bool,
) -> _Answers:
    """Answers of docai itself, those of an earlier run first."""
    selection = readable(selection)
    samples = selection.samples
    needed = reader.heads(samples)
    check_heads(reader.engine, needed)
    heads = needed or reader.engine.heads()
    settings = {
        **chosen,
        "docai": __version__,
        "model": reader.engine.name,
        "reads": "pages" if dataset.unit == "page" else "crops",
        "head": reader.head or "that of the kind",
        "text_layer": reader.options.text_layer,
        "resolution": str(max(crop_size(reader.engine, HEADS[name]) for name in heads)),
        "limits": reader.options.limits.model_dump_json(exclude_defaults=True),
    }
    if find_regions:
        settings["find_regions"] = "true"
    if reader.options.retry != "off":
        settings["retry"] = reader.options.retry
    by_id: dict[str, Prediction] = {}
    with PredictionLog.open(folder, settings, [sample.id for sample in samples]) as log:
        by_id.update(log.finished)
        if log.dropped:
            report(_message("read", f"The last line of {PREDICTIONS_NAME} was half written and is dropped."))
        if by_id:
            report(_message("read", f"{len(by_id)} of {len(samples)} samples were read before."))
        n_failed = sum(prediction.error is not None for prediction in by_id.values())
        report(EvaluationProgress("read", len(by_id), len(samples), n_failed))
        for sample in samples:
            if sample.id in by_id:
                continue
            prediction = reader.read(sample)
            log.append(prediction)
            by_id[sample.id] = prediction
            if prediction.error is not None:
                n_failed += 1
                report(_message("read", f"{sample.id}: {prediction.error}"))
            report(EvaluationProgress("read", len(by_id), len(samples), n_failed))
    what = f"head {reader.head or ', '.join(dataset.kinds)}"
    name = f"{reader.engine.name} ({what})"
    if dataset.unit == "page":
        name = f"docai pipeline, {reader.engine.name}"
    return _Answers(name, selection, by_id, {**settings, "device": reader.engine.device})


def _given(
    dataset: DataSet,
    selection: Selection,
    path: Path,
    chosen: Mapping[str, str],
    folder: Path | None,
    report: EvaluationCallback,
) -> _Answers:
    """Answers of another tool."""
    if folder is not None and (folder / PREDICTIONS_NAME).resolve() in (
        path.resolve(),
        (path / PREDICTIONS_NAME).resolve(),
    ):
        raise SettingError(f"The report would be written over its predictions {path}: give another folder.")
    ids = [sample.id for sample in selection.samples]
    matched = match(read_predictions(path), ids, selection.ids, path.name)
    kinds = {item.kind for prediction in matched.by_id.values() for item in prediction.items}
    if kinds and not kinds & set(dataset.kinds):
        raise PredictionsError(
            f"{path} holds answers of the kind {', '.join(sorted(kinds))}, and {dataset.format} is labeled "
            f"with: {', '.join(dataset.kinds)}."
        )
    n_given = len(matched.by_id) + len(matched.unknown) + matched.n_not_chosen
    if matched.unknown:
        text = f"{len(matched.unknown)} of {n_given} predictions are of no case of the data set: "
        report(_message("read", f"{text}{some(matched.unknown)}."))
    if matched.n_not_chosen:
        text = f"{matched.n_not_chosen} of {n_given} predictions are of cases that are not evaluated here."
        report(_message("read", text))
    missing = [identifier for identifier in ids if identifier not in matched.by_id]
    if missing:
        text = (
            f"{len(missing)} of {len(ids)} samples have no prediction and count as missed: {some(missing)}."
        )
        report(_message("read", text))
    settings = {**chosen, "predictions": str(path.resolve())}
    if folder is not None:
        predictions = (matched.by_id[identifier] for identifier in ids if identifier in matched.by_id)
        write_predictions(folder, settings, predictions)
    return _Answers(path.name, selection, matched.by_id, settings, len(matched.unknown))


def _score(
    dataset: DataSet, answers: _Answers, names: Sequence[str], jobs: int, report: EvaluationCallback
) -> tuple[Scored, ...]:
    cases = [(sample, answers.by_id.get(sample.id)) for sample in answers.selection.samples]
    report(EvaluationProgress("score", 0, len(cases)))
    scored = []
    for case, scores in zip(cases, score_cases(cases, names, dataset.kinds, jobs=jobs), strict=True):
        scored.append(Scored(*case, scores))
        report(EvaluationProgress("score", len(scored), len(cases)))
    return tuple(scored)


def _message(stage: Literal["read"], text: str) -> EvaluationProgress:
    return EvaluationProgress(stage, message=text)


def _silent(progress: EvaluationProgress) -> None:
    """Progress nobody asked for."""

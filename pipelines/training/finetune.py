"""Fine-tuning of one head on any PaliGemma 2, by transformers' Trainer and PEFT."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from transformers import PrinterCallback

from docai.errors import CheckpointError, DeviceError
from docai.models.adapters import read_weights, require_arrived, require_fit
from docai.models.checkpoints import Checkpoint, find_checkpoint, open_checkpoint
from docai.models.guards import MAX_SEQUENCE
from docai.models.heads import Head
from docai.models.loading import load_processor, no_progress_bars
from docai.pipelines.training import run_folder
from docai.pipelines.training.best_weights import BestWeights, Measured, adapter_weights
from docai.pipelines.training.callbacks import AllStepsDone, HeldOut, Report, RunCallback, tensorboard
from docai.pipelines.training.checks import TargetRules
from docai.pipelines.training.distributed import ProcessGroup, join_process_group
from docai.pipelines.training.metrics import metric_for
from docai.pipelines.training.model import build_model, measure_weights, require_memory, smoothed_loss
from docai.pipelines.training.pairs import Collator
from docai.pipelines.training.prepare import (
    RunData,
    checked_pairs,
    drawn_name,
    drawn_pairs,
    list_pairs,
    source_name,
)
from docai.pipelines.training.report import RunReport, earlier_parts
from docai.pipelines.training.run_folder import latest_state, require_disk, step_of
from docai.pipelines.training.settings import AdapterSettings, Recipe
from docai.pipelines.training.trainer import (
    FullTrainer,
    HeadTrainer,
    trained_weights,
    trainer_arguments,
    training_device,
)

if TYPE_CHECKING:
    from transformers import PaliGemmaForConditionalGeneration

__all__ = ["AdapterRun", "AdapterSettings", "train_adapter"]

_N_MEASUREMENTS = 10
"""Measurements on held-out pairs per run, where the settings do not say otherwise."""


@dataclass(frozen=True)
class AdapterRun:
    """The outcome of one call of the training."""

    folder: Path
    step: int
    loss: float | None
    """The last reported loss, per token; None where no step was taken."""
    n_rejected: int
    interrupted: bool
    best: Measured | None = None
    """The held-out measurement of the weights that the checkpoint has; None where nothing was measured."""
    is_main: bool = True
    """False in all but one of the processes that a launcher started."""


@dataclass(frozen=True)
class _Prepared:
    """What the main process prepared before a model is loaded."""

    source: Checkpoint
    max_tokens: int
    identity: dict[str, Any]
    data: RunData
    base_folder: Path
    state: Path | None


def train_adapter(
    head: Head,
    base: str | Path,
    folder: Path,
    settings: AdapterSettings,
    *,
    data: Sequence[str | Path] = (),
    report: Report,
    command: str | None = None,
) -> AdapterRun:
    """Fine-tune one head and write it with its base to ``folder``: a LoRA adapter, or all weights.

    A run that is already in ``folder`` is resumed. Ctrl-C ends the run after the current batch and writes its
    state and weights; a second Ctrl-C ends it at once, with the last saved state. Where pairs are held out,
    the checkpoint has the weights that read them best, else the last ones.

    Under ``torchrun`` or ``accelerate launch`` every process calls this with the same arguments. One of them,
    the main process, checks, reports and writes (see :mod:`docai.pipelines.training.distributed`).

    Args:
        head: the head to train.
        base: an embedded name, a folder, or a hub id whose files are on this machine.
        folder: see :mod:`docai.pipelines.training.run_folder`.
        settings: of the run.
        data: folders written by ``docai synth``, and ``FORMAT:PATH`` of
            :mod:`docai.pipelines.evaluation.datasets`; where empty, pairs are drawn.
        report: gets lines of progress, for people.
        command: the command line, for the model card.

    Raises:
        UnknownModelError, CheckpointError: the base is not on this machine, or not a PaliGemma 2.
        DeviceError: there is no such device, or its memory is too small.
        SettingError: a setting is invalid, there is nothing to train on, too much of the data cannot be used
            (see ``rejected.jsonl`` in ``folder``), or ``folder`` cannot be used: it has another run, it
            cannot be written, or its disk is full.
        DatasetError: a data set is not of its format.
        MissingDependencyError: drawing or measuring pairs, or a base in 4 bits, needs a package that is not
            installed.
        StoppedElsewhereError: another process of this training raised one of these errors.
    """
    begun = time.monotonic()
    group = join_process_group()
    if not group.is_main:
        report = _discard
    prepared = group.run_on_main(lambda: _prepare(head, base, folder, settings, data, group, report))
    # The resolution is that of the weights.
    head = replace(head, resolution=prepared.source.image_size)
    recipe = settings.recipe(head, group.count)
    device = training_device(settings, group)
    pairs = prepared.data

    # Loaded from the folder that reading will use, so that both have the same configuration.
    checkpoint = open_checkpoint(prepared.base_folder)
    processor = load_processor(checkpoint)
    model = build_model(checkpoint, settings, device)
    n_trained = trained_weights(model)
    stored = _stored_dtype(prepared.source)
    step = 0 if prepared.state is None else step_of(prepared.state)
    if group.is_main:
        report(f"{recipe.steps} steps, {_describe_step(recipe, len(pairs.train))}, {device}")
    if step < recipe.steps:
        weight_bytes = n_trained * stored.itemsize if settings.full else None
        group.run_on_main(lambda: require_disk(folder, n_trained, weight_bytes, report))
    run_report = RunReport(
        folder=folder,
        about={
            "run": prepared.identity,
            "head": {"prompt": head.prompt, "resolution": head.resolution},
            "base": {
                "name": prepared.source.name,
                "revision": prepared.source.revision,
                "weights": measure_weights(prepared.base_folder).total,
                "trained": n_trained,
            },
            "settings": asdict(settings) | asdict(recipe),
        },
        device=device,
        group=group,
        command=command,
        data=pairs,
        begun=begun,
        pairs=lambda: trainer.n_pairs,
        earlier=earlier_parts(folder),
        from_step=step,
    )
    best = BestWeights(folder, stored)
    held_out = None
    if pairs.held_out is not None:
        every = settings.measure_steps or max(1, recipe.steps // _N_MEASUREMENTS)
        held_out = HeldOut(
            pairs.held_out,
            head,
            processor,
            metric_for(head),
            prepared.max_tokens,
            settings.batch,
            every,
            group,
            settings.causal_prompt,
        )
    callback = RunCallback(
        best,
        held_out,
        save_minutes=settings.save_minutes,
        report=report,
        log=lambda logs: trainer.log(logs),
        on_save=lambda state: run_report.write(state, best.measured(), "running"),
        group=group,
    )
    trainer = (FullTrainer if settings.full else HeadTrainer)(
        model=model,
        args=trainer_arguments(folder, settings, recipe, device, len(pairs.train)),
        train_dataset=pairs.train,
        data_collator=Collator(processor, head, settings.causal_prompt),
        callbacks=[callback, *(tensorboard(folder, step, report) if group.is_main else ())],
        compute_loss_func=smoothed_loss(recipe.label_smoothing) if recipe.label_smoothing else None,
    )
    trainer.group = group
    trainer.remove_callback(PrinterCallback)
    if prepared.state is not None:
        report(f"resumed from {prepared.state}")
    try:
        with callback.handling_interrupts(), no_progress_bars():
            trainer.train(resume_from_checkpoint=None if prepared.state is None else str(prepared.state))
    except AllStepsDone:
        pass
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The memory of {device} is too small for {settings.batch} crops of {head.resolution} px at "
            f"once: lower --batch and raise --accumulate ({str(error).splitlines()[0]})."
        ) from error

    def finish() -> AdapterRun:
        loss = next((row["loss"] for row in reversed(trainer.state.log_history) if "loss" in row), None)
        run = AdapterRun(
            folder,
            trainer.state.global_step,
            loss,
            len(pairs.rejected),
            callback.interrupted,
            best.measured(),
        )
        _write_result(run, model, best, head.name, _entry(settings, prepared.max_tokens), prepared.source)
        run_report.write(trainer.state, run.best, "interrupted" if run.interrupted else "finished")
        return run

    run = group.run_on_main(finish)
    return replace(run, is_main=group.is_main)


def _discard(line: str) -> None:
    pass


def _prepare(
    head: Head,
    base: str | Path,
    folder: Path,
    settings: AdapterSettings,
    data: Sequence[str | Path],
    group: ProcessGroup,
    report: Report,
) -> _Prepared:
    """Check what can be checked before a model is loaded, and write the run folder with its base."""
    recipe = settings.recipe(head, group.count)
    if Path(base).is_file():
        raise CheckpointError(f"The base {base} is a file; give the folder of a PaliGemma 2.")
    source = find_checkpoint(base)
    head = replace(head, resolution=source.image_size)
    max_tokens = _max_answer_tokens(head, source, settings)
    device = training_device(settings, group)
    require_memory(
        source.folder,
        device,
        requested=settings.device,
        full=settings.full,
        four_bit=settings.four_bit,
        rank=settings.rank,
        processes=group.count,
    )
    if settings.held_out:
        metric_for(head)
    rules = TargetRules(head, load_processor(source).tokenizer, max_tokens)
    listed = list_pairs(data, head)
    identity = {
        "head": head.name,
        "base": source.id,
        "data": [source_name(spec) for spec in data] or drawn_name(settings),
        "full": settings.full,
        "rank": settings.rank,
        "seed": settings.seed,
        "max_tokens": max_tokens,
        "held_out": settings.held_out,
        # None, not False: runs that were begun before there was a choice can be resumed.
        "causal_prompt": settings.causal_prompt or None,
    }
    run_folder.open_run(folder, identity)
    if data:
        pairs = checked_pairs(rules, settings, listed, folder, report)
    else:
        pairs = drawn_pairs(rules, settings, recipe, folder, report)
    base_folder = _write_base(source, folder, head.name, settings)
    return _Prepared(source, max_tokens, identity, pairs, base_folder, latest_state(folder))


def _describe_step(recipe: Recipe, n_pairs: int) -> str:
    """Size and rate of the steps, for people."""
    if n_pairs < recipe.step_size:
        return f"each one pass over the {n_pairs} pairs, rate {recipe.learning_rate:g}"
    shared = f" by {recipe.processes} processes" if recipe.processes > 1 else ""
    return f"{recipe.step_size} pairs a step{shared}, rate {recipe.learning_rate:g}"


def _max_answer_tokens(head: Head, base: Checkpoint, settings: AdapterSettings) -> int:
    """Length of the longest target in tokens, as the head, the settings and the base's context allow."""
    context = int(base.config["text_config"].get("max_position_embeddings", MAX_SEQUENCE))
    room = head.room(context, base.n_image_tokens)
    if room < 1:
        raise CheckpointError(
            f"The context of {base.id}, {context} tokens, has no room for an answer beside "
            f"{base.n_image_tokens} image tokens."
        )
    return min(head.max_tokens, room, settings.max_tokens or room)


def _write_base(source: Checkpoint, folder: Path, head: str, settings: AdapterSettings) -> Path:
    """Write the base into the run folder, and return the folder that it is loaded from."""
    if not settings.full:
        run_folder.write_base(source, folder, head)
        return folder
    run_folder.write_base(source, folder, head, weights=False)
    run_folder.write_base(source, folder / run_folder.BASE_FOLDER, head)
    return folder / run_folder.BASE_FOLDER


def _entry(settings: AdapterSettings, max_tokens: int) -> dict[str, object]:
    """What ``docai.json`` says of the head beside the place of its weights."""
    entry: dict[str, object] = {"max_tokens": max_tokens}
    return entry | {"causal_prompt": True} if settings.causal_prompt else entry


def _stored_dtype(base: Checkpoint) -> torch.dtype:
    """The number format in which whole weights are written: that of the base."""
    named = base.config.get("dtype") or base.config.get("torch_dtype") or "float32"
    return torch.bfloat16 if named == "bfloat16" else torch.float32


def _write_result(
    run: AdapterRun,
    model: PeftModel | PaliGemmaForConditionalGeneration,
    best: BestWeights,
    head: str,
    entry: Mapping[str, object],
    base: Checkpoint,
) -> None:
    """Write the weights and the manifest, and check that the weights on disk are those that were trained."""
    if run.step == 0:
        return
    if not isinstance(model, PeftModel):
        if run.best is None:
            best.keep(model, None)
        run_folder.write_weights(run.folder, best.path)
        run_folder.write_manifest(run.folder, base, head, entry, full=True)
        return
    weights = adapter_weights(model) if run.best is None else best.adapter()
    if run.interrupted and not any(bool(value.any()) for name, value in weights.items() if "lora_B" in name):
        # The rate starts at zero: after an early Ctrl-C the adapter changes nothing.
        return
    target = run_folder.write_adapter(run.folder, head, weights, model.peft_config["default"])
    written = read_weights(target)
    require_fit(written, weights, target)
    require_arrived(written, weights, target)
    run_folder.write_manifest(run.folder, base, head, entry)

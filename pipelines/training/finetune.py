"""Fine-tuning of one head on any PaliGemma 2, by transformers' Trainer and PEFT."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
from docai.pipelines.training import run_folder as folders
from docai.pipelines.training.best_weights import BestWeights, Measured, adapter_weights
from docai.pipelines.training.callbacks import AllStepsDone, HeldOut, Keeper, Report, tensorboard
from docai.pipelines.training.checks import TargetRules
from docai.pipelines.training.distributed import Ranks, join_ranks
from docai.pipelines.training.metrics import metric_for
from docai.pipelines.training.model import build_model, measure_weights, require_room, smoothed_loss
from docai.pipelines.training.pairs import Collator
from docai.pipelines.training.prepare import (
    RunData,
    checked_pairs,
    drawn_name,
    drawn_pairs,
    list_pairs,
    source_name,
)
from docai.pipelines.training.report import Journal, earlier_parts
from docai.pipelines.training.run_folder import latest_state, require_disk, step_of
from docai.pipelines.training.settings import AdapterSettings, Recipe
from docai.pipelines.training.trainer import (
    HeadTrainer,
    WholeTrainer,
    trained_weights,
    trainer_arguments,
    training_device,
)

if TYPE_CHECKING:
    from transformers import PaliGemmaForConditionalGeneration

__all__ = ["AdapterRun", "AdapterSettings", "train_adapter"]

_MEASURED = 10
"""Times that the held-out pairs are read in a run, where nothing else is said."""


@dataclass(frozen=True)
class AdapterRun:
    """Where a training stands after a call."""

    folder: Path
    step: int
    loss: float | None
    """The last one reported, per token; None where no step was taken."""
    n_rejected: int
    interrupted: bool
    best: Measured | None = None
    """The held-out measurement of the weights that the checkpoint has; None where nothing was measured."""
    is_main: bool = True
    """False in all but one of the processes that a launcher started."""


@dataclass(frozen=True)
class _Prepared:
    """What the main process found out before a model is loaded."""

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

    A run found in ``folder`` is resumed. Ctrl-C ends the run after the batch it is in, with its state and
    the weights as they stand written; a second one ends it at once, with the last state left. Where pairs
    are held out, the checkpoint has the weights that read them best, else the last ones.

    Under ``torchrun`` or ``accelerate launch`` every process calls this with the same arguments, and one of
    them, the main process, checks, reports and writes (see :mod:`docai.pipelines.training.distributed`).

    Args:
        head: what is trained.
        base: an embedded name, a folder, or a hub id whose files are on this machine.
        folder: see :mod:`docai.pipelines.training.run_folder`.
        settings: see there.
        data: folders that ``docai synth`` wrote, and ``FORMAT:PATH`` of
            :mod:`docai.pipelines.evaluation.datasets`; none draws pairs.
        report: gets a line for a person now and then.
        command: what was typed, for the card.

    Raises:
        UnknownModelError, CheckpointError: the base is not here, not a PaliGemma 2, or for another
            resolution than the head's.
        DeviceError: the device is not here, or its memory is too small.
        SettingError: a setting cannot be used, there is nothing to train on, too much of the data cannot
            be used (``rejected.jsonl`` in ``folder`` says what), or ``folder`` cannot be used: another run
            is in it, it cannot be written, or its disk is full.
        DatasetError: a data set is not of its format.
        MissingDependencyError: pairs are to be drawn or measured, or a base is to be held in 4 bits, and a
            package for it is not installed.
        StoppedElsewhereError: another process of this training raised one of the others.
    """
    begun = time.monotonic()
    ranks = join_ranks()
    if not ranks.is_main:
        report = _say_nothing
    ready = ranks.on_main(lambda: _prepare(head, base, folder, settings, data, ranks, report))
    recipe = settings.recipe(head, ranks.count)
    device = training_device(settings, ranks)
    found = ready.data

    # Loaded from where it will be loaded for reading, so that both see the same configuration.
    laid = open_checkpoint(ready.base_folder)
    processor = load_processor(laid)
    model = build_model(laid, settings, device)
    n_trained = trained_weights(model)
    stored = _stored_dtype(ready.source)
    step = 0 if ready.state is None else step_of(ready.state)
    if ranks.is_main:
        report(f"{recipe.steps} steps, {_step_size(recipe, len(found.train))}, {device}")
    if step < recipe.steps:
        kept = n_trained * stored.itemsize if settings.full else None
        ranks.on_main(lambda: require_disk(folder, n_trained, kept, report))
    journal = Journal(
        folder=folder,
        about={
            "run": ready.identity,
            "head": {"prompt": head.prompt, "resolution": head.resolution},
            "base": {
                "name": ready.source.name,
                "revision": ready.source.revision,
                "weights": measure_weights(ready.base_folder).total,
                "trained": n_trained,
            },
            "settings": asdict(settings) | asdict(recipe),
        },
        device=device,
        ranks=ranks,
        command=command,
        data=found,
        begun=begun,
        pairs=lambda: trainer.n_pairs,
        earlier=earlier_parts(folder),
        from_step=step,
    )
    best = BestWeights(folder, stored)
    held_out = None
    if found.held_out is not None:
        every = settings.measure_steps or max(1, recipe.steps // _MEASURED)
        held_out = HeldOut(
            found.held_out,
            head,
            processor,
            metric_for(head),
            ready.max_tokens,
            settings.batch,
            every,
            ranks,
        )
    keeper = Keeper(
        best,
        held_out,
        save_minutes=settings.save_minutes,
        report=report,
        log=lambda logs: trainer.log(logs),
        on_save=lambda state: journal.write(state, best.measured(), "running"),
        ranks=ranks,
    )
    trainer = (WholeTrainer if settings.full else HeadTrainer)(
        model=model,
        args=trainer_arguments(folder, settings, recipe, device, len(found.train)),
        train_dataset=found.train,
        data_collator=Collator(processor, head),
        callbacks=[keeper, *(tensorboard(folder, step, report) if ranks.is_main else ())],
        compute_loss_func=smoothed_loss(recipe.label_smoothing) if recipe.label_smoothing else None,
    )
    trainer.ranks = ranks
    trainer.remove_callback(PrinterCallback)
    if ready.state is not None:
        report(f"resumed from {ready.state}")
    try:
        with keeper.listening(), no_progress_bars():
            trainer.train(resume_from_checkpoint=None if ready.state is None else str(ready.state))
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
            len(found.rejected),
            keeper.interrupted,
            best.measured(),
        )
        _write_result(run, model, best, head.name, ready.max_tokens, ready.source)
        journal.write(trainer.state, run.best, "interrupted" if run.interrupted else "finished")
        return run

    run = ranks.on_main(finish)
    return replace(run, is_main=ranks.is_main)


def _say_nothing(line: str) -> None:
    pass


def _prepare(
    head: Head,
    base: str | Path,
    folder: Path,
    settings: AdapterSettings,
    data: Sequence[str | Path],
    ranks: Ranks,
    report: Report,
) -> _Prepared:
    """Everything that can be found wrong before a model is loaded, and the run folder with its base."""
    recipe = settings.recipe(head, ranks.count)
    if Path(base).is_file():
        raise CheckpointError(f"The base {base} is a file; give the folder of a PaliGemma 2 that it lies in.")
    source = find_checkpoint(base)
    max_tokens = _longest_answer(head, source, settings)
    device = training_device(settings, ranks)
    require_room(
        source.folder,
        device,
        wanted=settings.device,
        full=settings.full,
        four_bit=settings.four_bit,
        rank=settings.rank,
        processes=ranks.count,
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
    }
    folders.open_run(folder, identity)
    if data:
        found = checked_pairs(rules, settings, listed, folder, report)
    else:
        found = drawn_pairs(rules, settings, recipe, folder, report)
    base_folder = _lay_base(source, folder, head.name, settings)
    return _Prepared(source, max_tokens, identity, found, base_folder, latest_state(folder))


def _step_size(recipe: Recipe, n_pairs: int) -> str:
    """Of the steps, for people."""
    if n_pairs < recipe.step_size:
        return f"each one pass over the {n_pairs} pairs, rate {recipe.learning_rate:g}"
    shared = f" by {recipe.processes} processes" if recipe.processes > 1 else ""
    return f"{recipe.step_size} pairs a step{shared}, rate {recipe.learning_rate:g}"


def _longest_answer(head: Head, base: Checkpoint, settings: AdapterSettings) -> int:
    """Tokens of the longest target: what the head, the settings and the base's context allow."""
    if base.image_size != head.resolution:
        raise CheckpointError(
            f"The head {head.name!r} reads crops of {head.resolution} px and {base.id} reads "
            f"{base.image_size} px: 448 and 896 checkpoints are different weights. "
            f"Use a {head.resolution} px checkpoint."
        )
    context = int(base.config["text_config"].get("max_position_embeddings", MAX_SEQUENCE))
    # A prompt has no more tokens than bytes; beside it stand the begin token, a newline and the end token.
    room = context - base.n_image_tokens - len(head.prompt.encode()) - 3
    if room < 1:
        raise CheckpointError(
            f"The context of {base.id}, {context} tokens, has no room for an answer beside "
            f"{base.n_image_tokens} image tokens."
        )
    return min(head.max_tokens, room, settings.max_tokens or room)


def _lay_base(source: Checkpoint, folder: Path, head: str, settings: AdapterSettings) -> Path:
    """Lay out the checkpoint and return the folder that the base is loaded from."""
    if not settings.full:
        folders.lay_base(source, folder, head)
        return folder
    folders.lay_base(source, folder, head, weights=False)
    folders.lay_base(source, folder / folders.BASE_FOLDER, head)
    return folder / folders.BASE_FOLDER


def _stored_dtype(base: Checkpoint) -> torch.dtype:
    """In which whole weights are written: as the base's own."""
    named = base.config.get("dtype") or base.config.get("torch_dtype") or "float32"
    return torch.bfloat16 if named == "bfloat16" else torch.float32


def _write_result(
    run: AdapterRun,
    model: PeftModel | PaliGemmaForConditionalGeneration,
    best: BestWeights,
    head: str,
    max_tokens: int,
    base: Checkpoint,
) -> None:
    """Write the weights and the manifest, and prove that what lies on the disk is what was trained."""
    if run.step == 0:
        return
    if not isinstance(model, PeftModel):
        if run.best is None:
            best.keep(model, None)
        folders.write_weights(run.folder, best.path)
        folders.write_manifest(run.folder, base, head, max_tokens, full=True)
        return
    weights = adapter_weights(model) if run.best is None else best.adapter()
    if run.interrupted and not any(bool(value.any()) for name, value in weights.items() if "lora_B" in name):
        # The rate starts at zero, so an early Ctrl-C leaves an adapter that changes nothing.
        return
    target = folders.write_adapter(run.folder, head, weights, model.peft_config["default"])
    written = read_weights(target)
    require_fit(written, weights, target)
    require_arrived(written, weights, target)
    folders.write_manifest(run.folder, base, head, max_tokens)

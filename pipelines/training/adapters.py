"""Fine-tuning of one head on any PaliGemma 2, by transformers' Trainer and PEFT."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from transformers import PrinterCallback, Trainer, TrainingArguments

from docai.errors import CheckpointError, DeviceError
from docai.models.adapters import read_weights, require_arrived, require_fit
from docai.models.checkpoints import Checkpoint, find_checkpoint, open_checkpoint
from docai.models.devices import choose_device, choose_dtype
from docai.models.guards import MAX_SEQUENCE
from docai.models.heads import Head
from docai.models.loading import load_processor, no_progress_bars
from docai.pipelines.training import folders
from docai.pipelines.training.best import BestWeights, Measured, adapter_weights
from docai.pipelines.training.build import WholeTrainer, build_model, four_bit_config, smoothed_loss
from docai.pipelines.training.checks import TargetRules
from docai.pipelines.training.keeper import HeldOut, Keeper, Report
from docai.pipelines.training.memory import require_room
from docai.pipelines.training.metrics import metric_for
from docai.pipelines.training.pairs import Collator
from docai.pipelines.training.prepare import RunData, checked_pairs, drawn_pairs, list_pairs
from docai.pipelines.training.presets import Recipe
from docai.pipelines.training.settings import AdapterSettings

if TYPE_CHECKING:
    from transformers import PaliGemmaForConditionalGeneration

__all__ = ["AdapterRun", "AdapterSettings", "train_adapter"]

_MEASURED = 10
"""Times that the held-out pairs are read in a run, where nothing else is said."""
_VERSIONS = ("torch", "transformers", "peft", "docai")


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


def train_adapter(
    head: Head,
    base: str | Path,
    folder: Path,
    settings: AdapterSettings,
    *,
    data: Sequence[str | Path] = (),
    report: Report,
) -> AdapterRun:
    """Fine-tune one head and write it with its base to ``folder``: a LoRA adapter, or all weights.

    A run found in ``folder`` is resumed. Ctrl-C ends the run after the step it is in, with its state and
    the weights as they stand written; a second one ends it at once, with the last state left. Where pairs
    are held out, the checkpoint has the weights that read them best, else the last ones.

    Args:
        head: what is trained.
        base: an embedded name, a folder, or a hub id whose files are on this machine.
        folder: see :mod:`docai.pipelines.training.folders`.
        settings: see there.
        data: folders that ``docai synth`` wrote, and ``FORMAT:PATH`` of
            :mod:`docai.pipelines.evaluation.datasets`; none draws pairs.
        report: gets a line for a person now and then.

    Raises:
        UnknownModelError, CheckpointError: the base is not here, not a PaliGemma 2, or for another
            resolution than the head's.
        DeviceError: the device is not here, or its memory is too small.
        SettingError: a setting cannot be used, there is nothing to train on, too much of the data cannot
            be used (``rejected.jsonl`` in ``folder`` says what), or ``folder`` cannot be used.
        DatasetError: a data set is not of its format.
        MissingDependencyError: pairs are to be drawn or measured, or a base is to be held in 4 bits, and a
            package for it is not installed.
    """
    recipe = settings.recipe(head)
    source = find_checkpoint(base)
    max_tokens = _longest_answer(head, source, settings)
    device = _device(settings)
    require_room(
        source.folder, device, wanted=settings.device, full=settings.full, four_bit=settings.four_bit
    )
    metric = metric_for(head) if settings.held_out else None
    processor = load_processor(source)
    rules = TargetRules(head, processor.tokenizer, max_tokens)
    listed, rejected = list_pairs(data, head)
    identity = {
        "head": head.name,
        "base": source.id,
        "data": [_name(spec) for spec in data] or f"drawn, difficulty {settings.difficulty:g}",
        "full": settings.full,
        "rank": settings.rank,
        "seed": settings.seed,
        "max_tokens": max_tokens,
        "held_out": settings.held_out,
    }
    folders.open_run(folder, identity)
    found = (
        checked_pairs(rules, settings, listed, rejected, folder, report)
        if data
        else drawn_pairs(rules, settings, recipe, folder, report)
    )
    base_folder = _lay_base(source, folder, head.name, settings)

    # Loaded from where it will be loaded for reading, so that both see the same configuration.
    laid = open_checkpoint(base_folder)
    model = build_model(laid, settings, device)
    best = BestWeights(folder, _stored_dtype(source))
    held_out = None
    if metric is not None and found.held_out is not None:
        every = settings.measure_steps or max(1, recipe.steps // _MEASURED)
        held_out = HeldOut(found.held_out, head, processor, metric, max_tokens, settings.batch, every)
    keeper = Keeper(best, held_out, save_minutes=settings.save_minutes, report=report)
    n_pairs = f"{recipe.step_size} pairs a step"
    report(f"{recipe.steps} steps, {n_pairs}, rate {recipe.learning_rate:g}, {device}")
    trainer_class = WholeTrainer if settings.full else Trainer
    trainer = trainer_class(
        model=model,
        args=_arguments(folder, settings, recipe, device),
        train_dataset=found.train,
        data_collator=Collator(processor, head),
        callbacks=[keeper],
        compute_loss_func=smoothed_loss(recipe.label_smoothing) if recipe.label_smoothing else None,
    )
    trainer.remove_callback(PrinterCallback)
    state = folders.latest_state(folder)
    if state is not None:
        report(f"resumed from {state}")
    try:
        with keeper.listening(), no_progress_bars():
            trainer.train(resume_from_checkpoint=None if state is None else str(state))
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The memory of {device} is too small for {settings.batch} crops of {head.resolution} px at "
            f"once: lower --batch and raise --accumulate ({str(error).splitlines()[0]})."
        ) from error

    loss = next((row["loss"] for row in reversed(trainer.state.log_history) if "loss" in row), None)
    step = trainer.state.global_step
    run = AdapterRun(folder, step, loss, len(found.rejected), keeper.interrupted, best.measured())
    _write_result(run, model, best, head.name, max_tokens, source)
    _write_about(run, identity, settings, recipe, found)
    return run


def _device(settings: AdapterSettings) -> torch.device:
    device = choose_device(settings.device)
    if device.type == "cuda" and device.index:
        raise DeviceError(
            f"Training uses the first CUDA device it sees; set CUDA_VISIBLE_DEVICES={device.index}."
        )
    if settings.four_bit:
        four_bit_config(device)
    return device


def _name(spec: str | Path) -> str:
    """The same for the same data, wherever the command is called from."""
    name, colon, rest = str(spec).rpartition(":")
    return f"{name}{colon}{Path(rest).expanduser().resolve()}"


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


def _arguments(
    folder: Path, settings: AdapterSettings, recipe: Recipe, device: torch.device
) -> TrainingArguments:
    on_gpu = device.type == "cuda"
    workers = settings.workers
    if workers is None:
        workers = min(8, os.cpu_count() or 1) if on_gpu else 0
    arguments = TrainingArguments(
        output_dir=str(folder / folders.STATE_FOLDER),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(settings.warmup_share * recipe.steps),
        optim="adamw_torch",
        max_grad_norm=1.0,
        bf16=choose_dtype(None, device) == torch.bfloat16,
        use_cpu=not on_gpu,
        seed=settings.seed,
        dataloader_num_workers=workers,
        dataloader_pin_memory=on_gpu,
        logging_steps=min(settings.report_steps, recipe.steps),
        # Saved by the clock (see Keeper): a step may take a second or some minutes.
        save_strategy="no",
        save_total_limit=2,
        # Our collator takes pairs, which have no columns.
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
    )
    if on_gpu:
        # Where there are several, the Trainer would split batches over all by DataParallel.
        arguments._n_gpu = 1
    return arguments


def _write_result(
    run: AdapterRun,
    model: PeftModel | PaliGemmaForConditionalGeneration,
    best: BestWeights,
    head: str,
    max_tokens: int,
    base: Checkpoint,
) -> None:
    """Write the weights and the manifest, and prove that what lies on the disk is what was trained."""
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


def _write_about(
    run: AdapterRun,
    identity: dict[str, Any],
    settings: AdapterSettings,
    recipe: Recipe,
    data: RunData,
) -> None:
    """Write ``training.json``: what was trained on what, and how far."""
    result = {
        "step": run.step,
        "loss": run.loss,
        "n_train": len(data.train),
        "n_held_out": 0 if data.held_out is None else len(data.held_out),
        "n_rejected": run.n_rejected,
        "held_out": None if run.best is None else asdict(run.best),
    }
    about = {
        "run": identity,
        "settings": asdict(settings) | asdict(recipe),
        "result": result,
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
    }
    folders.write_json(run.folder / folders.RUN_FILE, about)

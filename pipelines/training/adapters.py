"""Fine-tuning of one head: a LoRA adapter on any PaliGemma 2, by transformers' Trainer and PEFT."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from docai.errors import CheckpointError, DeviceError, SettingError
from docai.models.adapters import LORA_TARGETS, attach, read_weights, require_arrived, require_fit
from docai.models.checkpoints import Checkpoint, find_checkpoint, open_checkpoint
from docai.models.devices import choose_device, choose_dtype
from docai.models.guards import MAX_SEQUENCE
from docai.models.heads import Head
from docai.models.loading import load_base, load_processor
from docai.pipelines.training import folders
from docai.pipelines.training.pairs import (
    Collator,
    DrawnPairs,
    FolderPairs,
    Pairs,
    Rejected,
    TargetRules,
    describe_rejected,
    read_pairs,
)

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState

Report = Callable[[str], None]

_DRAWN_CHECKS = 24
_VERSIONS = ("torch", "transformers", "peft", "docai")


@dataclass(frozen=True)
class AdapterSettings:
    """How one adapter is trained."""

    steps: int = 1_000
    """Steps of the optimiser in all, over every resumed part."""
    batch: int = 4
    """Pairs that go through the model at once."""
    accumulate: int = 1
    """Batches per step."""
    learning_rate: float = 1e-4
    warmup_share: float = 0.03
    rank: int = 16
    """Of the LoRA matrices; their scale, alpha, is twice that."""
    seed: int = 0
    """Of the adapter's start, the order of the pairs, and what is drawn."""
    device: str = "auto"
    max_tokens: int | None = None
    """Longest target, in tokens; None is the head's own limit."""
    difficulty: float = 1.0
    """Of drawn pairs, 0…1."""
    workers: int | None = None
    """Processes that prepare pairs; None is one per core, 8 at most, beside a GPU and none beside a CPU."""
    save_minutes: float = 10.0
    """Between two states that a run can go on from."""
    report_steps: int = 10


@dataclass(frozen=True)
class AdapterRun:
    """Where a training stands after a call."""

    folder: Path
    step: int
    loss: float | None
    """The last one reported, per token; None where no step was taken."""
    n_rejected: int
    interrupted: bool


def train_adapter(
    head: Head,
    base: str | Path,
    folder: Path,
    settings: AdapterSettings,
    *,
    data: Path | None = None,
    report: Report,
) -> AdapterRun:
    """Fine-tune one LoRA adapter and write it with its base to ``folder``.

    A run found in ``folder`` is resumed. Ctrl-C ends the run after the step it is in, with its state and
    the adapter as it stands written; a second one ends it at once, with the last state left.

    Args:
        head: what is trained.
        base: an embedded name, a folder, or a hub id whose files are on this machine.
        folder: see :mod:`docai.pipelines.training.folders`.
        settings: see there.
        data: a folder of pairs; None draws them.
        report: gets a line for a person now and then.

    Raises:
        UnknownModelError, CheckpointError: the base is not here, not a PaliGemma 2, or for another
            resolution than the head's.
        DeviceError: the device is not here, or its memory is too small.
        SettingError: a setting cannot be used, there is nothing to train on, or ``folder`` cannot be used.
        MissingDependencyError: pairs are to be drawn and a package for it is not installed.
    """
    _check_settings(settings)
    source = find_checkpoint(base)
    max_tokens = _longest_answer(head, source, settings)
    device = choose_device(settings.device)
    if device.type == "cuda" and device.index:
        raise DeviceError(
            f"Training uses the first CUDA device it sees; set CUDA_VISIBLE_DEVICES={device.index}."
        )
    processor = load_processor(source)
    rules = TargetRules(head, processor.tokenizer, max_tokens)
    listed = None if data is None else read_pairs(data)
    identity = {
        "head": head.name,
        "base": source.id,
        "data": str(data.resolve()) if data else f"drawn, difficulty {settings.difficulty:g}",
        "rank": settings.rank,
        "seed": settings.seed,
        "max_tokens": max_tokens,
    }
    folders.open_run(folder, identity)
    pairs, rejected = _usable_pairs(rules, settings, listed, report)
    folders.lay_base(source, folder, head.name)
    folders.write_rejected(folder, rejected)

    # Loaded from where it will be loaded for reading, so that both see the same configuration.
    model = build_adapter_model(open_checkpoint(folder), settings, device)
    keeper = _Keeper(settings, report)
    trainer = Trainer(
        model=model,
        args=_arguments(folder, settings, device),
        train_dataset=pairs,
        data_collator=Collator(processor, head),
        callbacks=[keeper],
    )
    trainer.remove_callback(PrinterCallback)
    state = folders.latest_state(folder)
    if state is not None:
        report(f"resumed from {state}")
    try:
        with keeper.listening():
            trainer.train(resume_from_checkpoint=None if state is None else str(state))
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The memory of {device} is too small for {settings.batch} crops of {head.resolution} px at "
            f"once: lower --batch and raise --accumulate ({str(error).splitlines()[0]})."
        ) from error

    loss = next((row["loss"] for row in reversed(trainer.state.log_history) if "loss" in row), None)
    run = AdapterRun(folder, trainer.state.global_step, loss, len(rejected), keeper.interrupted)
    _write_result(run, model, head.name, max_tokens, source)
    summary = {"step": run.step, "loss": loss, "n_rejected": run.n_rejected}
    versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
    about = {"run": identity, "settings": asdict(settings), "result": summary, "versions": versions}
    folders.write_json(folder / folders.RUN_FILE, about)
    return run


def build_adapter_model(checkpoint: Checkpoint, settings: AdapterSettings, device: torch.device) -> PeftModel:
    """The base, frozen, with a fresh adapter ``default`` that trains in float32.

    The guards of :mod:`docai.models.guards` are in ``load_base``: full attention in every layer, and the
    soft caps that the checkpoint states.
    """
    set_seed(settings.seed)
    base = load_base(checkpoint, choose_dtype(None, device))
    config = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=LORA_TARGETS)
    model = attach(base, config, "default")
    for parameter in model.parameters():
        if parameter.requires_grad:
            # Small steps would be lost in the 8 bits of a bfloat16.
            parameter.data = parameter.data.float()
    return model


def _check_settings(settings: AdapterSettings) -> None:
    for name in ("steps", "batch", "accumulate", "rank", "learning_rate"):
        value = asdict(settings)[name]
        if value <= 0:
            raise SettingError(f"The setting {name} is {value}; it has to be above 0.")


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


def _usable_pairs(
    rules: TargetRules, settings: AdapterSettings, listed: FolderPairs | None, report: Report
) -> tuple[Pairs, list[Rejected]]:
    """The data, checked, and what is not trained on. Raises :class:`SettingError` where nothing is left."""
    pairs: Pairs
    if listed is None:
        needed = settings.steps * settings.batch * settings.accumulate
        drawn = DrawnPairs(rules.head.name, settings.seed, settings.difficulty, needed, rules)
        rejected, n_checked = drawn.check(_DRAWN_CHECKS), _DRAWN_CHECKS
        pairs, n_usable = drawn, n_checked - len(rejected)
    else:
        pairs, rejected = listed.check(rules)
        n_checked, n_usable = len(listed), len(pairs)
    report(f"{n_usable} of {n_checked} {'pairs' if listed else 'drawn pairs tried'} can be used")
    lines = describe_rejected(rejected)
    for line in lines:
        report(line)
    if not n_usable:
        why = f": {'; '.join(line.strip() for line in lines)}" if lines else ""
        raise SettingError(f"There is nothing to train the head {rules.head.name!r} on{why}.")
    return pairs, rejected


def _arguments(folder: Path, settings: AdapterSettings, device: torch.device) -> TrainingArguments:
    on_gpu = device.type == "cuda"
    workers = settings.workers
    if workers is None:
        workers = min(8, os.cpu_count() or 1) if on_gpu else 0
    arguments = TrainingArguments(
        output_dir=str(folder / folders.STATE_FOLDER),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(settings.warmup_share * settings.steps),
        optim="adamw_torch",
        max_grad_norm=1.0,
        bf16=choose_dtype(None, device) == torch.bfloat16,
        use_cpu=not on_gpu,
        seed=settings.seed,
        dataloader_num_workers=workers,
        dataloader_pin_memory=on_gpu,
        logging_steps=min(settings.report_steps, settings.steps),
        # Saved by the clock (see _Keeper): a step may take a second or some minutes.
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


def _write_result(run: AdapterRun, model: PeftModel, head: str, max_tokens: int, base: Checkpoint) -> None:
    """Write the adapter and the manifest, and prove that what lies on the disk is what was trained."""
    weights = get_peft_model_state_dict(model, adapter_name="default", save_embedding_layers=False)
    if run.interrupted and not any(bool(value.any()) for name, value in weights.items() if "lora_B" in name):
        # The rate starts at zero, so an early Ctrl-C leaves an adapter that changes nothing.
        return
    target = folders.write_adapter(run.folder, head, weights, model.peft_config["default"])
    written = read_weights(target)
    require_fit(written, weights, target)
    require_arrived(written, weights, target)
    folders.write_manifest(run.folder, base, head, max_tokens)


class _Keeper(TrainerCallback):
    """Saves by the clock, at the end and on Ctrl-C, and hands progress on."""

    def __init__(self, settings: AdapterSettings, report: Report) -> None:
        self.interrupted = False
        self._seconds = 60 * settings.save_minutes
        self._report = report
        self._saved = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        now = time.monotonic()
        finished = state.global_step >= state.max_steps
        if self.interrupted or finished or now - self._saved > self._seconds:
            control.should_save = True
            self._saved = now
        if self.interrupted:
            control.should_training_stop = True
            # A run that ended on its last step was not interrupted.
            self.interrupted = not finished

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self._report(
                f"step {state.global_step} of {state.max_steps}  loss {logs['loss']:.4f}  "
                f"rate {logs['learning_rate']:.2e}"
            )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the first Ctrl-C as a wish to stop. Signals go to the main thread: elsewhere do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

"""The Trainer, and what a run needs beside it: pairs counted, states written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import PaliGemmaForConditionalGeneration, Trainer, TrainingArguments

from docai.errors import CheckpointError, DeviceError
from docai.models.devices import choose_device, choose_dtype
from docai.models.loading import describe_wrong_tensors
from docai.pipelines.training.distributed import Ranks
from docai.pipelines.training.model import four_bit_config
from docai.pipelines.training.run_folder import KEPT_STATES, STATE_FOLDER, state_bytes, writing
from docai.pipelines.training.settings import AdapterSettings, Recipe


def training_device(settings: AdapterSettings, ranks: Ranks) -> torch.device:
    """Where this process trains.

    Raises:
        DeviceError: there is no such device here, not one for each process, or it holds no 4 bits.
        MissingDependencyError: see :func:`docai.pipelines.training.model.four_bit_config`.
    """
    device = choose_device(settings.device)
    if device.type == "cuda":
        if device.index and ranks.count == 1:
            raise DeviceError(
                f"Training uses the first CUDA device it sees; set CUDA_VISIBLE_DEVICES={device.index}."
            )
        n_devices = torch.cuda.device_count()
        if ranks.local >= n_devices:
            raise DeviceError(
                f"The launcher started more than {n_devices} processes here, and there are {n_devices} CUDA "
                f"devices: start {n_devices}, one for each."
            )
        device = torch.device("cuda", ranks.local)
    if settings.four_bit:
        four_bit_config(device)
    return device


def trainer_arguments(
    folder: Path, settings: AdapterSettings, recipe: Recipe, device: torch.device, n_pairs: int
) -> TrainingArguments:
    """What the Trainer is given.

    Args:
        folder: of the run.
        settings: see there.
        recipe: theirs, nothing left open.
        device: of this process.
        n_pairs: that are trained on.
    """
    on_gpu = device.type == "cuda"
    workers = settings.workers
    if workers is None:
        workers = min(8, (os.cpu_count() or 1) // recipe.processes) if on_gpu else 0
    arguments = TrainingArguments(
        output_dir=str(folder / STATE_FOLDER),
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
        # Several processes would fill the last, short batches of a pass with pairs of its beginning.
        dataloader_drop_last=recipe.processes > 1 and n_pairs >= recipe.batch * recipe.processes,
        # Every trained weight has a gradient in every batch; looking for others costs time.
        ddp_find_unused_parameters=False,
        logging_steps=min(settings.report_steps, recipe.steps),
        # Saved by the clock (see Keeper): a step may take a second or some minutes.
        save_strategy="no",
        save_total_limit=KEPT_STATES,
        # Our collator takes pairs, which have no columns.
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
    )
    if on_gpu and recipe.processes == 1:
        # Where there are several, the Trainer would split batches over all by DataParallel.
        arguments._n_gpu = 1
    return arguments


class HeadTrainer(Trainer):
    """Trains what of the model is not frozen. Set ``ranks`` before ``train``."""

    ranks = Ranks()
    _pairs_before = 0
    _pairs_of_step = 0
    _step_of_pairs = 0

    @property
    def n_pairs(self) -> int:
        """Pairs of the steps taken since this Trainer was made, over all processes."""
        taken = self.state.global_step > self._step_of_pairs
        return self._pairs_before + (self._pairs_of_step if taken else 0)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """The batches of one step. Counted here: the last step of a pass over the data may be a short one."""
        batches, n_tokens = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._pairs_before = self.n_pairs
        self._pairs_of_step = self.ranks.count * sum(len(batch["labels"]) for batch in batches)
        self._step_of_pairs = self.state.global_step
        return batches, n_tokens

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a state; where that fails, take away the half and leave the states before it.

        Raises:
            SettingError: it cannot be written, mostly for want of room.
        """
        states = Path(str(self.args.output_dir))
        state = states / f"checkpoint-{self.state.global_step}"
        needs = state_bytes(trained_weights(model))

        def save() -> None:
            try:
                with writing(state, states.parent, needs=needs):
                    super(HeadTrainer, self)._save_checkpoint(model, trial)
            except BaseException:
                if self.ranks.is_main:
                    shutil.rmtree(state, ignore_errors=True)
                raise

        self.ranks.together(save)


def trained_weights(model: torch.nn.Module) -> int:
    """How many numbers change."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


class WholeTrainer(HeadTrainer):
    """Trains all weights, and goes on from a state with exactly those that lie there.

    transformers writes PaliGemma's weights by other names than the model has. The Trainer itself goes on
    from such a state with a line in the log and the weights of the base.
    """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: object = None) -> None:
        trained: Any = self.model
        found: Any = PaliGemmaForConditionalGeneration.from_pretrained(
            resume_from_checkpoint,
            config=trained.config,
            dtype=trained.dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        stored, report = found
        wrong = describe_wrong_tensors(report)
        if wrong:
            raise CheckpointError(
                f"The state {resume_from_checkpoint} does not have the weights of this model: {wrong}. "
                "Remove that folder to go on from the state before it."
            )
        trained.load_state_dict(stored.state_dict())

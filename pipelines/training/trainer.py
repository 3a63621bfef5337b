"""The device, arguments and Trainer of a fine-tuning: it counts pairs and writes only complete states."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import PaliGemmaForConditionalGeneration, Trainer, TrainingArguments

from docai.errors import CheckpointError, DeviceError
from docai.models.loading import choose_device, choose_dtype, describe_wrong_tensors
from docai.pipelines.training.distributed import ProcessGroup
from docai.pipelines.training.model import four_bit_config
from docai.pipelines.training.run_folder import MAX_STATES, STATE_FOLDER, explaining_write_errors, state_bytes
from docai.pipelines.training.settings import AdapterSettings, Recipe


def training_device(settings: AdapterSettings, group: ProcessGroup) -> torch.device:
    """The device that this process trains on.

    Raises:
        DeviceError: there is no such device here, or not one for each process, or it cannot hold 4 bits.
        MissingDependencyError: see :func:`docai.pipelines.training.model.four_bit_config`.
    """
    device = choose_device(settings.device)
    if device.type == "cuda":
        if device.index and group.count == 1:
            raise DeviceError(
                f"Training uses the first CUDA device it sees; set CUDA_VISIBLE_DEVICES={device.index}."
            )
        n_devices = torch.cuda.device_count()
        if group.local >= n_devices:
            raise DeviceError(
                f"The launcher started more than {n_devices} processes here, and there are {n_devices} CUDA "
                f"devices: start {n_devices} processes."
            )
        device = torch.device("cuda", group.local)
    if settings.four_bit:
        four_bit_config(device)
    return device


def trainer_arguments(
    folder: Path, settings: AdapterSettings, recipe: Recipe, device: torch.device, n_pairs: int
) -> TrainingArguments:
    """The settings of a head's training as transformers' Trainer takes them.

    Args:
        folder: of the run.
        settings: of the run.
        recipe: the settings with all defaults filled in.
        device: of this process.
        n_pairs: number of pairs to train on.
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
        # With several processes, the last short batches of a pass would be filled with pairs of its start.
        dataloader_drop_last=recipe.processes > 1 and n_pairs >= recipe.batch * recipe.processes,
        # Every trained weight has a gradient in every batch; the search for others costs time.
        ddp_find_unused_parameters=False,
        logging_steps=min(settings.report_steps, recipe.steps),
        # RunCallback saves by time: a step may take a second or some minutes.
        save_strategy="no",
        save_total_limit=MAX_STATES,
        # The collator takes pairs, which have no columns.
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
    )
    if on_gpu and recipe.processes == 1:
        # With several GPUs, the Trainer would split batches over all of them by DataParallel.
        arguments._n_gpu = 1
    return arguments


class HeadTrainer(Trainer):
    """Trains the weights that are not frozen. Set ``group`` before calling ``train``."""

    group = ProcessGroup()
    _pairs_before = 0
    _pairs_of_step = 0
    _step_of_pairs = 0

    @property
    def n_pairs(self) -> int:
        """Pairs of the steps taken by this Trainer, over all processes."""
        taken = self.state.global_step > self._step_of_pairs
        return self._pairs_before + (self._pairs_of_step if taken else 0)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """The batches of one step, counted: the last step of a pass over the data may be short."""
        batches, n_tokens = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._pairs_before = self.n_pairs
        self._pairs_of_step = self.group.count * sum(len(batch["labels"]) for batch in batches)
        self._step_of_pairs = self.state.global_step
        return batches, n_tokens

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a training state. Where that fails, remove the unfinished one and keep those before it.

        Raises:
            SettingError: it cannot be written, mostly because the disk is full.
        """
        folder = Path(str(self.args.output_dir))
        state = folder / f"checkpoint-{self.state.global_step}"
        needs = state_bytes(trained_weights(model))

        def save() -> None:
            try:
                with explaining_write_errors(state, folder.parent, needs=needs):
                    super(HeadTrainer, self)._save_checkpoint(model, trial)
            except BaseException:
                if self.group.is_main:
                    shutil.rmtree(state, ignore_errors=True)
                raise

        self.group.run_on_all(save)


def trained_weights(model: torch.nn.Module) -> int:
    """Number of weights that are trained."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


class FullTrainer(HeadTrainer):
    """Trains all weights, and resumes with exactly the weights of the state.

    transformers writes PaliGemma's weights under other names than the model has. The Trainer itself would
    log a warning and resume with the weights of the base.
    """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: object = None) -> None:
        trained: Any = self.model
        loaded: Any = PaliGemmaForConditionalGeneration.from_pretrained(
            resume_from_checkpoint,
            config=trained.config,
            dtype=trained.dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        stored, loading_info = loaded
        wrong = describe_wrong_tensors(loading_info)
        if wrong:
            raise CheckpointError(
                f"The state {resume_from_checkpoint} does not have the weights of this model: {wrong}. "
                "Remove that folder to resume from the state before it."
            )
        trained.load_state_dict(stored.state_dict())

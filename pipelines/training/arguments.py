"""Settings of a head's training as transformers' Trainer takes them."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from transformers import TrainingArguments

from docai.errors import DeviceError
from docai.models.devices import choose_device, choose_dtype
from docai.pipelines.training.build import four_bit_config
from docai.pipelines.training.presets import Recipe
from docai.pipelines.training.ranks import Ranks
from docai.pipelines.training.settings import AdapterSettings
from docai.pipelines.training.states import KEPT_STATES, STATE_FOLDER


def training_device(settings: AdapterSettings, ranks: Ranks) -> torch.device:
    """Where this process trains.

    Raises:
        DeviceError: there is no such device here, not one for each process, or it holds no 4 bits.
        MissingDependencyError: see :func:`docai.pipelines.training.build.four_bit_config`.
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

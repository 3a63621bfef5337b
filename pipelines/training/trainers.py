"""The Trainer, and what a run needs beside it: pairs counted, states written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import PaliGemmaForConditionalGeneration, Trainer

from docai.errors import CheckpointError
from docai.models.loading import wrong_tensors
from docai.pipelines.training.ranks import Ranks
from docai.pipelines.training.states import state_bytes, writing


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
        wrong = wrong_tensors(report)
        if wrong:
            raise CheckpointError(
                f"The state {resume_from_checkpoint} does not have the weights of this model: {wrong}. "
                "Remove that folder to go on from the state before it."
            )
        trained.load_state_dict(stored.state_dict())

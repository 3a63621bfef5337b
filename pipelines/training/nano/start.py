"""Weights that a training goes on from without its state: those of a finished checkpoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docai.errors import CheckpointError
from docai.models.checkpoints import find_checkpoint
from docai.pipelines.training.nano.state import Progress

if TYPE_CHECKING:
    import torch
    from transformers import PaliGemmaProcessor

    from docai.pipelines.training.nano.step import Learner


def start_from(base: str, learner: Learner, processor: PaliGemmaProcessor) -> Progress:
    """Fill the learner's model with the weights of ``base``, a checkpoint of the same architecture.

    The head of the auxiliary task is not part of a checkpoint. It starts at zero, where it asks nothing of
    the tower before it has learnt something itself.

    Raises:
        UnknownModelError: there is no such checkpoint.
        CheckpointError: it is damaged, or of another architecture or vocabulary.
    """
    import torch

    from docai.models.loading import load_base, load_processor

    checkpoint = find_checkpoint(base)
    weights = load_base(checkpoint, torch.float32).state_dict()
    vocabulary = load_processor(checkpoint).tokenizer.get_vocab()
    own = learner.model.state_dict()
    other = [name for name in own.keys() | weights.keys() if _shape(own, name) != _shape(weights, name)]
    if other or vocabulary != processor.tokenizer.get_vocab():
        what = f"{len(other)} tensors differ, such as {min(other)}" if other else "its vocabulary differs"
        raise CheckpointError(
            f"{base} is of another architecture than nano: {what}. `docai train nano --base` takes nano and "
            "what was trained from it; `docai train HEAD --base` takes any PaliGemma 2."
        )
    learner.model.load_state_dict(weights)
    torch.nn.init.zeros_(learner.symbols.weight)
    torch.nn.init.zeros_(learner.symbols.bias)
    found = re.fullmatch(r"step-(\d+)", checkpoint.revision)
    return Progress(step=int(found[1]) if found else 0, base=checkpoint.id)


def _shape(weights: dict[str, torch.Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None

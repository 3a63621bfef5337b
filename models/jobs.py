"""What the scheduler keeps of each answer, and the failures that it knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from docai.errors import GenerationError
from docai.models.drafts import Drafter
from docai.models.generation import Answer, StopReason
from docai.models.heads import Decoding
from docai.models.loops import LoopDetector

if TYPE_CHECKING:
    from llguidance import LLMatcher

    from docai.models.constrained import Constraint


@dataclass(frozen=True, eq=False)
class Job:
    """One crop that is to be read greedily."""

    pixels: Callable[[], torch.Tensor]
    """Gives (3, side, side), -1 to 1; called when the crop is read."""
    prompt: tuple[int, ...]
    """Tokens after the image."""
    budget: int
    """Most tokens of the answer."""
    decoding: Decoding
    constraint: Constraint | None = None
    adapter: str | None = None
    draft: tuple[int, ...] = ()
    """Tokens that the answer is likely to be like."""
    deadline: float | None = None
    """When the answer ends with what it has, by :func:`time.monotonic`; None: never."""
    causal_prompt: bool = False
    """The prompt sees only what is before it, see :func:`docai.models.guards.make_prompt_causal`."""
    picture: bytes = b""
    """The same for the same crop; empty: nobody will ask about it again."""

    @property
    def key(self) -> tuple[bytes, tuple[int, ...], str | None, bool] | None:
        """The same where the same is read; None: it is not to be kept."""
        return (self.picture, self.prompt, self.adapter, self.causal_prompt) if self.picture else None

    @property
    def is_late(self) -> bool:
        """The deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline


@dataclass(eq=False)
class Row:
    """One answer, while it is written and as long as its slot still holds what it read."""

    job: Job
    n_prompt: int
    """Positions of image and prompt."""
    loop: LoopDetector
    matcher: LLMatcher | None
    drafter: Drafter | None = None
    """None: its next token is written, and no other is tried."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    length: int = 0
    """Positions in its slot."""
    reason: StopReason | None = None
    """Why it ended; None while it is written."""
    ended: int = 0
    """The later it ended, the larger."""


@dataclass(frozen=True)
class Pending:
    """Tokens of rows that the device may still be computing."""

    rows: Sequence[Row]
    chosen: torch.Tensor
    """(2, rows), float64: tokens and log-probabilities, on their way to the host."""
    event: torch.cuda.Event | None

    def values(self) -> tuple[list[int], list[float]]:
        """Tokens and log-probabilities, waiting for them."""
        if self.event is not None:
            self.event.synchronize()
        tokens, logprobs = self.chosen.tolist()
        return [int(token) for token in tokens], logprobs


Outcome = tuple[Job, Answer | Exception]
"""A job and its answer, or what it failed with."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether the memory of the device, or of the machine, was too small."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # On a CPU it is a RuntimeError as any other.
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def no_room(n_prompt: int, context: int) -> GenerationError:
    """The error for a prompt after which nothing can be written."""
    return GenerationError(
        f"Image and prompt take {n_prompt} tokens of the {context} that the model reads and writes, "
        "which leaves none for the answer; use a shorter prompt."
    )

"""The engine seam: crops in, texts with token log-probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from docai.models.heads import Head
from docai.records import FinishReason

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Request:
    """One crop for one head. ``image`` is RGB, square, ``head.resolution`` pixels a side."""

    head: Head
    image: Image
    max_tokens: int | None = None
    """Upper bound for this request; None is the head's own."""


@dataclass(frozen=True)
class Generation:
    """The answer to one request."""

    text: str
    """Without the end token; special tokens of the format (``<loc…>``) are kept."""
    finish_reason: FinishReason
    tokens: tuple[str, ...] = ()
    """The text of each generated token, the end token left out."""
    logprobs: tuple[float, ...] = ()
    """Natural log-probability of each of ``tokens``."""
    checkpoint: str = ""
    """`name@revision` of the weights, with the adapter's where there is one."""
    prompt: str = ""
    error: str | None = None
    """Set where ``finish_reason`` is `error`: what happened, in one sentence."""

    @property
    def n_tokens(self) -> int:
        return len(self.tokens)


class Engine(Protocol):
    """Anything that answers requests. Answers come in the order of the requests, one for each."""

    @property
    def name(self) -> str:
        """Name of the model, for statistics."""
        ...

    @property
    def device(self) -> str:
        """Device it runs on, such as ``cpu`` or ``cuda:0``."""
        ...

    def heads(self) -> frozenset[str]:
        """Names of the heads it has weights for."""
        ...

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer each request.

        Raises:
            HeadNotAvailableError: a request names a head without weights.
        """
        ...

"""The engine seam: crops in, texts with token log-probabilities out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from docai.errors import ConfigurationError, GenerationError
from docai.models.calibration import Calibration
from docai.models.checkpoints import head_not_available
from docai.models.heads import HEADS, Head, get_head
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
    stretch: float = 1.0
    """Times the budget that head and checkpoint declare; ``max_tokens`` stays the upper bound."""


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
    calibration: Calibration | None = None
    """What the log-probabilities of these weights are worth; None where nobody has measured it."""

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


def check_crop(request: Request) -> None:
    """Raise :class:`GenerationError` unless the crop is RGB and exactly as large as its head reads.

    Engines never resize: a crop of another shape would be squashed, and its boxes would be wrong.
    """
    image, side = request.image, request.head.resolution
    if image.mode != "RGB" or image.size != (side, side):
        raise GenerationError(
            f"The head {request.head.name!r} reads RGB crops of {side} x {side} px, and this one is "
            f"{image.mode} of {image.width} x {image.height} px. Make it with docai.pipelines.crops.crop."
        )


def answer(engine: Engine, requests: Sequence[Request]) -> list[Generation]:
    """Answer each request, in order; what goes wrong with one crop stays with that crop.

    A blank crop never reaches the model: its answer is empty and finishes as ``blank``. A crop of the wrong
    shape finishes as ``error``. Requests go to the engine head by head. Where the engine fails on a batch, it
    is asked again in smaller ones until the crops that fail are alone; those finish as ``error``, with the
    reason in :attr:`Generation.error`.

    Raises:
        ConfigurationError: the engine has no weights for a head, or is not set up.
    """
    answers: dict[int, Generation] = {}
    batches: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        early = _without_model(request)
        if early is not None:
            answers[index] = early
        else:
            batches.setdefault(request.head.name, []).append(index)
    for indices in batches.values():
        generations = _answer_batch(engine, [requests[index] for index in indices])
        answers.update(zip(indices, generations, strict=True))
    return [answers[index] for index in range(len(requests))]


def _without_model(request: Request) -> Generation | None:
    from docai.models.blank import is_blank

    try:
        check_crop(request)
    except GenerationError as error:
        return _failed(request, error)
    if is_blank(request.image):
        return Generation(text="", finish_reason="blank", prompt=request.head.prompt)
    return None


def _answer_batch(engine: Engine, requests: Sequence[Request]) -> list[Generation]:
    try:
        return engine.generate(requests)
    except ConfigurationError:
        raise
    except Exception as error:
        # An engine may be anybody's: whatever it raises must not cost the answers to the other crops.
        # Only the message is kept: the traceback holds on to tensors.
        failure = _failed(requests[0], error)
        may_be_too_large = isinstance(error, RuntimeError | MemoryError | GenerationError)
    if len(requests) == 1:
        return [failure]
    # PyTorch's errors are RuntimeErrors, running out of memory among them: halves may fit. Any other error is
    # one crop's, and each is asked alone.
    middle = len(requests) // 2
    halves = [requests[:middle], requests[middle:]]
    parts = halves if may_be_too_large else [[request] for request in requests]
    return [generation for part in parts for generation in _answer_batch(engine, part)]


def _failed(request: Request, error: Exception) -> Generation:
    message = str(error) or "no reason given"
    return Generation(
        text="",
        finish_reason="error",
        prompt=request.head.prompt,
        error=f"{type(error).__name__}: {message}",
    )


def check_heads(engine: Engine, heads: Collection[str] | None) -> None:
    """Refuse heads that do not exist or have no weights before any page is read."""
    for name in sorted(heads or ()):
        get_head(name)
    has = engine.heads()
    # A model may lack some heads: their regions say so. One that has none is not worth starting with.
    wanted = frozenset(heads or (() if has else HEADS))
    if missing := sorted(wanted - has):
        raise head_not_available(missing[0], dict.fromkeys(sorted(has)), engine.name, engine.name)

"""The contract of engines: crops in, texts with token log-probabilities out.

:func:`answer` calls an engine so that a failure stays with its crop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from docai.errors import ConfigurationError, GenerationError, ServerError
from docai.models.calibration import Calibration
from docai.models.checkpoints import head_not_available
from docai.models.heads import HEADS, Head, get_head
from docai.records import FinishReason

if TYPE_CHECKING:
    from PIL.Image import Image


K = TypeVar("K")
"""By which whoever puts a request to a stream knows its answer."""


@dataclass(frozen=True)
class Request:
    """One crop for one head. ``image`` is RGB, square, :func:`crop_size` pixels a side."""

    head: Head
    image: Image
    max_tokens: int | None = None
    """Maximum number of tokens of the answer; None is that of the head."""
    stretch: float = 1.0
    """Factor on the token budget of head and checkpoint; ``max_tokens`` remains the upper bound."""
    draft: str = ""
    """What the answer is likely to be like, in the spelling of the head, such as the words of the PDF itself.
    It changes no answer: an engine may write one in fewer steps by it."""
    deadline: float | None = None
    """When the answer ends with what it has, and the finish reason ``deadline``, by :func:`time.monotonic`;
    None: never. Servers are not told."""


@dataclass(frozen=True)
class Generation:
    """The answer to one request."""

    text: str
    """The text without the end token; special tokens of the format (``<loc…>``) are kept."""
    finish_reason: FinishReason
    tokens: tuple[str, ...] = ()
    """The text of each generated token, without the end token."""
    logprobs: tuple[float, ...] = ()
    """Natural log-probability of each of ``tokens``."""
    checkpoint: str = ""
    """`name@revision` of the weights, followed by that of the adapter if there is one."""
    prompt: str = ""
    error: str | None = None
    """What happened, in one sentence, if ``finish_reason`` is `error`; otherwise None."""
    calibration: Calibration | None = None
    """Calibration maps for the log-probabilities of these weights; None if they are not calibrated."""

    @property
    def n_tokens(self) -> int:
        """Number of generated tokens."""
        return len(self.tokens)


@runtime_checkable
class Engine(Protocol):
    """What every engine implements. It returns one answer for each request, in the same order."""

    @property
    def name(self) -> str:
        """Name of the model, for statistics."""
        ...

    @property
    def device(self) -> str:
        """Device that it runs on, such as ``cpu`` or ``cuda:0``."""
        ...

    def heads(self) -> frozenset[str]:
        """Names of the heads for which it has weights."""
        ...

    def accuracy(self, head: str) -> float | None:
        """Measured share of a head's answers about real documents that are right; None: not measured.

        With ``effort="auto"`` a head is not asked where other readers are likelier right.
        """
        ...

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer each request, whatever heads they are of.

        A failure with one crop is best returned as its answer, with the finish reason ``error``: where an
        engine raises instead, the others are put to it again.

        Raises:
            HeadNotAvailableError: a request names a head without weights.
        """
        ...


class Stream(Protocol[K]):
    """Requests that may come while others are answered."""

    def submit(self, requests: Iterable[tuple[K, Request]]) -> None:
        """Put requests to the engine, each with a key. Any thread may call this at any time.

        Raises:
            HeadNotAvailableError, GenerationError: one of them cannot be asked at all; none is.
        """
        ...

    def answers(self) -> Iterator[tuple[K, Generation]]:
        """Answer until nothing is left. Each answer is given as soon as it is ready, in any order."""
        ...

    def close(self) -> None:
        """Drop what is not answered."""
        ...


@runtime_checkable
class StreamingEngine(Engine, Protocol):
    """An engine that reads crops that come while it writes the answers to others.

    What puts its requests to one as they come is :class:`docai.models.stream.AnswerStream`, which takes any
    engine.
    """

    def stream(self) -> Stream[Any]:
        """A new stream; what several of them are asked is read together."""
        ...


class LazyEngine:
    """Stands for an engine that is loaded when the first crop is put to it.

    A document whose text layer says everything loads no model: that saves seconds, and half of the memory.

    Args:
        name: of the model.
        heads: for which it has weights, each with its measured accuracy.
        load: gives the engine; it is called each time, and keeps it.
        side: of the crops that it reads, pixels; None: that of each head.
        base: the model as ``docai train --base`` takes it; None: it is none to train heads on.
    """

    def __init__(
        self,
        name: str,
        heads: Mapping[str, float | None],
        load: Callable[[], Engine],
        *,
        side: int | None = None,
        base: str | None = None,
    ) -> None:
        self.name = name
        self.load = load
        self.side = side
        self.base = base
        self._heads = dict(heads)
        self._is_loaded = False

    @property
    def device(self) -> str:
        """Device of the engine; empty where it was not loaded."""
        return self.load().device if self._is_loaded else ""

    def heads(self) -> frozenset[str]:
        """As :meth:`Engine.heads`."""
        return frozenset(self._heads)

    def accuracy(self, head: str) -> float | None:
        """As :meth:`Engine.accuracy`."""
        return self._heads.get(head)

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """As :meth:`Engine.generate`; raises what ``load`` raises, too."""
        return self.loaded().generate(requests)

    def loaded(self) -> Engine:
        """The engine."""
        engine = self.load()
        self._is_loaded = True
        return engine


def crop_size(engine: Engine, head: Head) -> int:
    """Side of the crops that an engine reads for a head, pixels.

    The resolution belongs to the weights: 224, 448 and 896 px checkpoints of PaliGemma 2 are different ones.
    An engine states its own as ``side``; where it states none it is that of the head.
    """
    side: int | None = getattr(engine, "side", None)
    return head.resolution if side is None else side


def check_crop(request: Request, side: int) -> None:
    """Raise :class:`GenerationError` unless the crop is RGB and of ``side`` pixels, as its weights read it.

    Engines never resize: a crop of another shape would be distorted, and its boxes would be wrong.
    """
    image = request.image
    if image.mode != "RGB" or image.size != (side, side):
        raise GenerationError(
            f"The head {request.head.name!r} reads RGB crops of {side} x {side} px, but this one is "
            f"{image.mode} of {image.width} x {image.height} px. Use docai.pipelines.crops.crop.make_crop() "
            "with docai.models.engine.crop_size()."
        )


def answer(engine: Engine, requests: Sequence[Request]) -> list[Generation]:
    """Answer each request, in order; a failure with one crop does not affect the others.

    A blank crop does not reach the model: its answer is empty and its finish reason ``blank``. A crop of the
    wrong shape gets the finish reason ``error``. All other crops are put to the engine together. If it
    raises, smaller batches are tried until the failing crops are isolated; these get the finish reason
    ``error``, with the message in :attr:`Generation.error`.

    Raises:
        ConfigurationError: the engine has no weights for a head, or is not set up.
    """
    answers: dict[int, Generation] = {}
    left: list[int] = []
    for index, request in enumerate(requests):
        generation = answer_without_model(request, crop_size(engine, request.head))
        if generation is not None:
            answers[index] = generation
        else:
            left.append(index)
    if left and isinstance(engine, LazyEngine):
        # Here, since a model that cannot be loaded is no failure of a crop.
        engine = engine.loaded()
    if left:
        generations = answer_batch(engine, [requests[index] for index in left])
        answers.update(zip(left, generations, strict=True))
    return [answers[index] for index in range(len(requests))]


def answer_without_model(request: Request, side: int) -> Generation | None:
    """The answer to a crop that is blank, or not of ``side`` pixels; None: a model has to be asked."""
    from docai.models.blank import is_blank

    try:
        check_crop(request, side)
    except GenerationError as error:
        return failed_generation(request, error)
    if is_blank(request.image):
        return Generation(text="", finish_reason="blank", prompt=request.head.prompt)
    return None


def answer_batch(engine: Engine, requests: Sequence[Request]) -> list[Generation]:
    """As :func:`answer`, of crops for which a model has to be asked."""
    try:
        return _checked(engine, requests, engine.generate(requests))
    except (ConfigurationError, ServerError):
        # No failure of a crop. A server says so where it is first asked.
        raise
    except Exception as error:
        # Engines may be third-party: no exception of theirs may cost the answers to the other crops. Only the
        # message is kept, because the traceback references tensors.
        failure = failed_generation(requests[0], error)
        may_be_too_large = isinstance(error, RuntimeError | MemoryError | GenerationError)
    if len(requests) == 1:
        return [failure]
    # PyTorch raises RuntimeErrors, also when out of memory: halves may fit. Any other error is due to one
    # crop, so each crop is sent alone.
    middle = len(requests) // 2
    halves = [requests[:middle], requests[middle:]]
    parts = halves if may_be_too_large else [[request] for request in requests]
    return [generation for part in parts for generation in answer_batch(engine, part)]


def _checked(engine: Engine, requests: Sequence[Request], answers: object) -> list[Generation]:
    """What an engine gave. Raises TypeError where that is no answer to each request: each is asked alone."""
    name = type(engine).__name__
    if not isinstance(answers, Sequence) or not all(isinstance(one, Generation) for one in answers):
        raise TypeError(f"{name}.generate has to return a list of Generation")
    if len(answers) != len(requests):
        raise TypeError(f"{name}.generate was asked {len(requests)} times and gave {len(answers)} answers")
    return list(answers)


def failed_generation(request: Request, error: Exception) -> Generation:
    """The answer to a request that failed."""
    message = str(error) or "no reason given"
    return Generation(
        text="",
        finish_reason="error",
        prompt=request.head.prompt,
        error=f"{type(error).__name__}: {message}",
    )


def check_heads(engine: Engine, heads: Collection[str] | None) -> None:
    """Raise for heads that do not exist or have no weights, before any page is read.

    Raises:
        UnknownHeadError: there is no head of that name.
        HeadNotAvailableError: the engine has no weights for a head, or for no head at all.
    """
    for name in sorted(heads or ()):
        get_head(name)
    has = engine.heads()
    # A model may lack some heads: their regions get an issue. A model without any head is useless.
    wanted = frozenset(heads or (() if has else HEADS))
    if missing := sorted(wanted - has):
        base: str | None = getattr(engine, "base", None)
        raise head_not_available(missing[0], dict.fromkeys(sorted(has)), engine.name, base)

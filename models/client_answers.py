"""What an OpenAI-compatible server says, as text, tokens and log-probabilities. Every word of it is checked.

The protocol is that of ``/v1/models`` and ``/v1/chat/completions`` as vLLM speaks it. Where an answer cannot
be what was asked for, it is an error: a record must not rest on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationError

from docai.errors import ServerError
from docai.models.heads import Decoding
from docai.models.loops import LoopDetector
from docai.records import FinishReason

SILENT: Final = frozenset(("<pad>", "<bos>", "<eos>"))
"""Gemma's special tokens that are no part of an answer."""

_REASONS: Final[Mapping[str, FinishReason]] = {"stop": "stop", "length": "length", "repetition": "loop"}
"""Finish reasons of servers that leave an answer."""

_PARTIAL: Final = re.compile(r"(<0x[0-9A-Fa-f]{2}>|\ufffd)+")
"""How servers write a token that is some bytes of a character."""

_OTHER_TEXT: Final = "its tokens spell another text than its answer"

LogProb = Annotated[float, Field(allow_inf_nan=False, le=1e-3)]
"""Natural logarithm; rounding may put it a little above 0."""


class _ServedModel(BaseModel):
    id: str
    root: str | None = None
    """The weights, which may be served under several names."""
    max_model_len: int | None = Field(default=None, gt=0)


class _ServedModels(BaseModel):
    data: list[_ServedModel]


class _Token(BaseModel):
    token: str
    logprob: LogProb


class _LogProbs(BaseModel):
    content: list[_Token] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    logprobs: _LogProbs | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None


class _Completion(BaseModel):
    model: str
    choices: list[_Choice]
    usage: _Usage | None = None


@dataclass(frozen=True)
class Served:
    """The models of a server."""

    roots: Mapping[str, str]
    """Name → the weights behind it."""
    contexts: Mapping[str, int]
    """Name → longest sequence, tokens, where the server says so."""

    def are_same(self, name: str, other: str) -> bool:
        """Whether two names stand for the same weights."""
        return name == other or (other in self.roots and self.roots.get(name) == self.roots[other])


@dataclass(frozen=True)
class ServerAnswer:
    """The answer to one crop. ``tokens`` joined are ``text``."""

    text: str
    reason: FinishReason
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]


def read_models(content: bytes) -> Served:
    """The models that ``/v1/models`` lists.

    Raises:
        ServerError: it is not such a list.
    """
    try:
        models = _ServedModels.model_validate_json(content).data
    except ValidationError as error:
        raise ServerError(f"its list of models is none ({_first(error)})") from None
    return Served(
        {model.id: model.root or model.id for model in models},
        {model.id: model.max_model_len for model in models if model.max_model_len is not None},
    )


def read_answer(
    content: bytes, *, name: str, prompt: str, decoding: Decoding, served: Served
) -> ServerAnswer:
    """The answer in what ``/v1/chat/completions`` returned.

    Args:
        content: of the response.
        name: of the model that was asked.
        prompt: that it was asked with.
        decoding: tells what a loop is; a server does not end there by itself.
        served: all models of the server.

    Raises:
        ServerError: it is no answer of that model to a picture, or a part of one.
    """
    try:
        completion = _Completion.model_validate_json(content)
    except ValidationError as error:
        raise ServerError(f"its answer is none ({_first(error)})") from None
    if not served.are_same(name, completion.model):
        raise ServerError(f"it answered as the model {completion.model[:80]!r}, and {name!r} was asked")
    if len(completion.choices) != 1:
        raise ServerError(f"it gave {len(completion.choices)} answers in place of one")
    _require_picture(completion.usage, prompt)
    choice = completion.choices[0]
    reason = _REASONS.get(choice.finish_reason or "")
    if reason is None:
        raise ServerError(f"it gave up the answer (finish reason {choice.finish_reason!r})")
    text = choice.message.content or ""
    scored = None if choice.logprobs is None else choice.logprobs.content
    if scored is None or (text and not scored):
        raise ServerError("its answer has no log-probabilities, without which no confidence can be computed")
    pieces = align(text, [token.token for token in scored])
    spoken = [
        (token, piece) for token, piece in zip(scored, pieces, strict=True) if token.token not in SILENT
    ]
    length = _loop_end((token.token for token, _ in spoken), decoding)
    if length is not None:
        spoken, reason = spoken[:length], "loop"
    tokens = tuple(piece for _, piece in spoken)
    logprobs = tuple(min(token.logprob, 0.0) for token, _ in spoken)
    return ServerAnswer("".join(tokens), reason, tokens, logprobs)


def _require_picture(usage: _Usage | None, prompt: str) -> None:
    """Raise if the prompt of the model was too short for a picture: a chat template may leave it out."""
    # A token of text has a byte at least; begin token, line feed and the words of a template come on top.
    most_text = len(prompt.encode()) + 64
    if usage is not None and usage.prompt_tokens is not None and usage.prompt_tokens <= most_text:
        raise ServerError(
            f"its model saw {usage.prompt_tokens} tokens, too few for a picture: it is no PaliGemma 2 of "
            "896 px, or its chat template leaves the picture out"
        )


def align(text: str, tokens: Sequence[str]) -> list[str]:
    """The part of ``text`` that each token stands for; nothing for :data:`SILENT` ones.

    Servers write tokens one by one. A token that is some bytes of a character is then a replacement
    character, and the text tells which character it was: it belongs to the last of its tokens.

    Raises:
        ServerError: the tokens spell another text.
    """
    if not any(_PARTIAL.fullmatch(token) for token in tokens):
        # The tokens are the answer. Servers trim texts, or put spaces between special tokens.
        spoken = ["" if token in SILENT else token for token in tokens]
        if _letters("".join(spoken)) != _letters(_without_ends(text)):
            raise ServerError(_OTHER_TEXT)
        return spoken
    pieces: list[str] = []
    position = 0
    partial: list[int] = []
    """Tokens whose character the text has next."""
    for index, token in enumerate(tokens):
        pieces.append("")
        if _PARTIAL.fullmatch(token) and not text.startswith(token, position):
            partial.append(index)
            continue
        found = text.find(token, position, position + len(partial) + len(token))
        if found < 0 and token in SILENT:
            continue
        if found < 0 or (found > position and not partial):
            raise ServerError(_OTHER_TEXT)
        if partial:
            pieces[partial.pop()] = text[position:found]
            partial.clear()
        position = found + len(token)
        pieces[index] = "" if token in SILENT else token
    rest = text[position:]
    if rest and not partial:
        raise ServerError(_OTHER_TEXT)
    if rest:
        pieces[partial.pop()] = rest
    return pieces


def _without_ends(text: str) -> str:
    """The text without end tokens, which some servers add."""
    for token in SILENT:
        text = text.removesuffix(token).removeprefix(token)
    return text


def _letters(text: str) -> str:
    return "".join(text.split())


def _loop_end(tokens: Iterable[str], decoding: Decoding) -> int | None:
    """Number of tokens after which an answer repeats itself; None where it does not."""
    detector = LoopDetector(decoding)
    numbers: dict[str, int] = {}
    for length, token in enumerate(tokens, 1):
        if detector.add(numbers.setdefault(token, len(numbers))):
            return length
    return None


def _first(error: ValidationError) -> str:
    """What is wrong, without what the server wrote, which may be long."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]

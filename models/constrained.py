"""A grammar over one tokenizer's vocabulary: which tokens may come next.

Only this module knows llguidance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

from docai.errors import ConfigurationError, GenerationError, MissingDependencyError
from docai.models.grammars import GRAMMARS, PLAIN

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase


class GrammarMask(LogitsProcessor):
    """Takes from each answer of a batch the tokens that its grammar has no place for.

    One for each call of ``generate``. Beams change places from step to step, so each row finds the answer
    that it goes on with among those of the step before.
    """

    def __init__(self, constraint: Constraint, prompt_length: int, closing: Collection[int]) -> None:
        """
        Args:
            constraint: the grammar.
            prompt_length: tokens before the answers.
            closing: tokens after which an answer is over: the end tokens and padding.
        """
        self._constraint = constraint
        self._prompt_length = prompt_length
        self._closing = frozenset(closing)
        self._before: torch.Tensor | None = None
        self._matchers: list[LLMatcher | None] = []
        self._shifts: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores with minus infinity for what is not allowed; shape (rows, vocabulary)."""
        self._matchers = self._step(input_ids)
        bits = torch.from_numpy(self._constraint.allowed(self._matchers)).to(scores.device)
        if self._shifts is None:
            self._shifts = torch.arange(32, dtype=torch.int32, device=scores.device)
        allowed = ((bits[:, :, None] >> self._shifts) & 1).flatten(1).bool()[:, : self._constraint.size]
        # Models have more rows of logits than their tokenizer has tokens, where sizes were rounded up.
        missing = scores.shape[1] - allowed.shape[1]
        if missing > 0:
            allowed = torch.nn.functional.pad(allowed, (0, missing))
        return scores.masked_fill(~allowed, -torch.inf)

    def _step(self, input_ids: torch.Tensor) -> list[LLMatcher | None]:
        written = input_ids[:, self._prompt_length :].cpu()
        before, self._before = self._before, written
        if before is None or not written.shape[1]:
            return [self._constraint.matcher() for _ in range(len(written))]
        parents = _parents(before, written[:, :-1])
        uses = Counter(parents)
        matchers: list[LLMatcher | None] = []
        for parent, token in zip(parents, written[:, -1].tolist(), strict=True):
            matcher = self._matchers[parent]
            uses[parent] -= 1
            if matcher is not None and uses[parent]:
                matcher = matcher.deep_copy()
            matchers.append(self._advanced(matcher, token))
        return matchers

    def _advanced(self, matcher: LLMatcher | None, token: int) -> LLMatcher | None:
        """The matcher after one more token; None where the answer is over.

        A beam search may carry beams that were ruled out, at minus infinity: these are over as well.
        """
        if matcher is None or token in self._closing or not matcher.consume_token(token):
            return None
        return matcher


def _parents(before: torch.Tensor, written: torch.Tensor) -> list[int]:
    """For each row of ``written`` a row of ``before`` that says the same."""
    if torch.equal(before, written):
        return list(range(len(before)))
    same = (written[:, None] == before[None]).all(dim=2)
    parents: list[int] = same.int().argmax(dim=1).tolist()
    return parents


_BYTE: Final = re.compile(r"<0x([0-9A-F]{2})>")

_LOC: Final = re.compile(r"<loc\d{4}>")

_SEG: Final = re.compile(r"<seg\d{3}>")

_SPECIAL: Final = b"\xff"
"""What llguidance takes for the first byte of a token that has no text: no UTF-8 text holds it."""


class Vocabulary:
    """A tokenizer's tokens as llguidance wants them; takes a second for 257,000, and serves all grammars."""

    def __init__(self, tokens: LLTokenizer, location: str) -> None:
        self.tokens = tokens
        self.location = location
        """See :func:`location_terminal`."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]) -> Vocabulary:
        """
        Args:
            tokenizer: of the model.
            ends: the tokens that end an answer.

        Raises:
            MissingDependencyError: llguidance is not installed.
        """
        try:
            return cls(_read_tokens(tokenizer, ends), location_terminal(tokenizer))
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "Constrained decoding needs the package llguidance: pip install llguidance."
            ) from None


class Constraint:
    """One grammar over one vocabulary; makes a matcher for each answer."""

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        """
        Args:
            name: of the grammar, one of :data:`docai.models.grammars.GRAMMARS`.
            vocabulary: of the model.

        Raises:
            ConfigurationError: there is no such grammar, or this vocabulary cannot write it.
        """
        from llguidance import LLExecutor, LLMatcher

        if name not in GRAMMARS:
            known = ", ".join(GRAMMARS)
            raise ConfigurationError(f"There is no grammar {name!r}; the grammars are: {known}.")
        self.name = name
        self._size = int(vocabulary.tokens.vocab_size)
        self._executor = LLExecutor()
        self._first = LLMatcher(vocabulary.tokens, GRAMMARS[name](vocabulary.location), log_level=0)
        if self._first.is_error():
            raise ConfigurationError(f"The grammar {name!r} cannot be used: {self._first.get_error()}")

    @property
    def size(self) -> int:
        """Tokens of the vocabulary."""
        return self._size

    def matcher(self) -> LLMatcher:
        """A matcher at the start of an answer."""
        return self._first.deep_copy()

    def allowed(self, matchers: Sequence[LLMatcher | None]) -> NDArray[np.int32]:
        """What may come next in each answer: a bit for each token, the lowest of each word first.

        An answer without a matcher may go on with anything. Shape (answers, words of 32 bits).

        Raises:
            GenerationError: nothing may, or the grammar became too complex.
        """
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask_par

        bits = allocate_token_bitmask(len(matchers), self.size)
        live = [(matcher, row) for row, matcher in enumerate(matchers) if matcher is not None]
        if live:
            fill_next_token_bitmask_par(self._executor, live, bits)
        for matcher, row in live:
            if matcher.is_error() or not bits[row].any():
                reason = matcher.get_error().split("\n")[0] or "no token continues the answer"
                raise GenerationError(f"The grammar {self.name!r} gave out: {reason}.")
        return bits


class _Tokens:
    """What llguidance asks of a tokenizer."""

    def __init__(self, backend: Tokenizer, tokens: Sequence[bytes], special: Sequence[int], end: int) -> None:
        self._backend = backend
        self.tokens = tokens
        self.special_token_ids = special
        self.eos_token_id = end
        self.bos_token_id = None

    def __call__(self, text: bytes) -> list[int]:
        """Where the grammar leaves no choice, the tokens that the model was trained to write it with."""
        return list(self._backend.encode(text.decode(), add_special_tokens=False).ids)


def _read_tokens(tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]) -> LLTokenizer:
    from llguidance import LLTokenizer, TokenizerWrapper

    size = len(tokenizer)
    backend = tokenizer.backend_tokenizer
    names = tokenizer.convert_ids_to_tokens(list(range(size)))
    texts = backend.decode_batch([[index] for index in range(size)], skip_special_tokens=False)
    silent = {*tokenizer.all_special_ids, *ends}
    tokens: list[bytes] = []
    special: list[int] = []
    for index, (name, text) in enumerate(zip(names, texts, strict=True)):
        byte = _BYTE.fullmatch(name)
        is_marker = _LOC.fullmatch(name) or _SEG.fullmatch(name)
        if index in silent or is_marker or (not byte and "\ufffd" in text):
            special.append(index)
            tokens.append(_SPECIAL + name.encode())
        else:
            tokens.append(bytes([int(byte[1], 16)]) if byte else text.encode())
    wrapper = TokenizerWrapper(_Tokens(backend, tokens, special, ends[0]))
    return LLTokenizer(wrapper, n_vocab=size, eos_token=list(ends), slices=list(PLAIN))


def location_terminal(tokenizer: PreTrainedTokenizerBase) -> str:
    """The ids of the location tokens as ranges, ``<[682-1705]>``; empty where it has none."""
    vocabulary = tokenizer.get_vocab()
    ids = sorted(index for name, index in vocabulary.items() if _LOC.fullmatch(name))
    runs = [[index for _, index in run] for _, run in groupby(enumerate(ids), lambda pair: pair[1] - pair[0])]
    return f"<[{','.join(f'{run[0]}-{run[-1]}' for run in runs)}]>" if runs else ""

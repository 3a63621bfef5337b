"""Constrained decoding: a grammar over a tokenizer's vocabulary, and the mask that makes ``generate`` follow
it.

Only this module uses llguidance. It was compared with xgrammar on the same grammars by ``python
benchmarks/constraints.py --samples 12`` (llguidance 1.9.1, xgrammar 0.2.8; milliseconds on one core of 2026
for the mask of one token, mean over synthetic targets at full difficulty; no target was rejected):

=====================  =======  ========  =======  =======
vocabulary, library    table    molecule  score    text
=====================  =======  ========  =======  =======
1,706, llguidance      0.011    0.018     0.015    0.011
1,706, xgrammar        0.006    0.017     0.010    0.023
257,000, llguidance    0.024    0.36      0.94     0.93
257,000, xgrammar      0.048    2.3       -        not run
=====================  =======  ========  =======  =======

``-``: six scores were not finished after 100 seconds. Reading 257,000 tokens takes llguidance 2.0 s and
xgrammar 0.7 s, once for all heads; compiling a grammar takes 0.003 to 0.02 s and 0.4 to 0.7 s. xgrammar also
allows a location token where letters are required, has no intersection of terminals, and requires triton and
another package beside torch; llguidance is one wheel without dependencies.

Constrained decoding is off by default. It does not make the model see better, and a wrong answer that is well
formed is harder to detect; its log-probabilities, which are those of the model without the grammar, still
show it. Retries use it after an invalid answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

from docai.errors import ConfigurationError, GenerationError, MissingDependencyError
from docai.models.grammars import GRAMMARS, PLAIN_TEXT_SLICES

if TYPE_CHECKING:
    from llguidance import LLExecutor, LLMatcher, LLTokenizer
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase


class GrammarMask(LogitsProcessor):
    """Excludes, for each answer of a batch, the next tokens that the grammar does not allow.

    Make one for each call of ``generate``. Beams change rows from step to step, so each row looks up the
    answer that it continues among those of the previous step.
    """

    def __init__(self, constraint: Constraint, prompt_length: int, closing: Collection[int]) -> None:
        """
        Args:
            constraint: the grammar.
            prompt_length: tokens before the answers.
            closing: tokens that end an answer: the end tokens and padding.
        """
        self._constraint = constraint
        self._prompt_length = prompt_length
        self._closing = frozenset(closing)
        self._before: torch.Tensor | None = None
        self._matchers: list[LLMatcher | None] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores with minus infinity for tokens that are not allowed; shape (rows, vocabulary)."""
        self._matchers = self._advance_all(input_ids)
        allowed, reasons = allowed_tokens(self._matchers, scores)
        for reason in reasons.values():
            raise GenerationError(f"The grammar {self._constraint.name!r} failed: {reason}.")
        return scores.masked_fill(~allowed, -torch.inf)

    def _advance_all(self, input_ids: torch.Tensor) -> list[LLMatcher | None]:
        answers = input_ids[:, self._prompt_length :].cpu()
        before, self._before = self._before, answers
        if before is None or not answers.shape[1]:
            return [self._constraint.matcher() for _ in range(len(answers))]
        parents = _find_parents(before, answers[:, :-1])
        uses = Counter(parents)
        matchers: list[LLMatcher | None] = []
        for parent, token in zip(parents, answers[:, -1].tolist(), strict=True):
            matcher = self._matchers[parent]
            uses[parent] -= 1
            if matcher is not None and uses[parent]:
                matcher = matcher.deep_copy()
            matchers.append(self._advance(matcher, token))
        return matchers

    def _advance(self, matcher: LLMatcher | None, token: int) -> LLMatcher | None:
        """The matcher after one more token; None if the answer is complete.

        A beam search may keep beams that were excluded, at minus infinity; they count as complete.
        """
        if matcher is None or token in self._closing or not matcher.consume_token(token):
            return None
        return matcher


def _find_parents(before: torch.Tensor, answers: torch.Tensor) -> list[int]:
    """For each row of ``answers`` the index of an equal row of ``before``."""
    if torch.equal(before, answers):
        return list(range(len(before)))
    same = (answers[:, None] == before[None]).all(dim=2)
    parents: list[int] = same.int().argmax(dim=1).tolist()
    return parents


_BYTE_TOKEN: Final = re.compile(r"<0x([0-9A-F]{2})>")

_LOCATION_TOKEN: Final = re.compile(r"<loc\d{4}>")

_SEGMENT_TOKEN: Final = re.compile(r"<seg\d{3}>")

_SPECIAL_PREFIX: Final = b"\xff"
"""First byte by which llguidance marks a token without text; it cannot occur in UTF-8."""


class GrammarVocabulary:
    """A tokenizer's tokens in llguidance's form. Takes a second for 257,000 tokens; serves all grammars."""

    def __init__(self, tokens: LLTokenizer, location: str) -> None:
        self.tokens = tokens
        self.location = location
        """See :func:`location_terminal`."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]) -> GrammarVocabulary:
        """
        Args:
            tokenizer: of the model.
            ends: the tokens that end an answer.

        Raises:
            MissingDependencyError: llguidance is not installed.
        """
        try:
            return cls(_build_tokenizer(tokenizer, ends), location_terminal(tokenizer))
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "Constrained decoding needs the package llguidance: pip install llguidance."
            ) from None


class Constraint:
    """One grammar over one vocabulary. Makes a matcher for each answer."""

    def __init__(self, name: str, vocabulary: GrammarVocabulary) -> None:
        """
        Args:
            name: name of the grammar, one of :data:`docai.models.grammars.GRAMMARS`.
            vocabulary: tokens of the model.

        Raises:
            ConfigurationError: there is no such grammar, or the vocabulary cannot write it.
        """
        from llguidance import LLMatcher

        if name not in GRAMMARS:
            known = ", ".join(GRAMMARS)
            raise ConfigurationError(f"There is no grammar {name!r}; the grammars are: {known}.")
        self.name = name
        self._first = LLMatcher(vocabulary.tokens, GRAMMARS[name](vocabulary.location), log_level=0)
        if self._first.is_error():
            raise ConfigurationError(f"The grammar {name!r} cannot be used: {self._first.get_error()}")

    def matcher(self) -> LLMatcher:
        """A matcher at the start of an answer."""
        return self._first.deep_copy()


class Constraints:
    """The grammars over one tokenizer, each compiled when it is first asked for.

    Args:
        tokenizer: of the model.
        ends: the tokens that end an answer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._ends = ends
        self._vocabulary: GrammarVocabulary | None = None
        self._known: dict[str, Constraint] = {}

    def __getitem__(self, name: str) -> Constraint:
        """Raises as :class:`GrammarVocabulary` and :class:`Constraint` do."""
        if name not in self._known:
            self._vocabulary = self._vocabulary or GrammarVocabulary.of(self._tokenizer, self._ends)
            self._known[name] = Constraint(name, self._vocabulary)
        return self._known[name]


def allowed_tokens(
    matchers: Sequence[LLMatcher | None], logits: torch.Tensor
) -> tuple[torch.Tensor, dict[int, str]]:
    """As :func:`allowed_bits`, as a boolean tensor of the shape of ``logits`` and on its device."""
    bits, reasons = allowed_bits(matchers, int(logits.shape[1]))
    on_device = torch.from_numpy(bits).to(logits.device)
    shifts = torch.arange(32, dtype=torch.int32, device=logits.device)
    allowed = ((on_device[:, :, None] >> shifts) & 1).flatten(1).bool()[:, : logits.shape[1]]
    return allowed, reasons


def allowed_bits(
    matchers: Sequence[LLMatcher | None], n_tokens: int
) -> tuple[NDArray[np.int32], dict[int, str]]:
    """The tokens allowed next in each of several answers; without a matcher every one is.

    Args:
        matchers: of grammars over one vocabulary.
        n_tokens: of the model, at least those of the vocabulary.

    Returns:
        Bits, the lowest of each word first, (answers, words of 32 bits); and why a grammar failed, by the
        index of its answer: no token is allowed, or the grammar became too complex. Everything is allowed
        there.
    """
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask_par

    live = [(matcher, row) for row, matcher in enumerate(matchers) if matcher is not None]
    reasons: dict[int, str] = {}
    # Models may have more logits than their tokenizer has tokens, because sizes were rounded up.
    bits = allocate_token_bitmask(len(matchers), n_tokens)
    if live:
        bits[[row for _, row in live]] = 0
        fill_next_token_bitmask_par(_executor(), live, bits)
    for matcher, row in live:
        if matcher.is_error() or not bits[row].any():
            reasons[row] = matcher.get_error().split("\n")[0] or "no token continues the answer"
            bits[row] = -1
    return bits, reasons


@cache
def _executor() -> LLExecutor:
    """The threads of llguidance, started once."""
    from llguidance import LLExecutor

    return LLExecutor()


class _TokenizerAdapter:
    """The interface that llguidance requires of a tokenizer."""

    def __init__(self, backend: Tokenizer, tokens: Sequence[bytes], special: Sequence[int], end: int) -> None:
        self._backend = backend
        self.tokens = tokens
        self.special_token_ids = special
        self.eos_token_id = end
        self.bos_token_id = None

    def __call__(self, text: bytes) -> list[int]:
        """The ids of a text that the grammar leaves no choice about, split as the model was trained."""
        return list(self._backend.encode(text.decode(), add_special_tokens=False).ids)


def _build_tokenizer(tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]) -> LLTokenizer:
    from llguidance import LLTokenizer, TokenizerWrapper

    size = len(tokenizer)
    backend = tokenizer.backend_tokenizer
    names = tokenizer.convert_ids_to_tokens(list(range(size)))
    texts = backend.decode_batch([[index] for index in range(size)], skip_special_tokens=False)
    silent = {*tokenizer.all_special_ids, *ends}
    tokens: list[bytes] = []
    special: list[int] = []
    for index, (name, text) in enumerate(zip(names, texts, strict=True)):
        byte = _BYTE_TOKEN.fullmatch(name)
        is_marker = _LOCATION_TOKEN.fullmatch(name) or _SEGMENT_TOKEN.fullmatch(name)
        if index in silent or is_marker or (not byte and "\ufffd" in text):
            special.append(index)
            tokens.append(_SPECIAL_PREFIX + name.encode())
        else:
            tokens.append(bytes([int(byte[1], 16)]) if byte else text.encode())
    wrapper = TokenizerWrapper(_TokenizerAdapter(backend, tokens, special, ends[0]))
    return LLTokenizer(wrapper, n_vocab=size, eos_token=list(ends), slices=list(PLAIN_TEXT_SLICES))


def location_terminal(tokenizer: PreTrainedTokenizerBase) -> str:
    """The ids of the location tokens as ranges, such as ``<[682-1705]>``; empty if there are none."""
    vocabulary = tokenizer.get_vocab()
    ids = sorted(index for name, index in vocabulary.items() if _LOCATION_TOKEN.fullmatch(name))
    runs = [[index for _, index in run] for _, run in groupby(enumerate(ids), lambda pair: pair[1] - pair[0])]
    return f"<[{','.join(f'{run[0]}-{run[-1]}' for run in runs)}]>" if runs else ""

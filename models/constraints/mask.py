"""The mask that holds ``generate`` to a grammar, greedy or in a beam search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessor

from docai.models.constraints.matching import Constraint

if TYPE_CHECKING:
    from llguidance import LLMatcher


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

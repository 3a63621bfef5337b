"""Calibrated confidences from the log-probabilities of an answer's tokens.

A checkpoint may contain one map for each head and unit (record, cell, word, atom, measure), fitted on answers
to images that it was not trained on. A map first computes a score from the token probabilities: their product
(the model's probability of exactly this text), their geometric mean, or their minimum. It then applies a
function that is monotone in the log-odds of the score:

* ``isotonic``: linear between the points ``x, y``, constant outside;
* ``logistic``: Platt's sigmoid (Platt 1999) of ``intercept + slope * log-odds + length * ln(tokens)``.

The result is never 0 or 1, because no sample is large enough to show that.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal

from pydantic import BaseModel, Field, FiniteFloat, model_validator

from docai.base import Unit

Score = Literal["product", "geometric-mean", "minimum"]

SCORES: Final[Mapping[Score, str]] = {
    "product": "the product of token probabilities",
    "geometric-mean": "the geometric mean of token probabilities",
    "minimum": "the least token probability",
}
"""Score → its description in the confidence method of a record."""

_MAX_LOG_SCORE: Final = -1e-6
"""Natural logarithm of the largest score: float32 does not distinguish larger ones."""

_MIN_LOG_SCORE: Final = -1e4


class CalibrationMap(BaseModel):
    """One map, as stored in ``docai.json``. Unknown fields are ignored."""

    score: Score
    method: Literal["isotonic", "logistic"]
    x: list[FiniteFloat] = Field(
        default_factory=list, description="Isotonic: log-odds of scores, increasing."
    )
    y: list[FiniteFloat] = Field(default_factory=list, description="Isotonic: probabilities, not decreasing.")
    slope: FiniteFloat = Field(default=1.0, ge=0)
    length: FiniteFloat = 0.0
    intercept: FiniteFloat = 0.0
    n: int = Field(ge=1, description="Number of held-out answers, or parts of answers, it was fitted on.")
    data: str = Field(default="", description="The data set of these answers.")

    @model_validator(mode="after")
    def _is_monotone(self) -> CalibrationMap:
        if self.method == "isotonic":
            if not self.x or len(self.x) != len(self.y):
                raise ValueError("x and y must have the same length, at least 1")
            if any(a >= b for a, b in pairwise(self.x)) or any(a > b for a, b in pairwise(self.y)):
                raise ValueError("x must increase and y must not decrease")
            if not 0 <= self.y[0] <= self.y[-1] <= 1:
                raise ValueError("y must be between 0 and 1")
        return self

    def apply(self, logprobs: Sequence[float]) -> float:
        """The probability, above 0 and below 1, that the text of these tokens is right.

        Args:
            logprobs: natural log-probabilities of one or more tokens.
        """
        return self.at(log_odds(self.score, logprobs), len(logprobs))

    def at(self, x: float, n_tokens: int) -> float:
        """The same, from the log-odds of the score and the number of tokens."""
        if self.method == "isotonic":
            value = self._interpolate(x)
        else:
            value = _sigmoid(self.intercept + self.slope * x + self.length * math.log(n_tokens))
        least = 0.5 / (self.n + 1)
        return min(max(value, least), 1 - least)

    def describe(self, unit: Unit) -> str:
        """How a confidence was computed, for the record."""
        data = f" ({self.data})" if self.data else ""
        what = "answers" if unit == "record" else f"{unit}s"
        return f"calibrated on {self.n:,} held-out {what}{data}, {self.method} over {SCORES[self.score]}"

    def _interpolate(self, x: float) -> float:
        right = bisect_right(self.x, x)
        if right == 0:
            return self.y[0]
        if right == len(self.x):
            return self.y[-1]
        share = (x - self.x[right - 1]) / (self.x[right] - self.x[right - 1])
        return self.y[right - 1] + share * (self.y[right] - self.y[right - 1])


Calibration = Mapping[Unit, CalibrationMap]
"""The maps of one head, by unit."""


def log_score(score: Score, logprobs: Sequence[float]) -> float:
    """Natural logarithm of the score of one or more tokens, from -10,000 to 0; NaN if one of them is NaN."""
    if any(math.isnan(value) for value in logprobs):
        return math.nan
    if score == "minimum":
        value = min(logprobs)
    else:
        value = math.fsum(max(logprob, _MIN_LOG_SCORE) for logprob in logprobs)
        value = value if score == "product" else value / len(logprobs)
    return min(max(value, _MIN_LOG_SCORE), 0.0)


def log_odds(score: Score, logprobs: Sequence[float]) -> float:
    """``ln(p / (1 - p))`` of a score p; finite unless a token is NaN."""
    log = min(log_score(score, logprobs), _MAX_LOG_SCORE)
    return log - math.log(-math.expm1(log))


def _sigmoid(value: float) -> float:
    # The exponential of a large positive number would overflow.
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))

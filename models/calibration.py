"""From the log-probabilities of an answer's tokens to a number that comes true as often as it says.

A checkpoint may carry one map for each head and unit (record, cell, word, atom, measure), fitted on answers
that it was not trained on. A map first takes one score of the tokens: their product (the model's own
probability of having written just this), their geometric mean, or the least of them. Then it is monotone in
the log-odds of that score:

* ``isotonic``: linear between the points ``x, y``, constant outside;
* ``logistic``: Platt's sigmoid (Platt 1999) of ``intercept + slope * log-odds + length * ln(tokens)``.

It never gives 0 or 1: no sample is large enough to say so.
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
"""Each score in words."""

_SUREST: Final = -1e-6
"""Natural logarithm of the greatest score: float32 tells no larger ones apart."""

_LEAST: Final = -1e4


class CalibrationMap(BaseModel):
    """One map, as ``docai.json`` holds it. Unknown fields are left alone."""

    score: Score
    method: Literal["isotonic", "logistic"]
    x: list[FiniteFloat] = Field(default_factory=list, description="Isotonic: log-odds of scores, rising.")
    y: list[FiniteFloat] = Field(default_factory=list, description="Isotonic: probabilities, not falling.")
    slope: FiniteFloat = Field(default=1.0, ge=0)
    length: FiniteFloat = 0.0
    intercept: FiniteFloat = 0.0
    n: int = Field(ge=1, description="Held-out answers, or parts of them, that it was fitted on.")
    data: str = Field(default="", description="What they were.")

    @model_validator(mode="after")
    def _is_monotone(self) -> CalibrationMap:
        if self.method == "isotonic":
            if not self.x or len(self.x) != len(self.y):
                raise ValueError("x and y have to be of one length, 1 or more")
            if any(a >= b for a, b in pairwise(self.x)) or any(a > b for a, b in pairwise(self.y)):
                raise ValueError("x has to rise and y must not fall")
            if not 0 <= self.y[0] <= self.y[-1] <= 1:
                raise ValueError("y has to lie between 0 and 1")
        return self

    def apply(self, logprobs: Sequence[float]) -> float:
        """The probability, above 0 and below 1, that what these tokens spell is right.

        Args:
            logprobs: natural log-probabilities of one token or more.
        """
        return self.at(log_odds(self.score, logprobs), len(logprobs))

    def at(self, x: float, n_tokens: int) -> float:
        """The same from the log-odds of the score."""
        if self.method == "isotonic":
            value = self._between(x)
        else:
            value = _sigmoid(self.intercept + self.slope * x + self.length * math.log(n_tokens))
        least = 0.5 / (self.n + 1)
        return min(max(value, least), 1 - least)

    def describe(self, unit: Unit) -> str:
        """How a confidence came about, for its record."""
        data = f" ({self.data})" if self.data else ""
        what = "answers" if unit == "record" else f"{unit}s"
        return f"calibrated on {self.n:,} held-out {what}{data}, {self.method} over {SCORES[self.score]}"

    def _between(self, x: float) -> float:
        right = bisect_right(self.x, x)
        if right == 0:
            return self.y[0]
        if right == len(self.x):
            return self.y[-1]
        share = (x - self.x[right - 1]) / (self.x[right] - self.x[right - 1])
        return self.y[right - 1] + share * (self.y[right] - self.y[right - 1])


Calibration = Mapping[Unit, CalibrationMap]
"""The maps of one head."""


def log_score(score: Score, logprobs: Sequence[float]) -> float:
    """Natural logarithm of a score of one token or more, from about -10,000 to 0; NaN where a token's is."""
    if any(math.isnan(value) for value in logprobs):
        return math.nan
    if score == "minimum":
        value = min(logprobs)
    else:
        value = math.fsum(max(one, _LEAST) for one in logprobs)
        value = value if score == "product" else value / len(logprobs)
    return min(max(value, _LEAST), 0.0)


def log_odds(score: Score, logprobs: Sequence[float]) -> float:
    """``ln(p / (1 - p))`` of a score p, finite for any tokens but NaN."""
    log = min(log_score(score, logprobs), _SUREST)
    return log - math.log(-math.expm1(log))


def _sigmoid(value: float) -> float:
    # The exponential of a large number overflows, that of a small one does not.
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))

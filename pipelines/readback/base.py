"""What reading back gives, and how measured features become one number.

Each head measures a fixed list of named features of a picture and of what its record says is there. A
logistic model turns them into the similarity,

    similarity = 1 / (1 + exp(-(bias + sum_i weight_i * min(max((x_i - mean_i) / scale_i, -4), 4))))

with ``mean``, ``scale``, ``weight`` and ``bias`` stored in ``coefficients.json`` beside this module; the
clipping keeps one wild feature from deciding alone. ``python benchmarks/readback/run.py --fit`` fits them on
drawn pairs of the training split, as many right answers by weight as corrupted ones; so 0.5 is where the two
are equally likely in such a mixture. Weights are bounded to the sign that their feature should have, but for
a few that tell how cluttered a score is; a feature without a weight is measured, and decides nothing.

For molecules there is a second model of the same form, the ``gate``: fitted on right answers against pictures
of something else, it tells how likely the picture is a structure drawing of about that molecule. The
similarity is then the product of both, so that a logo or a photograph fails whatever its counts come to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docai.records import Kind

Gray = NDArray[np.uint8]
Features = Mapping[str, float]

CLIP = 4.0
"""Standard deviations beyond which a feature says no more."""
COEFFICIENTS = "coefficients.json"


class NotComparable(Exception):  # noqa: N818 - not an error: it ends a comparison and never leaves this package
    """There is nothing to compare; its text says why."""


@dataclass(frozen=True)
class ReadBack:
    """How well a record, drawn again, matches its crop.

    Attributes:
        similarity: 0 (another thing altogether) to 1; None where nothing could be compared.
        parts: the named features that ``similarity`` was computed from; what each is stands at the
            function that measures it.
        pulls: what each part with a weight added to the log odds, against the average picture.
        reason: why ``similarity`` is None; else empty.
    """

    similarity: float | None
    parts: Features = field(default_factory=lambda: MappingProxyType({}))
    pulls: Features = field(default_factory=lambda: MappingProxyType({}))
    reason: str = ""

    def worst(self, n: int = 3) -> list[str]:
        """The parts that speak loudest against the record, the loudest first."""
        against = sorted((pull, name) for name, pull in self.pulls.items() if pull < 0)
        return [name for _, name in against[:n]]


@dataclass(frozen=True)
class Judge:
    """The logistic model of one head. ``terms`` maps each feature to its mean, scale and weight."""

    bias: float
    terms: Mapping[str, tuple[float, float, float]]
    gate: Judge | None = None
    """Whose similarity is a factor of this one's."""

    def pulls(self, features: Features) -> dict[str, float]:
        """What each feature adds to the log odds.

        Raises:
            KeyError: a feature of the model was not measured.
        """
        return {
            name: weight * min(max((features[name] - mean) / scale, -CLIP), CLIP)
            for name, (mean, scale, weight) in self.terms.items()
        }

    def similarity(self, features: Features) -> float:
        """0 to 1; the same numbers always give the same."""
        odds = self.bias + sum(self.pulls(features).values())
        own = 1.0 / (1.0 + math.exp(-min(max(odds, -50.0), 50.0)))
        return own if self.gate is None else own * self.gate.similarity(features)


@cache
def judge(kind: Kind) -> Judge:
    """The stored model of a head.

    Raises:
        NotComparable: none is stored.
    """
    stored = json.loads(files(__package__).joinpath(COEFFICIENTS).read_text("utf-8"))
    if kind not in stored["heads"]:
        raise NotComparable(f"no coefficients are stored for {kind}")
    return _model(stored["heads"][kind])


def _model(stored: Mapping[str, Any]) -> Judge:
    terms = {name: (term["mean"], term["scale"], term["weight"]) for name, term in stored["terms"].items()}
    gate = _model(stored["gate"]) if "gate" in stored else None
    return Judge(stored["bias"], MappingProxyType(terms), gate)


def judged(kind: Kind, features: Features) -> ReadBack:
    """The comparison with the stored model of its head."""
    model = judge(kind)
    rounded = MappingProxyType({name: round(value, 6) for name, value in features.items()})
    return ReadBack(model.similarity(rounded), rounded, MappingProxyType(model.pulls(rounded)))

"""The similarity of a record and its crop: one number from measured features, by a stored model per head.

Each head measures a fixed list of named features of a picture and of what its record says is there. A
logistic model turns them into the similarity,

    similarity = 1 / (1 + exp(-(bias + sum_i weight_i * min(max((x_i - mean_i) / scale_i, -4), 4))))

with ``mean``, ``scale``, ``weight`` and ``bias`` stored in ``coefficients.json`` beside this module; the
clipping keeps one extreme feature from deciding alone. ``python benchmarks/readback/run.py --fit`` fits them
on drawn pairs of the training split, with right and corrupted answers of equal total weight; so 0.5 is where
the two are equally likely in such a mixture. Weights are bounded to the sign that their feature should have,
except for a few that tell how cluttered a score is. A feature without a weight is reported and not used.

Molecules have a second model of the same form, the ``gate``, fitted on right answers against pictures of
something else: how likely the picture is a structure drawing of about that molecule. The similarity is then
the product of both, so that a logo or a photograph fails whatever its counts are.
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

from docai.records import Kind

Features = Mapping[str, float]

CLIP_SD = 4.0
"""Standard deviations at which a feature is clipped."""

COEFFICIENTS_FILE = "coefficients.json"


class NotComparable(Exception):  # noqa: N818 - not an error: it ends a comparison and never leaves this package
    """There is nothing to compare; its text says why."""


@dataclass(frozen=True)
class ReadBack:
    """How well a record, rendered again, matches its crop.

    Attributes:
        similarity: 0 (does not match at all) to 1; None where nothing could be compared.
        features: the named features that ``similarity`` was computed from; each is explained in the
            docstring of the function that measures it.
        contributions: what each feature with a weight added to the log odds, relative to the average picture.
        reason: why ``similarity`` is None; else empty.
    """

    similarity: float | None
    features: Features = field(default_factory=lambda: MappingProxyType({}))
    contributions: Features = field(default_factory=lambda: MappingProxyType({}))
    reason: str = ""

    def worst(self, n: int = 3) -> list[str]:
        """Names of the features that count most against the record, the most important first."""
        against = sorted((value, name) for name, value in self.contributions.items() if value < 0)
        return [name for _, name in against[:n]]


@dataclass(frozen=True)
class SimilarityModel:
    """The logistic model of one head. ``terms`` maps each feature to its mean, scale and weight."""

    bias: float
    terms: Mapping[str, tuple[float, float, float]]
    gate: SimilarityModel | None = None
    """Its similarity is a factor of this model's."""

    def contributions(self, features: Features) -> dict[str, float]:
        """What each feature adds to the log odds.

        Raises:
            KeyError: a feature of the model was not measured.
        """
        return {
            name: weight * min(max((features[name] - mean) / scale, -CLIP_SD), CLIP_SD)
            for name, (mean, scale, weight) in self.terms.items()
        }

    def similarity(self, features: Features) -> float:
        """0 to 1."""
        log_odds = self.bias + sum(self.contributions(features).values())
        own = 1.0 / (1.0 + math.exp(-min(max(log_odds, -50.0), 50.0)))
        return own if self.gate is None else own * self.gate.similarity(features)


def similarity_of(kind: Kind, features: Features) -> ReadBack:
    """The similarity that the stored model of a head gives to measured features.

    Raises:
        NotComparable: no model is stored for the head.
    """
    model = load_model(kind)
    rounded = MappingProxyType({name: round(value, 6) for name, value in features.items()})
    return ReadBack(model.similarity(rounded), rounded, MappingProxyType(model.contributions(rounded)))


@cache
def load_model(kind: Kind) -> SimilarityModel:
    """The stored model of a head.

    Raises:
        NotComparable: none is stored.
    """
    stored = json.loads(files(__package__).joinpath(COEFFICIENTS_FILE).read_text("utf-8"))
    if kind not in stored["heads"]:
        raise NotComparable(f"no coefficients are stored for {kind}")
    return _parse_model(stored["heads"][kind])


def _parse_model(stored: Mapping[str, Any]) -> SimilarityModel:
    terms = {name: (term["mean"], term["scale"], term["weight"]) for name, term in stored["terms"].items()}
    gate = _parse_model(stored["gate"]) if "gate" in stored else None
    return SimilarityModel(stored["bias"], MappingProxyType(terms), gate)

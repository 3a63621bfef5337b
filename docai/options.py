"""TODO: what this module holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from docai.limits import Limits


@dataclass(frozen=True)
class Options:
    """What a conversion is asked for."""

    heads: frozenset[str] | None = None
    """Heads to use; None is all. Regions of other kinds are counted and left out."""
    text_layer: TextLayer = "prefer"
    limits: Limits = field(default_factory=Limits)
    retry: Retry = "off"
    """``auto`` asks again where an answer is invalid, looping or cut, see
    :mod:`docai.pipelines.recognition.retry`."""
    witnesses: Witnesses = "off"
    """Off where nobody asks, so that what measures a model does not measure programs beside it."""
    readback: ReadBackSetting = "off"
    """``auto`` draws records again; see :mod:`docai.pipelines.readback.compare`. Off as ``witnesses`` is."""


TextLayer = Literal["prefer", "verify", "ignore"]

Witnesses = Literal["auto", "off"]
"""The setting: ``auto`` asks every witness that is installed; ``off`` none but the table finder, which is no
program of its own but a part of what a PDF tells of itself."""

ReadBackSetting = Literal["auto", "off"]
"""``auto`` reads back what a model or another program read, where the renderer of its head is installed."""

Retry = Literal["auto", "off"]

"""Figures as they are printed, and the geometry of the two charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from docai.pipelines.evaluation.report.model import (
    Calibration,
    IntervalOf,
    MeasureChange,
    MeasureSummary,
)

NONE = "–"
MINUS = "\u2212"
_BINS = 20
_WIDTH, _HEIGHT = 440.0, 170.0
_LEFT, _BOTTOM, _TOP = 34.0, 22.0, 16.0


def shown(
    value: float | None, measure: MeasureSummary | MeasureChange, *, signed: bool = False, places: int = 2
) -> str:
    """``97.31 %`` or ``0.9731``, a difference with its sign; a dash where the figure is not defined."""
    if value is None:
        return NONE
    scaled = 100 * value if measure.percent else value
    text = f"{scaled:.{places if measure.percent else places + 2}f}"
    if signed and scaled > 0 and text.strip("0."):
        text = f"+{text}"
    # A difference of two percentages is so many points, not so many per cent.
    unit = "\u202fpp" if signed else "\u202f%"
    return f"{text.replace('-', MINUS)}{unit if measure.percent else ''}"


def shown_interval(
    interval: IntervalOf | None, measure: MeasureSummary | MeasureChange, *, signed: bool = False
) -> str:
    """``96.80 % to 97.71 %``; a dash where there is none."""
    if interval is None:
        return NONE
    low, high = (shown(value, measure, signed=signed) for value in (interval.low, interval.high))
    return f"{low} to {high}"


def shown_p(value: float | None) -> str:
    """A p-value, no more exact than its test."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def shown_seconds(value: float) -> str:
    """``0.42 s``, ``12.3 s`` or ``1 h 02 min``."""
    if value < 100:
        return f"{value:.2f}\u202fs" if value < 10 else f"{value:.1f}\u202fs"
    minutes, seconds = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}\u202fmin {seconds:02d}\u202fs"
    return f"{minutes // 60}\u202fh {minutes % 60:02d}\u202fmin"


def shown_bytes(value: float) -> str:
    """In the largest binary unit that leaves at least 1."""
    unit = min(int(math.log2(value) // 10), 4) if value >= 1 else 0
    names = ("B", "KiB", "MiB", "GiB", "TiB")
    return f"{value / 1024**unit:.{1 if unit else 0}f}\u202f{names[unit]}"


def shown_count(value: float) -> str:
    """A count, or the mean of counts."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of an SVG chart, in its units, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """How a figure is distributed over the cases."""

    width: float
    height: float
    base: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    heights: tuple[Tick, ...]
    n: int
    n_zero: int
    n_one: int
    n_above: int
    """Cases past 1, which stand in the last bar."""
    median: float


def histogram(values: Sequence[float]) -> Histogram | None:
    """Twenty bars from 0 to 1. None without values."""
    if not values:
        return None
    counts = [0] * _BINS
    for value in values:
        counts[min(max(int(value * _BINS), 0), _BINS - 1)] += 1
    most = max(counts)
    step = (_WIDTH - _LEFT - 12) / _BINS
    base = _HEIGHT - _BOTTOM
    unit = (base - _TOP) / most
    bars = tuple(
        Bar(
            _LEFT + index * step + 1,
            base - count * unit,
            step - 2,
            count * unit,
            f"{index / _BINS:.2f} to {(index + 1) / _BINS:.2f}: {count} case{'' if count == 1 else 's'}",
        )
        for index, count in enumerate(counts)
        if count
    )
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Histogram(
        width=_WIDTH,
        height=_HEIGHT,
        base=base,
        bars=bars,
        ticks=tuple(
            Tick(_LEFT + share * step * _BINS, base + 15, f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)
        ),
        heights=(Tick(_LEFT - 6, base + 3, "0"), Tick(_LEFT - 6, _TOP + 4, f"{most:,}")),
        n=len(values),
        n_zero=sum(value <= 0 for value in values),
        n_one=sum(value == 1 for value in values),
        n_above=sum(value > 1 for value in values),
        median=median,
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence against the share of right answers, on a square of 0…``side``."""

    side: float
    points: tuple[Bar, ...]
    """Circles: ``x, y`` the center, ``width`` the radius."""


def reliability(calibration: Calibration) -> Reliability:
    """One circle for each bin, its area the share of answers in it."""
    side = 240.0
    most = max(answers.n for answers in calibration.bins)
    return Reliability(
        side=side,
        points=tuple(
            Bar(
                answers.confidence * side,
                side - answers.accuracy * side,
                3 + 7 * math.sqrt(answers.n / most),
                0,
                f"confidence {answers.confidence:.2f}, right {answers.accuracy:.2f}, {answers.n:,} answers",
            )
            for answers in calibration.bins
        ),
    )

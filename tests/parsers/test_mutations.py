"""Damage to a right answer is noticed, and a right answer is not called wrong."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from docai.models.heads import HEADS

pytest.importorskip("indigo", reason="truths are drawn with docai[synth]")

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
BROKEN_TRUTHS = {"tables/teds-parity/sample_gt.json/PMC3707453_006_00.png": {"table-span-past-section"}}
"""Real truths that are wrong themselves: that one has rowspans that leave its thead."""


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("mutations")
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop("mutations", None)


@pytest.mark.parametrize("head", HEADS)
def test_damage_to_drawn_truths_is_noticed(bench: ModuleType, head: str) -> None:
    truths = bench.drawn_truths(head, 8)
    tally = bench.measure(truths, each=1)[head]
    assert tally.made.total() > 60
    told = [f"{m.way} {m.part} of {t.name}: {bench.difference(t.text, m.text)}" for t, m in tally.unnoticed]
    assert tally.recall >= 0.99, "\n".join(told)


@pytest.mark.parametrize("head", HEADS)
def test_drawn_truths_have_no_warning(bench: ModuleType, head: str) -> None:
    assert bench.false_issues(bench.drawn_truths(head, 4)) == []


@pytest.mark.real
def test_real_truths_have_no_warning_but_the_broken_ones(bench: ModuleType, real_data: Path) -> None:
    found: dict[str, set[str]] = {}
    for truth, issue in bench.false_issues(bench.real_truths(real_data)):
        found.setdefault(truth.name, set()).add(issue.partition(":")[0])
    assert found == BROKEN_TRUTHS


@pytest.mark.parametrize(
    ("head", "before", "after"),
    [
        ("molecule", "CCO", "OCC"),
        ("molecule", "[Ph]C[R1]", "[R1]C[Ph]"),
        ("table", "<tr><td>a</td><td>b</td></tr>", "<tr><td>a<td>b</td></tr>"),
        ("score", "**kern\n4c\n*-\n", "**kern\n4c\n*-"),
        ("text", "a ; b\nc", "a  ; b\nc\n"),
    ],
)
def test_what_says_the_same_is_no_damage(bench: ModuleType, head: str, before: str, after: str) -> None:
    assert bench.says_the_same(head, before, after)


@pytest.mark.parametrize(
    ("head", "before", "after"),
    [
        ("molecule", "CCO", "CCN"),
        ("molecule", "[Ph]C[R1]", "[Ph]C[R2]"),
        ("molecule", "C[C@H](N)O", "C[C@@H](N)O"),
        ("table", "<tr><td>a</td></tr><tr><td>b</td></tr>", "<tr><td>a</td><td>b</td></tr>"),
        ("table", "<td>a</td>", "<td>a </td>x"),
        ("score", "**kern\n4c\n*-\n", "**kern\n4d\n*-\n"),
        ("text", "a ; b\nc", "a ; b c"),
    ],
)
def test_what_says_something_else_is_damage(bench: ModuleType, head: str, before: str, after: str) -> None:
    assert not bench.says_the_same(head, before, after)

"""The plan of a large batch: its arithmetic, and that the page says what it gives."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("scale_plan")
    finally:
        sys.path.remove(str(FOLDER))
        for name in {"scale_plan", "common"} & (set(sys.modules) - before):
            del sys.modules[name]


@pytest.fixture
def rate(script: ModuleType) -> dict[str, float]:
    return {name: one.value for name, one in script.load_rates().items()}


def test_the_page_has_the_plan_of_the_stored_rates(script: ModuleType) -> None:
    page = script.PAGE.read_text("utf-8")
    text = script.as_markdown(script.load_rates(), script.HOURS)
    assert script.with_plan(page, text) == page, "python benchmarks/scale_plan.py --write"


def test_every_rate_says_where_it_is_from(script: ModuleType) -> None:
    for name, one in script.load_rates().items():
        assert one.kind in ("measured", "estimate", "assumption", "price"), name
        assert one.source, name
        assert one.kind != "measured" or "--measure" in one.source, name


def test_a_plan_is_what_its_rates_make(script: ModuleType, rate: dict[str, float]) -> None:
    rate |= {
        "pages": 3_600_000,
        "scanned_share": 0.5,
        "pages_per_document": 10,
        "cpu_seconds_per_drawn_page": 1,
        "cpu_seconds_per_scanned_page": 3,
        "crops_per_drawn_page": 0,
        "crops_per_scanned_page": 2,
        "coordinator_seconds_per_document": 0.015,
        "coordinator_seconds_per_task": 0.005,
        "spare_share": 0,
        "cpus_per_node": 10,
        "cpus_per_coordinator": 5,
        "price_per_cpu_hour": 0.1,
        "price_per_gpu_hour": 0,
    }
    total = script.totals(rate)
    assert total["documents"] == 360_000
    assert total["cpu_hours"] == 2000
    assert total["crops"] == 3_600_000
    assert total["coordinator_hours"] == 2
    made = script.plan(rate, 100)
    assert (made.nodes, made.coordinators, made.documents_per_second) == (2, 1, 1)
    assert made.cost == pytest.approx(100 * (20 + 5) * 0.1)
    assert script.plan(rate, 1).coordinators == 2


def test_the_estimate_of_a_gpu_is_a_roofline(script: ModuleType, rate: dict[str, float]) -> None:
    rate |= {
        "model_parameters": 1e9,
        "tokens_per_crop": 1000,
        "tokens_per_answer": 100,
        "cache_bytes_per_token": 0,
        "model_batch": 10,
        "gpu_flops": 4e14,
        "gpu_bytes_per_second": 4e11,
        "gpu_efficiency": 0.5,
    }
    # 2e12 operations at 2e14 a second, and 100 times a tenth of 2 GB at 200 GB a second.
    assert script.gpu_crops_per_second(rate) == pytest.approx(1 / (0.01 + 0.1))


def test_what_a_coordinator_spends_can_be_measured(script: ModuleType, tmp_path: Path) -> None:
    script.N_ROWS, before = 20, script.N_ROWS
    try:
        seconds, n_bytes = script.manifest_cost(tmp_path / "manifest.sqlite")
    finally:
        script.N_ROWS = before
    assert seconds > 0
    assert 500 < n_bytes < 20_000


def test_rates_can_be_given(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["scale_plan.py", "--pages", "1000", "--hours", "1"])
    script.main()
    told = capsys.readouterr().out
    assert "| `pages` | 1,000" in told
    assert "the command line" in told

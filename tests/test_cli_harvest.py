"""`docai harvest`: what it prints and leaves behind, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from docai.pipelines import harvest as harvesting
from docai.pipelines.harvest import HarvestedSource

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pdf(own_folder: Path) -> Path:
    """A page with two texts."""
    document: Any = pymupdf.open()
    page = document.new_page()
    page.insert_text((72, 100), "A heading of this page", fontsize=18)
    page.insert_textbox((72, 140, 500, 300), "These words are the truth of the page. " * 6, fontsize=11)
    path = own_folder / "own.pdf"
    document.save(path)
    return path


def test_pairs_are_written_and_told_and_the_same_command_adds_none(run: Run, pdf: Path) -> None:
    code, out, err = run("harvest", pdf, "-o", "pairs", "--head", "text")
    assert (code, out) == (0, "")
    assert "own.pdf: 2 text pairs, 0 regions left out" in err
    assert err.splitlines()[-1] == "2 text pairs in pairs"
    lines = Path("pairs/text/pairs.jsonl").read_text("utf-8").splitlines()
    assert "heading" in json.loads(lines[0])["target"]
    code, _, err = run("harvest", pdf, "-o", "pairs", "--head", "text")
    assert code == 0
    assert "own.pdf: harvested before" in err
    assert Path("pairs/text/pairs.jsonl").read_text("utf-8").splitlines() == lines


def test_what_is_left_out_is_counted_with_its_reason(run: Run, pdf: Path) -> None:
    Path("twice.pdf").write_bytes(pdf.read_bytes() + b"\n")
    code, _, err = run("harvest", "own.pdf", "twice.pdf", "-o", "pairs")
    assert code == 0
    assert "twice.pdf: no pairs, 2 regions left out" in err
    assert "text: 2 left out, the same drawing is in the folder already" in err
    left_out = [json.loads(line) for line in Path("pairs/left-out.jsonl").read_text("utf-8").splitlines()]
    assert [(line["source"], line["reason"]) for line in left_out] == [("twice.pdf", "repeat")] * 2


def test_an_input_that_fails_stops_no_other(run: Run, pdf: Path) -> None:
    Path("broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    code, _, err = run("harvest", "broken.pdf", "missing.pdf", pdf, "-o", "pairs")
    assert code == 1
    assert "Not read: broken.pdf: " in err
    assert "missing.pdf does not exist" in err
    assert "own.pdf: 2 text pairs" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--head", "figures"), "figures"), (("--min-confidence", 2), "--min-confidence")],
)
def test_wrong_options_are_a_matter_of_usage(
    run: Run, pdf: Path, arguments: tuple[object, ...], message: str
) -> None:
    code, _, err = run("harvest", pdf, "-o", "pairs", *arguments)
    assert code == 2
    assert message in err


def test_an_interrupted_run_says_how_to_go_on(run: Run, pdf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Iterator[HarvestedSource]:
        yield HarvestedSource(pdf)
        raise KeyboardInterrupt

    monkeypatch.setattr(harvesting, "harvest", interrupted)
    code, _, err = run("harvest", pdf, "-o", "pairs")
    assert code == 130
    assert "Interrupted; 1 document is finished. The same command goes on." in err

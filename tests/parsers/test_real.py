"""Real truths are sound: what is right must not be called wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table


@pytest.mark.real
def test_pubtabnet_truths_are_rectangular(real_data: Path) -> None:
    lines = (real_data / "tables" / "pubtabnet" / "truth.jsonl").read_text("utf-8").splitlines()
    assert lines
    for line in lines:
        html = json.loads(line)["html"]
        cells = iter(html["cells"])
        # As PubTabNet's own examples/utils.py fills them in.
        body = re.sub(
            r"(<td[^<>]*>)(</td>)",
            lambda match, cells=cells: match[1] + "".join(next(cells)["tokens"]) + match[2],
            "".join(html["structure"]["tokens"]),
        )
        parsed = parse_table(f"<html><body><table>{body}</table></body></html>")
        assert [issue.code for issue in parsed.issues if issue.severity != "info"] == []
        assert len(parsed.content.cells) == len(html["cells"])
        assert parse_table(parsed.content.html).content == parsed.content


@pytest.mark.real
def test_molecule_truths_are_valid(real_data: Path) -> None:
    files = sorted((real_data / "molecules").glob("*/*.smi"))
    assert files
    for file in files:
        parsed = parse_molecule(file.read_text("utf-8"))
        assert parsed.content.is_valid, file.name
        assert parsed.content.inchikey, file.name


@pytest.mark.real
def test_score_truths_have_no_error(real_data: Path) -> None:
    files = sorted((real_data / "scores").glob("*/*.krn"))
    assert files
    for file in files:
        parsed = parse_score(file.read_text("utf-8"))
        assert parsed.issues == (), file.name
        assert (parsed.content.n_spines, parsed.content.is_valid) == (2, True)
        assert parsed.content.musicxml


def test_kern_of_the_music21_corpus_has_no_issue() -> None:
    import music21

    folder = Path(music21.__file__).parent / "corpus"
    files = [path for path in sorted(folder.rglob("*.krn"))[::20] if path.stat().st_size < 3_000][:20]
    if len(files) < 10:
        pytest.skip("this music21 carries no kern")
    for file in files:
        parsed = parse_score(file.read_text("utf-8", errors="replace"))
        assert {issue.code for issue in parsed.issues} <= {"score-line-ends"}, file.name
        assert parsed.content.musicxml, file.name

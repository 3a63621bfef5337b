"""Real truths are sound: what is right must not be called wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table
from docai.score_formats import to_ekern, to_midi, to_musicxml

pytestmark = pytest.mark.slow(seconds=8)


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
        assert len({event.measure for event in parsed.content.events}) == parsed.content.n_measures
        for written in (to_musicxml(parsed.content.kern), to_midi(parsed.content.kern)):
            assert (written.n_written, written.issues) == (written.n_notes, ()), file.name
        assert parse_score(to_ekern(parsed.content.kern)).content.events == parsed.content.events


def test_kern_of_the_music21_corpus_has_no_issue_and_loses_nothing_in_musicxml() -> None:
    files = [path for path in _corpus()[::20] if path.stat().st_size < 3_000][:12]
    for file in files:
        parsed = parse_score(file.read_text("utf-8", errors="replace"))
        assert {issue.code for issue in parsed.issues} <= {"score-line-ends"}, file.name
        assert parsed.content.musicxml, file.name


def test_only_what_is_truly_wrong_in_the_music21_corpus_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file known to be wrong and a sample of the others; benchmarks/kern_corpus.py takes them all."""
    monkeypatch.setattr("docai.parsers.score.MAX_WORK", -1)
    known = json.loads(Path(__file__).with_name("kern_corpus.json").read_text("utf-8"))
    files = _corpus()
    folder = files[0].parents[1]
    names = {file.relative_to(folder).as_posix() for file in files[::50]} | set(known)
    for name in sorted(names):
        parsed = parse_score((folder / name).read_bytes().decode("utf-8", "replace"))
        found = {issue.code for issue in parsed.issues} - {"score-too-long"}
        assert found == set(known.get(name, [])), name
        assert parsed.content.is_valid, name
        assert parsed.content.events, name


def _corpus() -> list[Path]:
    import music21

    files = sorted((Path(music21.__file__).parent / "corpus").rglob("*.krn"))
    if len(files) < 1000:
        pytest.skip("this music21 carries no kern")
    return files

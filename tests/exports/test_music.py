"""Scores as music21 and lxml read them: notes are those of the record."""

from __future__ import annotations

import io

import music21
import pytest
from lxml import etree

from docai.errors import NothingToExportError
from docai.exports import ExportOptions, export

from . import made

PITCHES = ["A4", "C3", "C4", "E4", "E4", "F3", "F4", "G3", "G4", "G4"]


def _pitches(data: bytes, kind: str) -> list[str]:
    score = music21.converter.parseData(data if kind == "midi" else data.decode(), format=kind)
    return sorted(str(pitch) for note in score.recurse().notes for pitch in note.pitches)


@pytest.mark.parametrize(
    ("name", "kind"), [("o.musicxml", "musicxml"), ("o.mid", "midi"), ("o.krn", "humdrum")]
)
def test_notes_come_back(name: str, kind: str) -> None:
    assert _pitches(export(made.document(made.score()), name), kind) == PITCHES


def test_an_engraving_has_all_measures_and_notes() -> None:
    root = etree.fromstring(bytes(export(made.document(made.score()), "o.svg")))
    classes = [element.get("class") for element in root.iter() if element.get("class")]
    assert (classes.count("measure"), classes.count("note")) == (2, len(PITCHES))


def test_each_piece_is_a_file_and_systems_are_joined() -> None:
    systems = [made.KERN.replace("==\t==", "=\t="), made.KERN.replace("*M4/4\t*M4/4\n", "")]
    other = made.KERN.replace("4c", "4d")
    document = made.document(*(made.score(kern) for kern in [*systems, other]))
    file = export(document, "out.krn")
    assert list(file.files) == ["out-2.krn"]
    assert _pitches(file, "humdrum") == sorted(PITCHES * 2)
    alone = export(document, "out.mid", ExportOptions(files_beside=False))
    assert [loss.code for loss in alone.losses] == ["further-pieces"]
    assert not alone.files


def test_a_score_with_errors_is_a_loss() -> None:
    bad = made.score("**kern\n4c\n4c\t4d\n*-\n")
    assert not bad.is_valid
    file = export(made.document(bad, made.score()), "out.krn")
    assert [(loss.code, loss.record) for loss in file.losses] == [("invalid-score", bad.id)]
    with pytest.raises(NothingToExportError, match=r"no score that can be written as \.mid"):
        export(made.document(bad), "out.mid")


def test_an_engraving_that_ends_early_is_told() -> None:
    head = "**kern\n*clefG2\n*M4/4\n"
    kern = head + "".join(f"={number}\n4c\n4d\n4e\n4f\n" for number in range(1, 2201)) + "==\n*-\n"
    file = export(made.document(made.score(kern)), "out.svg")
    (loss,) = file.losses
    assert loss.code == "cut-engraving"
    n_drawn = file.decode().count('class="measure"')
    assert 100 < n_drawn < 2200
    assert f"measure {n_drawn} of 2200" in str(loss)


def test_the_file_is_whole_xml() -> None:
    file = export(made.document(made.score()), "o.musicxml")
    assert etree.parse(io.BytesIO(file)).getroot().tag == "score-partwise"

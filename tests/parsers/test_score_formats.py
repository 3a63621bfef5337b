"""Scores written as ekern, bekern, MusicXML and MIDI, and read back where docai reads them."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from docai.contents import Event
from docai.errors import ExportError
from docai.parsers.score import parse_score, read_valid_kern
from docai.score_formats import to_bekern, to_ekern, to_midi, to_musicxml

from .scores import bar, codes, kern

PIANO = kern(
    *("!!!COM:a@b·c", "**kern **kern **dynam", "*clefF4 *clefG2 *", "*M4/4 *M4/4 *", "*MM90 *MM90 *"),
    *("=1 =1 =1", "* *^ *", "4.G#[ (8.ee-'L 2c f", ". 16dd)Jk . .", ". 8qff . .", ". 4r . .", "8G#] . . ."),
    *("4C+4E+4G 4b;' [2cn .", "4r 12c . .", ". 12d . .", ". 12e . .", "* *v *v *", "=2 =2 =2"),
    *("1C 1c] .", "== == ==", "*- *- *-"),
)
EKERN = (
    "**ekern_1.0\t**ekern_1.0\n*M2/4\t*M2/4\n=1\t=1\n"
    "4@.@G@#·[\t8@ee@-·L·\\ 8@gg·L\n.\t4@r\n8@G@#·]\t8@.@d·J\n*-\t*-\n"
)


def events(text: str) -> list[Event]:
    sound = read_valid_kern(text)
    return sound.events if sound else []


def test_a_note_in_its_parts() -> None:
    ekern = to_ekern(PIANO)
    assert "!!!COM:a@b·c\n**ekern\t**ekern\t**dynam\n" in ekern
    assert "\n4@.@G@#·[\t8@.@ee@-·(·'·L\t2@c\tf\n" in ekern
    assert "\n4@C 4@E 4@G\t4@b·;·'\t2@c@n·[\t.\n" in ekern


def test_ekern_reads_back_to_the_same_events() -> None:
    ekern = to_ekern(PIANO)
    assert events(ekern) == events(PIANO)
    parsed = parse_score(ekern)
    assert "score-ekern" in codes(parsed)
    assert parsed.repaired
    assert parsed.content.kern.startswith("!!!COM:a@b·c\n**kern\t**kern\t**dynam\n")


def test_bekern_keeps_durations_and_pitches_alone() -> None:
    bekern = to_bekern(PIANO)
    assert bekern.count("**bekern") == 2
    assert "\n4@.@G@#\t8@.@ee@-\t2@c\tf\n" in bekern
    assert "\n.\t8@ff·q\t.\t.\n" in bekern

    def core(event: Event) -> tuple[object, ...]:
        return event.line, event.kind, event.onset, event.duration, event.pitch, event.accidental

    assert [core(event) for event in events(bekern)] == [core(event) for event in events(PIANO)]


@pytest.mark.parametrize("header", ["**ekern_1.0", "**ekern", "**ekrn", "**bekern", "**bekrn", "**bkern_1.0"])
def test_headers_of_encodings_are_read_as_kern(header: str) -> None:
    parsed = parse_score(EKERN.replace("**ekern_1.0", header))
    assert parsed.content.kern == (
        "**kern\t**kern\n*M2/4\t*M2/4\n=1\t=1\n4.G#[\t8ee-L\\ 8ggL\n.\t4r\n8G#]\t8.dJ\n*-\t*-\n"
    )
    assert parsed.content.n_spines == 2


def test_raised_dots_under_the_name_of_kern_are_read_too() -> None:
    assert events(EKERN.replace("**ekern_1.0", "**kern")) == events(EKERN)


def test_the_tokens_of_a_model() -> None:
    text = (
        "<bos>**ekern_1.0 <t> **ekern_1.0 <b> *M2/4 <t> *M2/4 <b> "
        "4@C<s>4@E <t> 2@c·L <b> 4@D <t> . <b> *- <t> *-<eos>"
    )
    parsed = parse_score(text)
    assert codes(parsed) == {"score-ekern"}
    assert parsed.content.kern == "**kern\t**kern\n*M2/4\t*M2/4\n4C 4E\t2cL\n4D\t.\n*-\t*-\n"


def test_what_is_no_note_keeps_its_signs() -> None:
    text = "**ekern\t**text\n!! me@home.org\n4@c\tla·la\n4@h\tx@y\n*-\t*-\n"
    assert parse_score(text).content.kern == ("**kern\t**text\n!! me@home.org\n4c\tla·la\n4@h\tx@y\n*-\t*-\n")


def test_plain_kern_with_an_at_sign_is_left_alone() -> None:
    text = bar("2c@", "2d")
    parsed = parse_score(text)
    assert (parsed.issues, parsed.content.kern) == ((), text)


def test_html_in_a_comment_is_no_token() -> None:
    text = "!!!OTL: <b>K</b> 331\n" + bar("1c")
    parsed = parse_score(text)
    assert (parsed.issues, parsed.content.kern) == ((), text)


def test_spans_point_into_the_ekern() -> None:
    [span] = parse_score(EKERN).spans
    assert span is not None
    assert EKERN[slice(*span)] == EKERN[EKERN.index("4@.") : EKERN.index("\n*-")]


def test_musicxml_holds_every_note_and_slur() -> None:
    file = to_musicxml(PIANO)
    assert file.startswith(b"<?xml")
    assert (file.n_notes, file.n_written, file.issues) == (14, 14, ())
    assert file.count(b"<slur") == 2


def test_slurs_are_in_the_musicxml_of_the_record() -> None:
    parsed = parse_score(
        kern("**kern **kern", "*M4/4 *M4/4", "=1 =1", "(2C+2E (4c", ". 4d)", "2D) 2e", "*- *-")
    )
    assert parsed.issues == ()
    xml = parsed.content.musicxml or ""
    assert (
        len(re.findall(r'<slur [^>]*type="start"', xml))
        == len(re.findall(r'<slur [^>]*type="stop"', xml))
        == 2
    )


def test_slurs_that_musicxml_lacks_are_an_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docai.parsers.score_music21._add_slurs", lambda *_: None)
    assert codes(parse_score(bar("(2c", "2d)"))) == {"score-slurs-lost"}


THREE_VOICES = kern("**kern", "*M4/4", "=1", "*^", "2c 2e", "*^ *", "2d 2f 2a", "*v *v *v", "==", "*-")


def test_notes_that_musicxml_lacks_are_counted() -> None:
    file = to_musicxml(THREE_VOICES)
    assert file.n_written < file.n_notes == 5
    assert [issue.code for issue in file.issues] == ["score-notes-lost"]


def test_midi_loses_nothing_where_music21_does() -> None:
    file = to_midi(THREE_VOICES)
    assert (file.n_notes, file.n_written, file.issues) == (5, 5, ())


def test_midi_sounds_as_written(tmp_path: Path) -> None:
    from music21 import converter

    file = to_midi(PIANO)
    assert isinstance(file, bytes)
    assert file[:4] == b"MThd"
    assert (file.n_notes, file.n_written, file.issues) == (14, 14, ())
    path = tmp_path / "score.mid"
    path.write_bytes(file)
    score = converter.parse(path)
    heard = sorted(pitch.midi for sound in score.recurse().notes for pitch in sound.pitches)
    struck = [event.midi for event in events(PIANO) if event.kind == "note" and event.tie in (None, "start")]
    assert heard == sorted(midi for midi in struck if midi is not None)
    assert Fraction(score.highestTime) == 8


def test_tied_notes_sound_once() -> None:
    file = to_midi(kern("**kern", "*M4/4", "=1", "[1c", "=2", "1c_", "=3", "1c]", "*-"))
    assert (file.n_notes, file.n_written) == (1, 1)


def test_a_pitch_that_midi_does_not_have_is_an_issue() -> None:
    file = to_midi(bar("2c", "2CCCCCCC"))
    assert (file.n_notes, file.n_written) == (2, 1)
    assert [issue.code for issue in file.issues] == ["score-midi-lost"]


@pytest.mark.parametrize("text", ["", "no music", kern("**kern", "*M4/4", "*-")])
def test_without_notes_there_is_no_file(text: str) -> None:
    content = parse_score(text).content
    with pytest.raises(ExportError, match="no note or rest"):
        to_midi(content.kern)
    with pytest.raises(ExportError, match="no note or rest"):
        to_musicxml(content.kern)
    assert to_ekern(content.kern) == content.kern.replace("**kern", "**ekern")


def test_the_sound_part_of_a_broken_score_is_written() -> None:
    text = kern("**kern **kern", "*M2/4 *M2/4", "=1 =1", "4C 4c", "4D", "4E 4e", "*- *-")
    assert to_midi(text).n_notes == 2


def test_verovio_is_never_in_this_process() -> None:
    script = (
        "import sys; from docai.parsers.score import parse_score\n"
        "from docai.score_formats import to_ekern, to_midi, to_musicxml\n"
        "content = parse_score('**kern\\n*M1/4\\n4c\\n*-\\n').content\n"
        "to_midi(content.kern), to_musicxml(content.kern), to_ekern(content.kern)\n"
        "print('verovio' in sys.modules, bool(content.musicxml))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_spines_that_are_not_kern_do_not_reach_music21() -> None:
    text = kern(
        *("**harm **kern **kern", "*M4/4 *M4/4 *M4/4", "=1 =1 =1", "*^ * *", "I V (1c 1e", "*v *v * *"),
        *("=2 =2 =2", "r 1d) 1f", "*- * *", "== ==", "*- *-"),
    )
    parsed = parse_score(text)
    assert codes(parsed) == set()
    assert parsed.content.musicxml is not None
    assert parsed.content.musicxml.count("<pitch>") == 4
    assert parsed.content.musicxml.count('<slur number="1" type="start"') == 1


def test_the_same_kern_always_gives_the_same_musicxml() -> None:
    text = kern(
        "**kern **kern", "*ICvox *ICvox", "*Ioboe *Iflt", "*M4/4 *M4/4", "=1 =1", "1c 1e", "== ==", "*- *-"
    )
    first, second = parse_score(text), parse_score(text)
    assert "<midi-instrument" in (first.content.musicxml or "")
    assert first == second


@pytest.mark.parametrize(
    "lines",
    [
        ["**kern", *["12c"] * 7, "=", "4c", "==", "*-"],
        ["**kern", "=1", "4c", "1023c", "4c", "=2", "4c", "1000c", "4c", "==", "*-"],
        ["**kern", "64c", *["4c"] * 20, "*-"],
        ["**kern", "2e", "r>=1-", *["2r"] * 20, "7r", "4c", "*-"],
    ],
    ids=["triplets", "odd", "one-measure", "broken-token"],
)
def test_music21_looks_for_no_meter_where_none_is_given(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("it takes a minute over a meter of 541/28")

    monkeypatch.setattr("music21.meter.bestTimeSignature", refuse)
    musicxml = parse_score(kern(*lines)).content.musicxml or ""
    tied_on = musicxml.count('<tie type="stop"')
    assert musicxml.count("<pitch>") - tied_on == sum(line[-1] in "ce" for line in lines)
    assert "<time>" not in musicxml


def test_measures_of_triplets_without_a_meter_get_no_rests() -> None:
    musicxml = parse_score(kern("**kern", *["12c"] * 7, "=", "4c", "==", "*-")).content.musicxml or ""
    assert musicxml.count("<measure") == 2
    assert "<rest" not in musicxml

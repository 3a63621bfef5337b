"""Pieces in MusicXML: what is read has every note, and what would lose one is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from lxml import etree

from docai.pipelines.synthesis.score import corpus
from docai.pipelines.synthesis.score.musicxml import read_musicxml
from docai.pipelines.synthesis.score.notation import Bar

ATTRIBUTES = """<attributes><divisions>2</divisions><key><fifths>-1</fifths></key>
<time><beats>2</beats><beat-type>4</beat-type></time><staves>2</staves>
<clef number="1"><sign>G</sign><line>2</line></clef><clef number="2"><sign>F</sign><line>4</line></clef>
</attributes>"""
UPPER = """<note><grace slash="yes"/><pitch><step>A</step><octave>5</octave></pitch><voice>1</voice>
<type>eighth</type><staff>1</staff></note>
<note><pitch><step>F</step><alter>1</alter><octave>5</octave></pitch><duration>1</duration><voice>1</voice>
<staff>1</staff><beam number="1">begin</beam><notations><slur type="start"/></notations></note>
<note><chord/><pitch><step>D</step><octave>5</octave></pitch><duration>1</duration><voice>1</voice>
<staff>1</staff></note>
<note><pitch><step>E</step><octave>5</octave></pitch><duration>1</duration><voice>1</voice><staff>1</staff>
<beam number="1">end</beam><notations><slur type="stop"/><articulations><staccato/></articulations>
</notations></note>
<note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><tie type="start"/><voice>1</voice>
<staff>1</staff><notations><fermata/></notations></note>"""
LOWER = """<backup><duration>4</duration></backup><note><rest/><duration>4</duration><voice>5</voice>
<staff>2</staff></note>"""


def write(path: Path, *measures: str) -> Path:
    body = "".join(f"<measure>{measure}</measure>" for measure in measures)
    path.write_text(f"<score-partwise><part id='P1'>{body}</part></score-partwise>", encoding="utf-8")
    return path


def tokens(bar: Bar) -> list[list[list[str]]]:
    return [[[event.token for event in voice] for voice in voices] for voices in bar.parts]


def test_a_measure_is_read_with_all_that_stands_in_it(tmp_path: Path) -> None:
    ((bar,),) = read_musicxml(write(tmp_path / "a.xml", ATTRIBUTES + UPPER + LOWER))
    assert bar.clefs == ("*clefF4", "*clefG2")
    assert (bar.fifths, bar.meter) == ((-1, -1), (2, 4))
    assert tokens(bar) == [[["2r"]], [["8aaq", "(8ddL 8ff#", "8ee'J)", "[4cc;"]]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<note><rest/>", '<note print-object="no"><rest/>'),
        ("<step>C</step>", "<step>C</step><alter>0.5</alter>"),
        ("<duration>2</duration>", "<duration>3</duration>"),
        ("<note><rest/>", "<note><unpitched/>"),
        ("<note><pitch><step>E", "<note><cue/><pitch><step>E"),
        ("<step>D</step>", "<step>F</step><alter>1</alter>"),
        ("<duration>4</duration><voice>5</voice>", "<duration>2</duration><voice>5</voice>"),
    ],
)
def test_a_measure_that_would_lose_something_parts_the_piece(tmp_path: Path, old: str, new: str) -> None:
    first, later = ATTRIBUTES + UPPER + LOWER, UPPER + LOWER
    assert old in later
    broken = later.replace(old, new)
    runs = read_musicxml(write(tmp_path / "a.xml", first, later, broken, later))
    assert [len(run) for run in runs] == [2, 1]


def test_a_compressed_file_is_read_and_a_broken_one_has_nothing(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.xml", ATTRIBUTES + UPPER + LOWER)
    with ZipFile(tmp_path / "a.mxl", "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="b.xml"/></rootfiles></container>',
        )
        archive.write(plain, "b.xml")
    assert read_musicxml(tmp_path / "a.mxl") == read_musicxml(plain)
    (tmp_path / "c.mxl").write_bytes(b"no zip")
    (tmp_path / "c.xml").write_text("<score-timewise/>")
    (tmp_path / "d.xml").write_text("<score-part")
    assert [read_musicxml(tmp_path / name) for name in ("c.mxl", "c.xml", "d.xml")] == [(), (), ()]


def pieces() -> Iterator[Path]:
    for path in corpus.pieces()[0]:
        if path.suffix == ".mxl" and path.parent.name == "bach" and path.stem.startswith("bwv25"):
            yield path


def test_real_pieces_keep_every_note() -> None:
    pytest.importorskip("music21", reason="its wheel carries the pieces")
    n_whole = 0
    for path in pieces():
        bars = [bar for run in read_musicxml(path) for bar in run]
        with ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if not name.startswith("META-INF"))
            root = etree.fromstring(archive.read(name))
        counts = [
            sum(len(measure.findall("note/pitch")) for measure in measures)
            for measures in zip(*(part.findall("measure") for part in root.iterfind("part")), strict=True)
        ]
        read = [
            sum(len(event.heads) for voices in bar.parts for voice in voices for event in voice)
            for bar in bars
        ]
        rest = iter(counts)
        assert all(n in rest for n in read), path.name
        n_whole += len(read) >= len(counts) - 4
    assert n_whole >= 5

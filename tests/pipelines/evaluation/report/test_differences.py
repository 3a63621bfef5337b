"""What is shown of one case: truth, prediction and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from docai.pipelines.evaluation.base import Item, Prediction, Sample, SpottedWord
from docai.pipelines.evaluation.report.alignment import align, merged_runs
from docai.pipelines.evaluation.report.differences import compare
from docai.pipelines.evaluation.report.pictures import Album, Outline
from docai.pipelines.evaluation.report.views import Block, Drawing, Entries, Grid, Lines, Remark, Runs, Sides
from docai.records import Kind
from tests.conftest import MakePdf


def sides_of(task: str, truth: Item, given: Item | None) -> Sides:
    sample = Sample(id="a", truth=(truth,))
    prediction = None if given is None else Prediction(id="a", items=[given])
    return compare(task, sample, prediction, Album())


def table(*rows: str) -> Item:
    cells = ("".join(f"<td>{cell}</td>" for cell in row.split("|")) for row in rows)
    return Item(kind="table", text="<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>")


def looks(blocks: Sequence[Block]) -> list[list[str]]:
    grid = next(block for block in blocks if isinstance(block, Grid))
    return [[place.look for place in row] for row in grid.rows]


def entries_of(sides: Sides) -> list[tuple[str, str]]:
    return [
        (entry.look, entry.text)
        for block in sides.difference
        if isinstance(block, Entries)
        for entry in block.entries
    ]


def test_a_row_that_was_left_out_does_not_make_all_others_wrong() -> None:
    sides = sides_of("table", table("a|b", "c|d", "e|f", "g|h"), table("a|b", "e|f", "g|x"))
    assert looks(sides.truth) == [["same"] * 2, ["missed"] * 2, ["same"] * 2, ["same", "misread"]]
    assert looks(sides.prediction) == [["same"] * 2, ["same"] * 2, ["same", "misread"]]
    assert entries_of(sides) == [("missed", "“c”"), ("missed", "“d”"), ("misread", "“h” → “x”")]


def test_a_column_that_was_added_and_a_span_are_named() -> None:
    assert looks(sides_of("table", table("alpha|beta"), table("alpha|new|beta")).prediction) == [
        ["same", "invented", "same"]
    ]
    spanned = Item(kind="table", text="<table><tr><td colspan=2>a</td></tr><tr><td>b<td>c</tr></table>")
    single = Item(kind="table", text="<table><tr><td>a</td><td></td></tr><tr><td>b<td>c</tr></table>")
    assert looks(sides_of("table", spanned, single).truth)[0] == ["shape"]


def test_table_without_text_is_shown_from_its_cells() -> None:
    from docai.contents import Cell

    given = Item(kind="table", cells=[Cell(row=0, col=0, text="a"), Cell(row=0, col=1, text="c")])
    assert looks(sides_of("table", table("a|b"), given).prediction) == [["same", "misread"]]


def test_tables_of_pages_are_paired_by_place() -> None:
    def placed(cell: str, y: float) -> Item:
        return table(f"{cell}|1").model_copy(update={"bbox": (0, y, 50, y + 20)})

    sample = Sample(id="a", unit="page", truth=(placed("first", 0), placed("second", 100)))
    given = Prediction(id="a", items=[placed("second", 101), placed("third", 300)])
    sides = compare("table", sample, given, Album())
    assert [outline.mark for outline in sides.outlines] == ["missed", "hit", "invented"]
    grids = [block for block in sides.truth if isinstance(block, Grid)]
    assert {place.look for place in grids[1].rows[0]} == {"same"}


def test_molecules_are_drawn_and_the_differing_atom_is_in_color() -> None:
    sides = sides_of("molecule", Item(kind="molecule", text="CCO"), Item(kind="molecule", text="CCN"))
    assert isinstance(sides.truth[0], Drawing)
    assert sides.truth[0].picture.uri.startswith("data:image/svg+xml;base64,")
    assert any(isinstance(block, Remark) and "In color" in block.text for block in sides.difference)


def test_stereo_alone_is_named() -> None:
    sides = sides_of(
        "molecule", Item(kind="molecule", text="C[C@H](F)Cl"), Item(kind="molecule", text="C[C@@H](F)Cl")
    )
    assert any(isinstance(block, Remark) and "same skeleton" in block.text for block in sides.difference)


@pytest.mark.parametrize("given", ["", "C1CC", "not a molecule", "C" * 5000])
def test_molecule_that_is_none_is_shown_as_text(given: str) -> None:
    sides = sides_of("molecule", Item(kind="molecule", text="CCO"), Item(kind="molecule", text=given))
    assert not any(isinstance(block, Drawing) for block in sides.prediction)


def test_a_line_of_music_that_was_left_out() -> None:
    kern = ["**kern", "*clefG2", "=1", "4c", "4d", "4e", "4f", "=2", "*-"]
    sides = sides_of(
        "score",
        Item(kind="score", text="\n".join(kern)),
        Item(kind="score", text="\n".join(kern[:4] + kern[5:])),
    )
    lines = next(block for block in sides.difference if isinstance(block, Lines))
    changed = [pair for pair in lines.pairs if any(run.look != "same" for run in (*pair.old, *pair.new))]
    assert [(pair.old_number, pair.new_number) for pair in changed] == [(5, None)]
    assert isinstance(sides.difference[0], Remark)
    assert sides.difference[0].text == "1 of 9 lines differ."


def test_music_that_takes_verovio_down_is_text() -> None:
    pytest.importorskip("verovio", reason="verovio engraves")
    fatal = "**kern\t**kern\n*^\t*\n4c\t4e\n4c\t4d\t4f\t9\n"
    sides = sides_of("score", Item(kind="score", text="**kern\n4c\n*-"), Item(kind="score", text=fatal))
    assert isinstance(sides.truth[0], Drawing)
    assert not any(isinstance(block, Drawing) for block in sides.prediction)


def square(x: float) -> list[tuple[float, float]]:
    return [(x, 0), (x + 10, 0), (x + 10, 10), (x, 10)]


def test_words_are_hit_misread_missed_or_invented() -> None:
    truth = Item(
        kind="text",
        words=[
            SpottedWord(text="right", polygon=square(0)),
            SpottedWord(text="wrong", polygon=square(20)),
            SpottedWord(text="gone", polygon=square(40)),
            SpottedWord(text="###", polygon=square(60), ignore=True),
        ],
    )
    given = Item(
        kind="text",
        words=[
            SpottedWord(text="right", polygon=square(0)),
            SpottedWord(text="wr0ng", polygon=square(20)),
            SpottedWord(text="ghost", polygon=square(90)),
            SpottedWord(text="blur", polygon=square(60)),
        ],
    )
    sides = sides_of("text-hiertext", truth, given)
    truth_runs, given_runs = sides.truth[0], sides.prediction[0]
    assert isinstance(truth_runs, Runs)
    assert isinstance(given_runs, Runs)
    assert [run.look for run in truth_runs.runs] == ["hit", "misread", "missed", "ignored"]
    assert [run.look for run in given_runs.runs] == ["hit", "misread", "invented", "ignored"]
    assert sorted(outline.mark for outline in sides.outlines) == [
        "hit", "ignored", "invented", "misread", "missed",
    ]  # fmt: skip


def test_regions_of_another_kind_do_not_count_as_found() -> None:
    def region(kind: Kind, y: float) -> Item:
        return Item(kind=kind, bbox=(0, y, 100, y + 50), confidence=0.5)

    sample = Sample(id="a", unit="page", truth=(region("text", 0), region("table", 100)))
    given = Prediction(id="a", items=[region("text", 1), region("figure", 100)])
    sides = compare("regions", sample, given, Album())
    assert [(outline.mark, outline.label) for outline in sides.outlines] == [
        ("hit", "text"),
        ("invented", "figure"),
        ("missed", "table"),
    ]


def test_running_text_keeps_what_is_around_a_change() -> None:
    words = [f"w{n}" for n in range(100)]
    merged, too_long = merged_runs(words, [*words[:50], "x", *words[51:]], context=3)
    assert not too_long
    assert [run.look for run in merged] == ["same", "missed", "invented", "same"]
    assert merged[0].text == "[… 47 equal words …] w47 w48 w49"
    assert merged[1].text == "w50"


def test_alignment_of_nothing() -> None:
    def equal(a: str, b: str) -> float:
        return float(a == b)

    assert list(align([], ["a"], equal)) == [(None, 0)]
    assert list(align(["a", "b"], ["b"], equal)) == [(0, None), (1, 0)]


@pytest.mark.parametrize(
    "task", ["table", "molecule", "score", "text-hiertext", "text-rrc", "words", "regions"]
)
def test_no_answer_is_shown_for_every_task(task: str) -> None:
    sample = Sample(id="a", truth=())
    for prediction in (None, Prediction(id="a"), Prediction(id="a", error="failed")):
        sides = compare(task, sample, prediction, Album())
        assert not sides.outlines


def test_outlines_are_drawn_where_they_lie_on_a_pdf(tmp_path: Path, make_pdf: MakePdf) -> None:
    import base64
    from io import BytesIO

    from PIL import Image

    source = tmp_path / "a.pdf"
    source.write_bytes(make_pdf("x", "y", width=400, height=400))
    sample = Sample(id="a", truth=(), unit="page", source=source)
    corners = [(100, 200), (300, 200), (300, 300), (100, 300)]
    wild = [(float("nan"), 0.0), (1.0, 1.0), (2.0, 2.0)]
    (picture,) = Album().sample(
        sample, [Outline(corners, "missed", page=2), Outline(wild, "invented", page=2)]
    )
    assert picture.caption == "page 2 of 2"
    image = Image.open(BytesIO(base64.b64decode(picture.uri.partition(",")[2]))).convert("RGB")
    scale = image.width / 400

    def redness(x: float, y: float) -> int:
        red, green, _ = image.getpixel((round(x * scale), round(y * scale)))  # type: ignore[misc]
        return int(red - green)

    assert redness(100, 250) > 60
    assert redness(200, 300) > 60
    assert abs(redness(50, 250)) < 30

"""Tiles of one region, joined."""

from __future__ import annotations

import pytest

from docai.contents import ScoreContent, TableContent, TextContent
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.pipelines.recognition.tiles import join_contents, join_kern


def test_texts_are_joined_by_lines_in_order() -> None:
    joined = join_contents([parse_text("<loc0001><loc0002><loc0003><loc0004> one"), parse_text("two\nthree")])
    assert isinstance(joined.content, TextContent)
    assert joined.content.text == "one\ntwo\nthree"
    assert [line.text for line in joined.content.lines] == ["one", "two", "three"]
    assert joined.content.lines[0].words[0].bbox is not None
    assert not joined.repaired


def test_issues_name_their_tile() -> None:
    joined = join_contents([parse_text("<loc0001><loc0002><loc0003><loc0004> one"), parse_text("")])
    assert [(issue.code, issue.message[:12]) for issue in joined.issues] == [("text-empty", "Tile 2 of 2:")]


def test_tables_are_joined_by_rows() -> None:
    joined = join_contents(
        [
            parse_table(
                "<table><thead><tr><td>a</td><td>b</td></tr></thead>"
                "<tbody><tr><td rowspan='2'>1</td><td>2</td></tr><tr><td>3</td></tr></tbody></table>"
            ),
            parse_table("<table><tbody><tr><th>x</th><td>4</td></tr></tbody></table>"),
        ]
    )
    table = joined.content
    assert isinstance(table, TableContent)
    assert (table.n_rows, table.n_cols) == (4, 2)
    assert [(c.row, c.col, c.row_span, c.text, c.is_header) for c in table.cells] == [
        (0, 0, 1, "a", True),
        (0, 1, 1, "b", True),
        (1, 0, 2, "1", False),
        (1, 1, 1, "2", False),
        (2, 1, 1, "3", False),
        (3, 0, 1, "x", True),
        (3, 1, 1, "4", False),
    ]
    assert parse_table(table.html).content == table
    assert not joined.repaired
    assert not joined.issues


def test_the_columns_of_a_joined_table_are_those_of_all_bands() -> None:
    bands = ["<thead><tr><td>a</td></tr></thead><tr><td>1</td></tr>", "<tbody><tr><td>2.5</td></tr></tbody>"]
    joined = join_contents([parse_table(f"<table>{band}</table>") for band in bands]).content
    assert isinstance(joined, TableContent)
    assert [(column.name, column.kind, column.n_read) for column in joined.columns] == [("a", "number", 2)]


def test_a_head_in_a_later_band_becomes_plain_rows_and_that_is_said() -> None:
    band = "<table><thead><tr><td>a</td></tr></thead><tbody><tr><td>b</td></tr></tbody></table>"
    joined = join_contents([parse_table(band), parse_table(band)])
    assert isinstance(joined.content, TableContent)
    assert [cell.is_header for cell in joined.content.cells] == [True, False, False, False]
    assert [issue.code for issue in joined.issues] == ["table-tiles-headed"]
    assert joined.repaired


def test_the_head_of_the_first_band_that_holds_anything_stays() -> None:
    band = "<table><thead><tr><td>a</td></tr></thead><tbody><tr><td>b</td></tr></tbody></table>"
    joined = join_contents([parse_table(""), parse_table(band)])
    assert isinstance(joined.content, TableContent)
    assert [cell.is_header for cell in joined.content.cells] == [True, False]


def test_bands_of_different_width_are_padded_and_that_is_said() -> None:
    joined = join_contents(
        [
            parse_table("<table><tr><td>1</td></tr></table>"),
            parse_table("<table><tr><td>2</td><td>3</td><td>4</td></tr></table>"),
        ]
    )
    table = joined.content
    assert isinstance(table, TableContent)
    assert (table.n_rows, table.n_cols) == (2, 3)
    assert [(c.row, c.col, c.col_span, c.text) for c in table.cells][:3] == [
        (0, 0, 1, "1"),
        (0, 1, 1, ""),
        (0, 2, 1, ""),
    ]
    assert [issue.code for issue in joined.issues] == ["table-tiles-differ"]
    assert joined.repaired


def test_nothing_but_empty_bands_is_an_empty_table() -> None:
    joined = join_contents([parse_table(""), parse_table("")])
    assert isinstance(joined.content, TableContent)
    assert (joined.content.n_rows, joined.content.n_cols, joined.content.cells) == (0, 0, [])


SYSTEM = "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M2/4\t*M2/4\n{body}*-\t*-\n"


def _system(body: str) -> str:
    return SYSTEM.format(body=body)


def test_systems_are_joined_without_repeating_what_is_in_force() -> None:
    joined = join_kern([_system("=1\t=1\n2C\t2c\n"), _system("=2\t=2\n2D\t2d\n")])
    assert joined == _system("=1\t=1\n2C\t2c\n=2\t=2\n2D\t2d\n")
    score = parse_score(joined)
    assert score.content.is_valid
    assert score.content.n_measures == 2


def test_a_change_back_is_kept() -> None:
    """Clef G at first, then F within the first system; the second system opens with G again."""
    first = "**kern\n*clefG2\n=1\n4c\n*clefF4\n4C\n*-\n"
    second = "**kern\n*clefG2\n=2\n4c\n*-\n"
    assert join_kern([first, second]) == "**kern\n*clefG2\n=1\n4c\n*clefF4\n4C\n*clefG2\n=2\n4c\n*-\n"


def test_a_change_in_one_spine_is_kept() -> None:
    second = _system("=2\t=2\n2D\t2d\n").replace("*clefF4\t", "*clefG2\t")
    joined = join_kern([_system("=1\t=1\n2C\t2c\n"), second])
    assert joined.count("*clefG2\t*clefG2") == 1
    assert joined.count("**kern") == 2
    assert joined.count("*M2/4\t*M2/4") == 1


def test_systems_that_are_blank_are_passed_over() -> None:
    assert join_kern(["", _system("2C\t2c\n"), " \n"]) == _system("2C\t2c\n")
    assert join_kern(["", ""]) == ""


def test_scores_are_joined_and_checked_as_one() -> None:
    joined = join_contents(
        [parse_score(_system("=1\t=1\n2C\t2c\n")), parse_score("**kern\n*clefG2\n4c\n*-\n")]
    )
    assert isinstance(joined.content, ScoreContent)
    assert not joined.content.is_valid
    assert "score-spine-count" in {issue.code for issue in joined.issues}
    assert joined.repaired
    codes = [issue.code for issue in joined.issues]
    assert len(codes) == len(set(codes))


def test_molecules_are_never_read_in_tiles() -> None:
    with pytest.raises(TypeError, match="MoleculeContent"):
        join_contents([parse_molecule("C"), parse_molecule("C")])

"""Where each part of a content stands in the model's text, through every repair."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.models.heads import HEADS
from docai.parsers.base import TrackedText
from docai.parsers.molecule import atom_spans, parse_molecule
from docai.parsers.score import measure_texts, parse_score
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text

from .test_total import damaged

LOCS = "<loc0100><loc0200><loc0300><loc0400>"


def cells(text: str) -> list[tuple[str, str | None]]:
    """Text of each cell, and what its span covers."""
    parsed = parse_table(text)
    return [
        (cell.text, None if span is None else text[slice(*span)])
        for cell, span in zip(parsed.content.cells, parsed.spans, strict=True)
    ]


def words(text: str) -> list[tuple[str, str]]:
    parsed = parse_text(text)
    found = [word.text for line in parsed.content.lines for word in line.words]
    spans = [span for span in parsed.spans if span is not None]
    return [(word, text[slice(*span)]) for word, span in zip(found, spans, strict=True)]


def atoms(text: str) -> list[tuple[str, str | None]]:
    parsed = parse_molecule(text)
    return [
        (atom.symbol, None if span is None else text[slice(*span)])
        for atom, span in zip(parsed.content.atoms, parsed.spans, strict=True)
    ]


def measures(text: str) -> list[str]:
    return [text[slice(*span)] for span in parse_score(text).spans if span is not None]


def test_a_place_survives_any_number_of_edits() -> None:
    text = TrackedText("__ab--cd--ef__")
    text.keep(2, 12)
    assert text.replace(re.compile("--"), "") == 2
    assert text.text == "abcdef"
    assert text.replace(re.compile("c"), lambda match: "<<c>>") == 1
    assert text.raw(0, 2) == (2, 4)
    assert text.raw(2, 7) == (6, 7)
    assert text.raw(8, 10) == (10, 12)
    assert text.raw(0, 10) == (2, 12)
    # Inside of what was put in: all that it was put in for.
    assert text.raw(3, 4) == (6, 7)


def test_only_one_character_stands_for_one() -> None:
    text = TrackedText("a−b")
    text.translate({ord("−"): "-"})
    assert (text.text, text.raw(1, 2)) == ("a-b", (1, 2))
    with pytest.raises(ValueError, match="exactly one"):
        text.translate({ord("a"): "aa"})


@given(st.text(alphabet="ab-", max_size=30))
def test_what_was_not_edited_is_found_again(raw: str) -> None:
    text = TrackedText(raw)
    text.replace(re.compile("-+"), "")
    text.replace(re.compile("b"), "xyz")
    for index, character in enumerate(text.text):
        start, end = text.raw(index, index + 1)
        assert raw[start:end].strip("-") == ("a" if character == "a" else "b")


def test_cells_of_a_sound_table() -> None:
    text = f'<table><tr><td coords="{LOCS}">a b</td><td></td><th colspan="2"> c </th></tr></table>'
    assert cells(text) == [("a b", "a b"), ("", ""), ("c", "c")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```html\n<table><tr><td>a</td></tr></table>\n```", [("a", "a")]),
        ("\ufeff<table><tr><td>a\x00b</td></tr></table>", [("a\ufffdb", "a\x00b")]),
        ("<table><tr><td>a</td><td>b", [("a", "a"), ("b", "b")]),
        ("<table><tr><td>a</td><td", [("a", "a")]),
        ("<table><tr><td>x <y</td><td>p&lt;q</td></tr></table>", [("x <y", "x <y"), ("p<q", "p&lt;q")]),
        (f"<table><tr><td coords={LOCS}>a</td></tr></table>", [("a", "a")]),
        ("<table><tr><td colspan=1>a</td><td rowspan='1'>b</td></tr></table>", [("a", "a"), ("b", "b")]),
        ("<tr><td>a</td></tr>", [("a", "a")]),
        ("<table><td>a<td>b<tr><td>c</table>", [("a", "a"), ("b", "b"), ("c", "c"), ("", None)]),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
         [("a", "a"), ("b", "b"), ("c", "c"), ("", None)]),
        ("<table><tr><td>a <b>x</b></td></tr></table>", [("a x", "a <b>x</b>")]),
        ("<table><tr><td>a<table><tr><td>b</td></tr></table>c</td><td>d</td></tr></table>",
         [("a b c", "a<table><tr><td>b</td></tr></table>c"), ("d", "d")]),
        ("<table><tr><td>a</td></tr></table><table><tr><td>b</td></tr></table>", [("a", "a")]),
        ("<table><!-- <td>no</td> --><tr><td docai-number=7>a</td></tr></table>", [("a", "a")]),
    ],
)  # fmt: skip
def test_cells_through_repairs(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert cells(text) == expected


def test_cells_through_overlap_and_spans() -> None:
    text = (
        '<table><tr><td rowspan="2">a</td><td>b</td><td rowspan="9">c</td></tr>'
        '<tr><td colspan="2">d</td></tr></table>'
    )
    assert all(span == cell for cell, span in cells(text) if span is not None)
    assert [cell for cell, _ in cells(text)][:4] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"{LOCS} Hello ; {LOCS} a;b c\n{LOCS} last",
            [("Hello", "Hello"), ("a;b c", "a;b c"), ("last",) * 2],
        ),
        (f"```\n{LOCS} a\r\n{LOCS} b\n```", [("a", "a"), ("b", "b")]),
        (f"{LOCS} a{LOCS} b ; ", [("a", "a"), ("b", "b")]),
        (f"{LOCS} a ; {LOCS} ; {LOCS} c", [("a", "a"), ("c", "c")]),
        ("<loc0001> a ; <loc9999><loc0001><loc0001><loc0001> b", [("a", "a"), ("b", "b")]),
        (f"loose words ; {LOCS} a <loc00", [("loose", "loose"), ("words", "words"), ("a", "a")]),
        ("plain text\nof two", [(word, word) for word in ("plain", "text", "of", "two")]),
        (f"\ufeff{LOCS} e\u0301\x01", [("é\ufffd", "e\u0301\x01")]),
    ],
)
def test_words_through_repairs(text: str, expected: list[tuple[str, str]]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OC(=O)c1ccccc1",
         [("O", "=O"), ("C", "C"), ("O", "O"), ("C", "c1"), *[("C", "c")] * 4, ("C", "c1")]),
        ("```\nsmiles: C−Br\n```", [("C", "C"), ("Br", "−Br")]),
        ("`CCl` and more", [("C", "C"), ("Cl", "Cl")]),
        ("C[R1]", [("*", "[R1]"), ("C", "C")]),
        ("O[Boc]", [("C", "[Boc]"), ("C", "[Boc]"), ("C", "[Boc]"), ("C", "[Boc]"), ("O", "[Boc]"),
                    ("C", "[Boc]"), ("O", "[Boc]"), ("O", "O")]),
        ("[H]OC([2H])[H]", [("H", "[2H]"), ("C", "C"), ("O", "O")]),
        ("C[X]", [("*", "[X]"), ("C", "C")]),
        ("not a molecule(", []),
    ],
)  # fmt: skip
def test_atoms_in_canonical_order(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert sorted(map(str, atoms(text))) == sorted(map(str, expected))
    smiles = parse_molecule(text).content.smiles or ""
    spelled = [smiles[slice(*span)] for span in atom_spans(smiles)]
    assert [symbol for symbol, _ in atoms(text)] == [
        re.sub(r"[^A-Za-z*]", "", part).removesuffix("H").capitalize() or "H" if part != "[2H]" else "H"
        for part in spelled
    ]


def test_atoms_have_the_numbers_of_the_mol_block() -> None:
    content = parse_molecule("OC(Cl)F").content
    assert content.molblock is not None
    lines = content.molblock.split("\n")[4:]
    assert [lines[atom.number - 1].split()[3] for atom in content.atoms] == [
        atom.symbol for atom in content.atoms
    ]
    assert [atom.symbol for atom in content.atoms] == ["O", "C", "F", "Cl"]


KERN = "**kern\t**kern\n*M2/4\t*M2/4\n=1\t=1\n4c\t4e\n4d\t4f\n=2\t=2\n*clefF4\t*\n2c\t2e\n==\t==\n*-\t*-\n"


@pytest.mark.parametrize(
    "change",
    [
        str,
        lambda text: f"```\n{text}```",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "  \n  "),
        lambda text: f"\n\n{text}",
        lambda text: text.replace("=2", "\n=2", 1),
        lambda text: text.replace("\t", " "),
        lambda text: text.removesuffix("*-\t*-\n"),
    ],
)
def test_measures_through_repairs(change) -> None:  # type: ignore[no-untyped-def]
    text = change(KERN)
    found = [[line.split() for line in part.split("\n") if line.strip()] for part in measures(text)]
    assert found == [[["4c", "4e"], ["4d", "4f"]], [["2c", "2e"]]]
    content = parse_score(text).content
    lines = content.kern.split("\n")
    assert ["\n".join(lines[one.first_line - 1 : one.last_line]) for one in content.measures] == [
        "4c\t4e\n4d\t4f",
        "2c\t2e",
    ]
    assert measure_texts(text) == ["4c\t4e\n4d\t4f", "2c\t2e"]


@pytest.mark.parametrize("head", HEADS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_spans_of_damaged_answers_lie_in_the_text(head: str, data: st.DataObject) -> None:
    text = data.draw(damaged(head))
    parsed = HEADS[head].parser(text)
    assert all(span is None or 0 <= span[0] <= span[1] <= len(text) for span in parsed.spans)
    if head == "table":
        # What a cell shows stands where its span says, but for entities and tags.
        for cell, span in zip(parsed.content.cells, parsed.spans, strict=True):  # type: ignore[union-attr]
            assert span is not None or not cell.text
            if span is not None and cell.text.isalnum():
                assert cell.text in re.sub("<[^<>]*>", "", text[slice(*span)])

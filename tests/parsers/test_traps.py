"""Traps of the four formats: each is a named test, here or where :data:`TRAPS` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docai.models.heads import HEADS, Decoding
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.score_formats import to_midi

TESTS = Path(__file__).resolve().parents[1]
TRAPS = {
    "parsers/test_table.py": {
        "HTML: cells without a row": "test_cells_without_a_row_and_a_table_without_its_tag",
        "HTML: stray text, which some readers move": "test_stray_text_is_not_moved_before_the_table",
        "HTML: a tag that is cut off": "test_a_cut_off_table_keeps_its_rows_and_says_so",
        "HTML: colspan 1 to 1000": "test_a_colspan_is_clamped_to_1_and_1000",
        "HTML: rowspan 0 to 65534": "test_a_rowspan_is_clamped_to_0_and_65534",
        "HTML: rowspan 0 is the rest of the row group": "test_rowspan_0_reaches_to_the_end_of_its_row_group",
        "HTML: cells that overlap": "test_overlapping_cells_are_parted",
        "HTML: short rows": "test_ragged_rows_are_filled",
        "HTML: a span of 1e9": "test_a_span_of_1e9_takes_no_memory",
        "HTML: a rowspan that leaves the head": "test_a_rowspan_does_not_leak_out_of_the_head",
        "HTML: nested tables": "test_a_nested_table_is_text_of_its_cell",
        "HTML: newlines in cells": "test_newlines_inside_cells_are_spaces",
        "HTML: entities": "test_entities_come_out_and_survive_the_canonical_html",
        "HTML: a raw less-than sign": "test_raw_less_than_and_entities_are_text",
        "HTML: Markdown fences": "test_markdown_fences_come_off",
        "HTML: two tables": "test_a_second_table_is_an_error",
        "HTML: runs of equal rows": "test_a_duplicate_row_run_is_told_from_eight_on_and_keeps_its_rows",
        "HTML: a loop that is cut off": "test_a_truncated_loop_is_both",
    },
    "pipelines/recognition/test_answer.py": {
        "Model: the token limit": "test_a_loop_is_an_error_and_keeps_what_was_read",
        "text: bins of the padded square": "test_boxes_come_out_on_the_page_tile_by_tile",
        "text: words of two tiles": "test_words_in_two_overlapping_tiles_are_read_once",
    },
    "models/test_loops.py": {
        "Model: repetition": "test_a_loop_is_found_as_soon_as_it_is_one",
    },
    "parsers/test_traps.py": {
        "Model: a repetition penalty invents rows": "test_no_head_has_a_repetition_penalty",
        "Tables: truths that break the grid": "test_truths_that_break_the_grid_are_told",
        "SMILES: a CXSMILES tail": "test_a_cxsmiles_tail_is_told",
        "SMILES: the order of fragments": "test_the_order_of_fragments_is_canonical",
        "SMILES: tautomers that InChI merges": "test_tautomers_stay_apart_in_smiles",
        "kern: both kinds of grace note": "test_both_kinds_of_grace_note_take_no_time",
        "kern: rests beside harmony": "test_rests_beside_a_harmony_spine",
        "kern: section labels": "test_section_labels_cost_no_measure",
        "kern: measures around a split": "test_a_barline_inside_a_split_ends_one_measure",
        "kern: slurs and ties": "test_slurs_and_ties_reach_musicxml",
        "kern: huge meters": "test_a_huge_meter_never_reaches_music21",
        "HTML: tags that do not pair": "test_tags_that_do_not_pair_are_told",
        "text: digits of a location": "test_a_location_has_four_digits",
    },
    "parsers/test_table_otsl.py": {
        "OTSL: a strict grid": "test_contradictory_spans_lose_nothing",
        "OTSL: rows of different length": "test_rows_of_different_length_are_filled",
    },
    "parsers/test_molecule.py": {
        "SMILES: each kind of failure": "test_each_kind_of_failure_has_its_code",
        "SMILES: a space at the end": "test_a_trailing_space_is_nothing",
        "SMILES: a Unicode minus": "test_a_unicode_minus_is_a_minus",
        "SMILES: element labels": "test_a_label_that_is_an_element_is_never_taken_for_one_in_silence",
        "SMILES: groups that are elements": "test_a_group_that_is_an_element_is_a_group_where_it_is_bonded",
        "SMILES: dative bonds": "test_dative_bonds_are_no_reaction",
        "SMILES: salts, isotopes, explicit hydrogen": "test_fragments_isotopes_charges_and_stereo_pass",
        "SMILES: E and Z": "test_stereo_is_never_dropped_unsaid",
        "SMILES: wedges of the mol block": "test_configurations_are_wedges_of_the_mol_block",
        "SMILES: a label with two bonds": "test_a_label_with_two_bonds_is_not_written_out",
        "SMILES: raw, expanded and labelled": "test_raw_labelled_and_expanded_smiles_are_all_kept",
    },
    "pipelines/readback/test_readback.py": {
        "SMILES: valid is not correct": "test_a_blank_or_tiny_crop_gives_no_similarity_and_says_why",
    },
    "parsers/test_score.py": {
        "kern: the spine structure": "test_each_break_of_the_structure_has_its_code",
        "kern: a join of four across two spines": "test_four_joins_across_two_spines_are_kept_apart",
        "kern: a split in three loses notes in music21": "test_notes_that_music21_loses_are_an_issue",
        "kern: no terminator": "test_a_missing_terminator_still_gives_musicxml",
        "kern: barlines that differ": "test_barlines_that_differ_are_told",
        "kern: fields that are no notes": "test_a_field_that_is_no_note_is_told",
        "kern: durations and the meter": "test_durations_that_do_not_fill_the_meter",
        "kern: a breve": "test_a_breve_fills_four_two",
        "kern: null fields": "test_notes_of_one_line_that_start_apart_are_told",
        "kern: other spines": "test_comments_and_spines_that_are_not_kern",
        "kern: a cut-off last line": "test_a_cut_off_last_line_keeps_what_came_before",
    },
    "parsers/test_score_events.py": {
        "kern: grace notes": "test_grace_notes_take_no_time",
    },
    "parsers/test_text.py": {
        "text: order and bins": "test_locations_are_in_the_order_y_x_y_x_of_1024_bins",
        "text: words that hold the format's signs": "test_a_word_may_hold_what_the_format_uses",
        "text: missing and extra locations": "test_location_tokens_that_make_no_box",
        "text: reversed boxes": "test_a_reversed_box_is_put_right",
        "text: boxes without area": "test_a_box_without_area_is_widened",
        "text: words and lines": "test_words_stay_words_and_lines_lines",
        "text: case, commas, quotes, ###": "test_commas_case_curly_quotes_and_unread_marks_stay_as_they_are",
        "text: byte order mark": "test_fences_line_ends_and_byte_order_mark",
        "text: Unicode NFC": "test_texts_are_nfc_and_quotes_stay_curly",
    },
    "pipelines/evaluation/metrics/test_spotting.py": {
        "text: upright boxes on curved words": "test_the_ceiling_stands_beside_the_score",
    },
}


@pytest.mark.parametrize(("file", "trap"), [(file, trap) for file, traps in TRAPS.items() for trap in traps])
def test_each_trap_is_a_named_test(file: str, trap: str) -> None:
    name = TRAPS[file][trap]
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text("utf-8"), re.MULTILINE)


def kern(*lines: str) -> str:
    return "".join(line.replace(" ", "\t") + "\n" for line in lines)


def test_no_head_has_a_repetition_penalty() -> None:
    assert not [name for name in Decoding.__dataclass_fields__ if "penalty" in name]
    assert all(type(head.decoding) is Decoding for head in HEADS.values())


def test_truths_that_break_the_grid_are_told() -> None:
    overlap = parse_table(
        '<table><tr><td rowspan="2">a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>'
    )
    assert {issue.severity for issue in overlap.issues} & {"warning", "error"}
    ragged = parse_table("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>")
    assert [issue.code for issue in ragged.issues] == ["table-ragged-row"]


@pytest.mark.parametrize("text", ["CC |$R1;;$|", "*CC |$R1;;$|", "c1ccccc1 |c:0|"])
def test_a_cxsmiles_tail_is_told(text: str) -> None:
    parsed = parse_molecule(text)
    assert parsed.content.is_valid
    assert "molecule-extra-text" in {issue.code for issue in parsed.issues}


def test_the_order_of_fragments_is_canonical() -> None:
    assert (
        parse_molecule("[Na+].OCC.[Cl-]").content.smiles == parse_molecule("[Cl-].CCO.[Na+]").content.smiles
    )


def test_tautomers_stay_apart_in_smiles() -> None:
    enol, keto = parse_molecule("Oc1ccncc1").content, parse_molecule("O=c1cc[nH]cc1").content
    assert enol.inchikey == keto.inchikey
    assert enol.smiles != keto.smiles


def test_both_kinds_of_grace_note_take_no_time() -> None:
    parsed = parse_score(kern("**kern", "*M4/4", "=1", "8qd", "1c", "=2", "8Qd", "1e", "==", "*-"))
    assert "score-measure-duration" not in {issue.code for issue in parsed.issues}
    assert (parsed.content.musicxml or "").count("<pitch>") == 4


def test_rests_beside_a_harmony_spine() -> None:
    parsed = parse_score(
        kern("**kern **harm", "*M4/4 *", "=1 =1", "1c I", "=2 =2", "1r V", "=3 =3", "1d I", "== ==", "*- *-")
    )
    assert parsed.content.is_valid
    assert parsed.content.n_measures == 3
    # music21 cannot read it all: what it made, or that it made nothing, is said.
    assert parsed.issues or (parsed.content.musicxml or "").count("<pitch>") == 2


def test_section_labels_cost_no_measure() -> None:
    lines = ["**kern", "*M4/4", "*>[A,A,B]", "*>A", "=1", "1c", "=2", "1d", "*>B", "=3", "1e", "==", "*-"]
    parsed = parse_score(kern(*lines))
    assert parsed.issues == ()
    assert parsed.content.n_measures == 3
    assert len(re.findall("<measure ", parsed.content.musicxml or "")) == 3


def test_a_barline_inside_a_split_ends_one_measure() -> None:
    parsed = parse_score(
        kern("**kern", "*M4/4", "=1", "*^", "2c 2e", "2d 2f", "=2 =2", "*v *v", "1c", "==", "*-")
    )
    assert parsed.issues == ()
    assert [(measure.first_line, measure.last_line) for measure in parsed.content.measures] == [
        (5, 6),
        (9, 9),
    ]


def test_slurs_and_ties_reach_musicxml() -> None:
    xml = parse_score(
        kern("**kern", "*M4/4", "=1", "(2c", "2d)", "=2", "[1e", "=3", "1e]", "==", "*-")
    ).content.musicxml
    assert xml is not None
    assert (xml.count("<slur"), xml.count("<tie ")) == (2, 2)


@pytest.mark.parametrize("wrong", ["<loc41>", "<loc041>", "<loc00041>", "<loc>"])
def test_a_location_has_four_digits(wrong: str) -> None:
    locs = f"<loc0010>{wrong}<loc0300><loc0400>"
    parsed = parse_text(f"{locs} a")
    assert parsed.issues
    assert all(word.bbox is None for line in parsed.content.lines for word in line.words)
    cell = parse_table(f'<table><tr><td coords="{locs}">a</td></tr></table>')
    assert [issue.code for issue in cell.issues] == ["table-bad-box"]
    assert cell.content.cells[0].bbox is None


@pytest.mark.parametrize(
    ("meter", "is_lost"),
    [
        ("*M998/4", True),
        ("*M2+200/4", True),
        ("*M999/1", True),
        ("*M97/4", True),
        ("*M1/129", True),
        ("*M1/0000", True),
        ("*M0/4", True),
        ("*M1998/1", False),
        ("*M1/8;*MM60<t>=1-", False),
        ("*Mx", False),
        ("*MX", False),
    ],
)
def test_a_huge_meter_never_reaches_music21(meter: str, is_lost: bool) -> None:
    parsed = parse_score(kern("**kern", meter, "=1", "4c", "==", "*-"))
    assert ("score-meter-lost" in {issue.code for issue in parsed.issues}) == is_lost
    assert "<pitch>" in (parsed.content.musicxml or "")
    assert "<time>" not in (parsed.content.musicxml or "")


def test_a_huge_meter_stops_no_midi() -> None:
    made = to_midi(kern("**kern", "*M998/4", "=1", "4c", "==", "*-"))
    assert [issue.code for issue in made.issues] == ["score-meter-lost"]
    assert made.n_written == 1


@pytest.mark.parametrize(
    ("meter", "beats", "beat_type"),
    [("*M4/2", "4", "2"), ("*M2/0", "4", "1"), ("*M1/00", "4", "1"), ("*M2+3/8", "5", "8")],
)
def test_meters_of_breves_and_of_sums(meter: str, beats: str, beat_type: str) -> None:
    length = {"*M4/2": "0c", "*M2/0": "00c", "*M1/00": "00c", "*M2+3/8": "8%5c"}[meter]
    parsed = parse_score(kern("**kern", meter, *["=", length] * 3, "==", "*-"))
    assert [issue.code for issue in parsed.issues] == ["score-meter-lost"] * ("+" in meter)
    xml = parsed.content.musicxml or ""
    assert f"<beats>{beats}</beats>" in xml
    assert f"<beat-type>{beat_type}</beat-type>" in xml
    assert not to_midi(parsed.content.kern).issues


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<table><tr><td><i>a</td></tr></table>", "table-tag-mismatch"),
        ("<table><tr><td>a</i></td></tr></table>", "table-tag-mismatch"),
        ("<table><tr><td>a</td></td></tr></table>", "table-tag-mismatch"),
        ("<table><table><tr><td>a</td></tr></table></table>", "table-tag-mismatch"),
        ("<table><table><tr><td>a</td></tr></table>", "table-tag-mismatch"),
        ("<table><thead><thead><tr><td>a</td></tr></thead></thead></table>", "table-tag-mismatch"),
        ("<table><thead><thead><tr><td>a</td></tr></thead></table>", "table-tag-mismatch"),
        ('<table><tr><td colspan="1" colspan="1">a</td></tr></table>', "table-repeated-attribute"),
    ],
)
def test_tags_that_do_not_pair_are_told(html: str, code: str) -> None:
    parsed = parse_table(html)
    assert [issue.code for issue in parsed.issues] == [code]
    assert [cell.text for cell in parsed.content.cells] == ["a"]


@pytest.mark.parametrize(
    "html",
    [
        "<table><tbody><tr><td>a</td></tr><tbody><tr><td>b</td></tr></table>",
        "<table><thead><tr><th>a</th></tr><tbody><tr><td>b</td></tr></table>",
        "<table><tr><td>a</td></tr><tfoot><tr><td>b</td></tr></tfoot></table>",
    ],
)
def test_tags_that_html_lets_be_left_out_are_no_finding(html: str) -> None:
    assert parse_table(html).issues == ()


@pytest.mark.parametrize(
    "text",
    ["<table><tr><td>a<lo<loc0001>c0002></td></tr></table>", "<otsl><fcel>a<lo<b>c0001></b><nl></otsl>"],
)
def test_location_tokens_that_arise_from_others_are_no_words(text: str) -> None:
    parsed = parse_table(text)
    assert "table-stray-loc" in {issue.code for issue in parsed.issues}
    assert "<loc" not in parsed.content.cells[0].text

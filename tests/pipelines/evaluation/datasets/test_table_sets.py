"""PubTabNet and its kin, PubTables-1M, OTSL: small files with the traps of the real ones in them."""

import json

import pytest

from docai.errors import DatasetError
from docai.parsers.table import parse_table
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import open_dataset

PICTURE = b"not looked at here"


def line(name: str = "a.png", **changes: object) -> dict[str, object]:
    """A PubTabNet line of a header over two columns and a row with a raw '<'."""
    structure = ["<thead>", "<tr>", "<td", ' colspan="2"', ">", "</td>", "</tr>", "</thead>"]
    structure += ["<tbody>", "<tr>", "<td>", "</td>", "<td>", "</td>", "</tr>", "</tbody>"]
    cells = [
        {"tokens": ["<b>", "H", "</b>"], "bbox": [1, 2, 30, 9]},
        {"tokens": ["p", "<", "1"], "bbox": [1, 12, 9, 19]},
        {"tokens": []},
    ]
    value = {"filename": name, "split": "val", "imgid": 0}
    return {**value, "html": {"cells": cells, "structure": {"tokens": structure}}, **changes}


def write_lines(path, *lines) -> None:
    path.write_text("".join(each if isinstance(each, str) else json.dumps(each) + "\n" for each in lines))


def read(spec: str) -> tuple[list[Sample], list[Skipped]]:
    cases = list(open_dataset(spec))
    return (
        [case for case in cases if isinstance(case, Sample)],
        [case for case in cases if isinstance(case, Skipped)],
    )


def reasons(skipped: list[Skipped]) -> dict[str, str]:
    return {case.id: case.reason for case in skipped}


def test_pubtabnet_rebuilds_html_and_places_cells(tmp_path) -> None:
    write_lines(tmp_path / "PubTabNet_2.0.0.jsonl", line())
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "a.png").write_bytes(PICTURE)
    (sample,), skipped = read(f"pubtabnet:{tmp_path}")
    assert not skipped
    assert sample.unit == "crop"
    assert sample.source == tmp_path / "val" / "a.png"
    (item,) = sample.truth
    assert item.text == (
        '<html><body><table><thead><tr><td colspan="2"><b>H</b></td></tr></thead>'
        "<tbody><tr><td>p&lt;1</td><td></td></tr></tbody></table></body></html>"
    )
    assert [(c.row, c.col, c.col_span, c.text, c.is_header) for c in item.cells] == [
        (0, 0, 2, "H", True),
        (1, 0, 1, "p<1", False),
        (1, 1, 1, "", False),
    ]
    assert item.cells[0].bbox == (1, 2, 30, 9)
    assert item.cells[2].bbox is None


def test_pubtabnet_spans_take_the_first_free_column(tmp_path) -> None:
    tokens = ["<tbody>", "<tr>", "<td", ' rowspan="2"', ">", "</td>", "<td>", "</td>", "</tr>"]
    tokens += ["<tr>", "<td>", "</td>", "</tr>", "</tbody>"]
    cells = [{"tokens": ["a"]}, {"tokens": ["b"]}, {"tokens": ["c"]}]
    write_lines(tmp_path / "x.jsonl", line(html={"cells": cells, "structure": {"tokens": tokens}}))
    (sample,), _ = read(f"pubtabnet:{tmp_path}")
    assert [(c.row, c.col, c.text) for c in sample.truth[0].cells] == [(0, 0, "a"), (0, 1, "b"), (1, 1, "c")]
    assert sample.source is None, "truth alone, as there is no picture at all"


def test_the_readmes_key_is_a_named_error(tmp_path) -> None:
    bad = line()
    bad["html"] = {"cell": [], "structure": {"tokens": []}}
    write_lines(tmp_path / "x.jsonl", bad, line())
    with pytest.raises(DatasetError, match=r"'cell'.*'cells'"):
        read(f"pubtabnet:{tmp_path}")


def test_pubtabnet_skips_what_is_broken_and_goes_on(tmp_path) -> None:
    short = line("short.png")
    short["html"]["cells"] = short["html"]["cells"][:2]  # type: ignore[index]
    stray = line("stray.png")
    stray["html"]["structure"]["tokens"] += ["words"]  # type: ignore[index]
    write_lines(
        tmp_path / "x.jsonl",
        line("a.png"),
        "{broken\n",
        "\n",
        "[1]\n",
        line("lost.png"),
        short,
        stray,
        line("a.png"),
        line("text.png", html={"cells": [{"tokens": "text"}], "structure": {"tokens": []}}),
        {"html": line()["html"]},
        line("../../a.png"),
        line("b.pdf"),
        line("b.png"),
    )
    for name in ("a", "b", "short", "stray", "text"):
        (tmp_path / f"{name}.png").write_bytes(PICTURE)
    samples, skipped = read(f"pubtabnet:{tmp_path}")
    assert [sample.id for sample in samples] == ["a.png", "b.png"]
    assert reasons(skipped) == {
        "line 2": "The line is not JSON.",
        "line 4": "The line is not a JSON object.",
        "lost.png": "The file that its truth is of is missing.",
        "short.png": "The structure has another number of cells than the list of cells.",
        "stray.png": "The structure holds something else than rows of cells.",
        "a.png": "Its id stands for an earlier case already.",
        "text.png": "A cell's tokens are not a list of texts.",
        "line 10": "The line has no filename.",
        "../../a.png": "The file that its truth is of is missing.",
        "b.pdf": "It is of a PDF, as in FinTabNet's layout.",
    }


def test_the_folder_of_a_split_reads_that_split(tmp_path) -> None:
    write_lines(tmp_path / "x.jsonl", line("a.png"), line("b.png", split="train"))
    for split, name in (("val", "a.png"), ("train", "b.png")):
        (tmp_path / split).mkdir()
        (tmp_path / split / name).write_bytes(PICTURE)
    samples, skipped = read(f"pubtabnet:{tmp_path / 'val'}")
    assert [sample.id for sample in samples] == ["a.png"]
    assert not skipped


def test_synthtabnet_leaves_out_boxes_of_empty_cells(tmp_path) -> None:
    entry = line("a.png", split="test")
    entry["html"]["cells"][0]["bbox"] = [1, 2, 30, 9, 2]  # type: ignore[index]
    entry["html"]["cells"][2]["bbox"] = [40, 12, 60, 19, 1]  # type: ignore[index]
    write_lines(tmp_path / "synthetic_data.jsonl", entry)
    (tmp_path / "images" / "test").mkdir(parents=True)
    (tmp_path / "images" / "test" / "a.png").write_bytes(PICTURE)
    (sample,), _ = read(f"synthtabnet:{tmp_path}")
    assert sample.source == tmp_path / "images" / "test" / "a.png"
    assert [cell.bbox for cell in sample.truth[0].cells] == [(1, 2, 30, 9), (1, 12, 9, 19), None]


def test_fintabnet_turns_boxes_to_the_top_left(tmp_path, make_pdf) -> None:
    (tmp_path / "pdf" / "A").mkdir(parents=True)
    (tmp_path / "pdf" / "A" / "page_1.pdf").write_bytes(make_pdf(width=300, height=200))
    write_lines(
        tmp_path / "FinTabNet_1.0.0_cell_val.jsonl",
        line("A/page_1.pdf", table_id=7, bbox=[10, 150, 90, 190]),
        line("A/page_1.pdf", table_id=8, bbox=[10, 20, 90, 40]),
        line("A/page_1.pdf", table_id=8, bbox=[10, 20, 90, 40]),
        line("A/page_1.pdf", table_id=9),
        line("A/none.pdf", table_id=10, bbox=[10, 20, 90, 40]),
    )
    samples, skipped = read(f"fintabnet:{tmp_path}")
    assert [sample.id for sample in samples] == ["A/page_1.pdf#7", "A/page_1.pdf#8"]
    assert samples[0].bbox == samples[0].truth[0].bbox == (10, 10, 90, 50)
    assert samples[0].page == 1
    assert samples[0].truth[0].cells[0].bbox == (1, 191, 30, 198)
    assert reasons(skipped)["A/page_1.pdf#9"] == "The table has no box."
    assert reasons(skipped)["A/none.pdf#10"] == "The file that its truth is of is missing."
    assert "A/page_1.pdf#8" in reasons(skipped)


def test_fintabnet_counts_from_the_media_box_and_turns_with_the_page(tmp_path, make_pdf) -> None:
    import pymupdf

    with pymupdf.open("pdf", make_pdf(width=300, height=200)) as document:
        document.xref_set_key(document[0].xref, "MediaBox", "[100 50 400 250]")
        document.xref_set_key(document[0].xref, "CropBox", "[120 60 390 240]")
        (tmp_path / "crop.pdf").write_bytes(document.tobytes())
        document[0].set_rotation(90)
        (tmp_path / "turned.pdf").write_bytes(document.tobytes())
    box = [20, 150, 90, 190]
    write_lines(
        tmp_path / "x.jsonl", line("crop.pdf", table_id=1, bbox=box), line("turned.pdf", table_id=1, bbox=box)
    )
    (crop, turned), _ = read(f"fintabnet:{tmp_path}")
    assert crop.bbox == (0, 0, 70, 40)
    assert turned.bbox == (140, 0, 180, 70), "the page is 180 points wide as displayed"


def test_layouts_that_look_alike_are_told_apart(tmp_path) -> None:
    write_lines(tmp_path / "x.jsonl", line("a.pdf", table_id=1, bbox=[0, 0, 1, 1]))
    with pytest.raises(DatasetError, match="read this file as fintabnet"):
        read(f"pubtabnet:{tmp_path}")
    write_lines(tmp_path / "x.jsonl", line("a.png"))
    with pytest.raises(DatasetError, match="pubtabnet or synthtabnet"):
        read(f"fintabnet:{tmp_path}")
    write_lines(tmp_path / "x.jsonl", {"image_id": 1, "caption": "x"})
    with pytest.raises(DatasetError, match="image_id, caption"):
        read(f"pubtabnet:{tmp_path}")


def test_truth_alone_comes_as_it_stands(tmp_path) -> None:
    html = "<html><body><table><tr><td><0.001</td></tr></table></body></html>"
    content = {"a.png": {"html": html, "type": "simple"}, "b.png": {"type": "simple"}}
    content["c.png"] = {"html": "<table><tr><td>x</td></tr></table>"}
    (tmp_path / "sample_gt.json").write_text(json.dumps(content))
    (tmp_path / "sample_pred.json").write_text("{}")
    samples, skipped = read(f"teds-pairs:{tmp_path}")
    assert [(sample.id, sample.truth[0].text) for sample in samples] == [
        ("a.png", html),
        ("c.png", "<html><body><table><tr><td>x</td></tr></table></body></html>"),
    ]
    assert reasons(skipped) == {"b.png": "The entry has no html with a table."}
    (tmp_path / "final_eval.json").write_text(json.dumps(content))
    assert len(read(f"icdar2021-b:{tmp_path}")[0]) == 2
    (tmp_path / "final_eval.json").write_text("[1]")
    with pytest.raises(DatasetError, match="no JSON object"):
        read(f"icdar2021-b:{tmp_path}")
    (tmp_path / "final_eval.json").write_text("{cut off")
    with pytest.raises(DatasetError, match="cannot be read as JSON"):
        read(f"icdar2021-b:{tmp_path}")


def pdf_table(**changes: object) -> dict[str, object]:
    def cell(rows: list[int], cols: list[int], text: str, *, header: bool = False) -> dict[str, object]:
        box = [10 + 50 * cols[0], 20 * rows[0], 60 + 50 * cols[-1], 20 + 20 * rows[-1]]
        return {
            "row_nums": rows,
            "column_nums": cols,
            "json_text_content": text,
            "pdf_bbox": box,
            "is_column_header": header,
        }

    cells = [cell([0], [0, 1], "H", header=True), cell([1], [0], "a"), cell([1], [1], "b")]
    value = {"structure_id": "D_0", "cells": cells, "pdf_file_name": "d.pdf", "pdf_folder": "A/"}
    value |= {"pdf_table_bbox": [10, 0, 110, 40], "pdf_full_page_bbox": [0, 0, 300, 200], "pdf_page_index": 2}
    return {**value, "exclude_for_structure": False, **changes}


def test_fintabnet_c_reads_cells_and_rejects_as_its_script_does(tmp_path) -> None:
    (tmp_path / "pdf" / "A").mkdir(parents=True)
    (tmp_path / "pdf" / "A" / "d.pdf").write_bytes(b"%PDF")
    good = pdf_table()
    cells = good["cells"]
    assert isinstance(cells, list)
    tables = [
        good,
        pdf_table(structure_id="excluded", exclude_for_structure=True),
        pdf_table(structure_id="twice", cells=[*cells, cells[-1]]),
        pdf_table(structure_id="hole", cells=cells[:2]),
        pdf_table(structure_id="head", cells=[{**cells[0], "row_nums": [0]}]),
        pdf_table(structure_id="flat", pdf_table_bbox=[10, 0, 10, 40]),
        pdf_table(structure_id="off", pdf_table_bbox=[10, 0, 400, 40]),
        pdf_table(structure_id="gap", cells=[{**cells[0], "column_nums": [0, 2]}]),
        pdf_table(structure_id="lost", pdf_file_name="none.pdf"),
        7,
    ]
    (tmp_path / "D_tables.json").write_text(json.dumps(tables))
    (tmp_path / "E_tables.json").write_text("{")
    (sample,), skipped = read(f"fintabnet-c:{tmp_path}")
    assert (sample.id, sample.page, sample.bbox) == ("D_0", 3, (10, 0, 110, 40))
    assert sample.truth[0].text == (
        '<html><body><table><thead><tr><td colspan="2">H</td></tr></thead>'
        "<tbody><tr><td>a</td><td>b</td></tr></tbody></table></body></html>"
    )
    assert sample.truth[0].cells[2].bbox == (60, 20, 110, 40)
    assert reasons(skipped) == {
        "excluded": "The set excludes it for structure.",
        "twice": "Two cells cover the same place of the grid.",
        "hole": "Some places of the grid have no cell.",
        "head": "No table body.",
        "flat": "Bad table bbox.",
        "off": "Bad table bbox.",
        "gap": "A cell's rows or columns are not consecutive.",
        "lost": "The file that its truth is of is missing.",
        "D#9": "A table is not an object.",
        "E_tables.json": "The file is not JSON.",
    }


def voc(*objects: tuple[str, tuple[float, float, float, float]]) -> str:
    parts = []
    for name, (x0, y0, x1, y1) in objects:
        box = f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        parts.append(f"<object><name>{name}</name><bndbox>{box}</bndbox></object>")
    return f"<annotation>{''.join(parts)}</annotation>"


def word(text: str, x: float, y: float, number: int = 0) -> dict[str, object]:
    return {"bbox": [x, y, x + 8, y + 8], "text": text, "block_num": 0, "line_num": 0, "span_num": number}


ROWS = (("table row", (0, 0, 100, 10.5)), ("table row", (0, 10.5, 100, 20)), ("table row", (0, 20, 100, 30)))
COLUMNS = (("table column", (50, 0, 100, 30)), ("table column", (0, 0, 50, 30)))


def test_pubtables_makes_cells_of_rows_and_columns(tmp_path) -> None:
    for folder in ("test", "words", "images"):
        (tmp_path / folder).mkdir()
    spans = (
        ("table column header", (0, 0, 100, 10)),
        ("table spanning cell", (0, 0, 100, 10)),
        ("table projected row header", (0, 20, 100, 30)),
    )
    (tmp_path / "test" / "t.xml").write_text(voc(("table", (0, 0, 100, 30)), *ROWS, *COLUMNS, *spans))
    words = [word("b", 60, 1, 1), word("a", 20, 1, 0), word("1", 10, 11), word("2", 70, 11)]
    words += [word("sum", 10, 21)]
    (tmp_path / "words" / "t_words.json").write_text(json.dumps(words))
    (tmp_path / "images" / "t.jpg").write_bytes(PICTURE)
    (tmp_path / "test" / "found.xml").write_text(voc(("table", (0, 0, 100, 30))))
    (tmp_path / "words" / "found_words.json").write_text("[]")
    (tmp_path / "test" / "silent.xml").write_text(voc(*ROWS, *COLUMNS))
    (tmp_path / "test" / "broken.xml").write_text("<annotation>")
    (tmp_path / "words" / "broken_words.json").write_text("[]")
    (sample,), skipped = read(f"pubtables1m:{tmp_path}")
    assert sample.source == tmp_path / "images" / "t.jpg"
    assert sample.truth[0].text == (
        '<html><body><table><thead><tr><td colspan="2">a b</td></tr></thead><tbody>'
        '<tr><td>1</td><td>2</td></tr><tr><td colspan="2">sum</td></tr></tbody></table></body></html>'
    )
    assert sample.truth[0].cells[1].bbox == (0, 10.5, 50, 20)
    assert reasons(skipped) == {
        "broken": "Its XML cannot be read.",
        "found": "It has no rows and columns; it may be a truth for detection.",
        "silent": "Its words (_words.json) are missing.",
    }


def otsl_row(name: str, otsl: str, texts: str, **more: object) -> dict[str, object]:
    return {"filename": name, "otsl": otsl.split(), "cells": [[{"tokens": [t]} for t in texts]], **more}


def test_otsl_reads_spans_in_both_spellings(tmp_path) -> None:
    restored = ["<thead>", "<tr>", "<td>", "</td>", "<td>", "</td>", "</tr>", "</thead>"]
    write_lines(
        tmp_path / "x.jsonl",
        otsl_row("edges", "fcel lcel ecel nl ucel xcel fcel nl", "abc"),
        otsl_row("all over", "fcel xcel ecel nl xcel xcel fcel nl", "abc"),
        otsl_row("ragged", "fcel fcel nl fcel nl", "abc"),
        otsl_row("orphan", "fcel ucel nl fcel fcel nl", "abc"),
        otsl_row("cut", "fcel lcel nl ucel fcel nl", "ab"),
        otsl_row("html", "fcel fcel nl", "ab", html_restored=restored),
        otsl_row("other", "fcel lcel nl", "ab", html_restored=restored),
        otsl_row("count", "fcel fcel nl", "abc"),
        otsl_row("token", "fcel what nl", "a"),
        {"filename": "none"},
    )
    samples, skipped = read(f"otsl:{tmp_path}")
    both = [[(c.row, c.col, c.row_span, c.col_span) for c in s.truth[0].cells] for s in samples[:2]]
    assert both[0] == both[1] == [(0, 0, 2, 2), (0, 2, 1, 1), (1, 2, 1, 1)]
    assert samples[2].truth[0].text == (
        "<html><body><table><thead><tr><td>a</td><td>b</td></tr></thead></table></body></html>"
    )
    assert reasons(skipped) == {
        "ragged": "Its OTSL is not rectangular.",
        "orphan": "The spans of its OTSL are broken.",
        "cut": "The spans of its OTSL are broken.",
        "other": "Its OTSL and its HTML say different grids.",
        "count": "The structure has another number of cells than the list of cells.",
        "token": "Its OTSL holds an unknown token.",
        "none": "The row has no OTSL.",
    }
    (tmp_path / "y.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"mixes \.json and \.jsonl"):
        open_dataset(f"otsl:{tmp_path}")


def test_what_docai_draws_is_read_back(tmp_path) -> None:
    pytest.importorskip("reportlab", reason="drawing needs docai[synth]")
    from docai.pipelines.synthesis.write import write_pairs

    write_pairs("table", 2, 5, tmp_path)
    samples, skipped = read(f"pubtabnet:{tmp_path}")
    pairs = [json.loads(each) for each in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert not skipped
    for sample, pair in zip(samples, pairs, strict=True):
        assert sample.source == tmp_path / pair["image"]
        drawn = parse_table(pair["target"]).content
        read_back = parse_table(sample.truth[0].text).content
        assert read_back.html == drawn.html
        assert [bool(c.bbox) for c in sample.truth[0].cells] == [bool(c.text) for c in drawn.cells]

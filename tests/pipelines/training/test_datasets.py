"""Training pairs from the data sets that evaluation reads: pictures as for reading, targets with boxes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from docai.contents import Cell, TableContent, TextContent
from docai.errors import DatasetError, SettingError
from docai.geometry import BBox
from docai.models.heads import HEADS
from docai.parsers.locations import write_bins
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.pipelines.crops.crop import fit_square, make_crop
from docai.pipelines.evaluation.base import Item, SpottedWord
from docai.pipelines.ingest import open_source
from docai.pipelines.synthesis.write import write_pairs
from docai.pipelines.training.datasets import (
    NoTargetError,
    group_into_lines,
    read_dataset,
    score_target,
    table_target,
)
from docai.pipelines.training.pairs import ListedPairs, read_pairs
from docai.pipelines.training.prepare import read_source

LAYOUTS = {"table": "pubtabnet", "molecule": "molscribe", "score": "grandstaff", "text": "icdar2015"}
TOLERANCE = 2.0
"""Pixels of the file: half a bin, and the synthetic layouts' rounding to whole pixels."""


def boxes(target: str, head: str) -> list[tuple[str, BBox]]:
    """Text and box, as shares of the square, of each cell or word that has one."""
    content = HEADS[head].parser(target).content
    if isinstance(content, TableContent):
        return [(cell.text, cell.bbox) for cell in content.cells if cell.bbox]
    assert isinstance(content, TextContent)
    return [(word.text, word.bbox) for line in content.lines for word in line.words if word.bbox]


@pytest.mark.parametrize("head", HEADS)
def test_a_layout_gives_the_targets_that_the_generator_wrote(head: str, tmp_path: Path) -> None:
    write_pairs(head, 3, 5, tmp_path, difficulty=0.2)
    pairs, rejected = read_dataset(f"{LAYOUTS[head]}:{tmp_path}", HEADS[head])
    assert rejected == []
    own = {pair.path.resolve(): pair.target for pair in read_pairs(tmp_path)}
    assert len(pairs) == len(own) == 3
    transform = fit_square((0, 0, 896, 896))
    for pair in pairs:
        expected = own[pair.path.resolve()]
        assert not [issue for issue in HEADS[head].parser(pair.target).issues if issue.severity == "error"]
        if head in ("molecule", "score"):
            assert pair.target == expected
            continue
        without = re.sub(r"<loc\d{4}>", "", pair.target)
        # The generator writes an empty head where the table has none.
        plain = re.sub(r"<loc\d{4}>", "", expected).replace("<thead></thead>", "")
        if head == "table":
            assert without == plain
        actual, wanted = dict(boxes(pair.target, head)), dict(boxes(expected, head))
        assert actual.keys() == wanted.keys()
        for text, box in actual.items():
            in_file = transform.from_unit(box)
            pixels = [value * 896 for value in wanted[text]]
            assert in_file == pytest.approx(pixels, abs=TOLERANCE), text


def test_the_picture_is_the_crop_that_inference_sees(tmp_path: Path) -> None:
    Image.new("RGB", (300, 120), "red").save(tmp_path / "a.png", dpi=(300, 300))
    (tmp_path / "a.csv").write_text("file_path,SMILES\na.png,CCO\n")
    (pair,), _ = read_dataset(f"molscribe:{tmp_path}", HEADS["molecule"])
    drawn = ListedPairs([pair], 448)[0].image
    with open_source(tmp_path / "a.png") as source, source.page(1) as page:
        assert drawn.tobytes() == make_crop(page, page.bbox, size=448).image.tobytes()
    assert drawn.size == (448, 448)
    assert drawn.getpixel((224, 5)) == (255, 255, 255), "white above a wide picture"
    assert drawn.getpixel((224, 224)) == (255, 0, 0)


@pytest.mark.parametrize("dpi", [72, 200])
def test_boxes_of_a_picture_are_pixels_whatever_its_resolution(tmp_path: Path, dpi: int) -> None:
    Image.new("RGB", (400, 200), "white").save(tmp_path / "img_1.png", dpi=(dpi, dpi))
    (tmp_path / "gt_img_1.txt").write_text("100,50,200,50,200,100,100,100,word\n")
    (pair,), _ = read_dataset(f"icdar2015:{tmp_path}", HEADS["text"])
    ((text, box),) = boxes(pair.target, "text")
    assert text == "word"
    # 400 px wide in 856 px: a scale of 2.14, at most 6 px a point.
    scale = min(856 / 400, 6 * 72 / dpi)
    left, top = (896 - 400 * scale) / 2, (896 - 200 * scale) / 2
    expected = [(left + 100 * scale), (top + 50 * scale), (left + 200 * scale), (top + 100 * scale)]
    assert [value * 896 for value in box] == pytest.approx(expected, abs=1)


def test_what_cannot_be_a_pair_is_rejected_with_its_reason(tmp_path: Path) -> None:
    picture = Image.new("RGB", (50, 50), "white")
    structure = {"tokens": ["<tr>", "<td>", "</td>", "</tr>"]}
    wide = {"tokens": ["<tr>", "<td>", "</td>", "<td>", "</td>", "</tr>", "<tr>", "<td>", "</td>", "</tr>"]}
    cell = {"tokens": ["a"], "bbox": [1, 2, 9, 9]}
    tables = {
        "whole.png": (structure, [cell]),
        "ragged.png": (wide, [cell, cell, cell]),
        "lost.png": (structure, [cell]),
        "broken.png": (structure, [cell]),
    }
    lines = []
    for name, (tokens, cells) in tables.items():
        html = {"structure": tokens, "cells": cells}
        lines.append(json.dumps({"filename": name, "split": "train", "imgid": 1, "html": html}) + "\n")
        if name != "lost.png":
            picture.save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "set.jsonl").write_text("".join(lines))
    pairs, rejected = read_dataset(f"pubtabnet:{tmp_path}", HEADS["table"])
    assert [pair.path.name for pair in pairs] == ["whole.png"]
    assert [(item.name.split()[-1], item.reason) for item in rejected] == [
        ("ragged.png", "structure"),
        ("lost.png", "skipped"),
        ("broken.png", "image"),
    ]


def test_the_regions_of_a_page_are_pairs_of_their_own(tmp_path: Path) -> None:
    """Sets of whole pages: those regions that say where they are."""
    page = Image.new("RGB", (200, 100), "white")
    page.paste("red", (100, 0, 200, 100))
    page.save(tmp_path / "p.png")
    region = {"kind": "molecule", "smiles": "CCO"}
    placed = region | {"smiles": "CN", "bbox": [100, 0, 200, 100]}
    truth = {"pages": [[region, placed]]}
    (tmp_path / "p.truth.json").write_text(json.dumps(truth))
    pairs, rejected = read_dataset(f"docai-content:{tmp_path}", HEADS["molecule"])
    assert [(pair.target, pair.bbox) for pair in pairs] == [("CN", (100, 0, 200, 100))]
    assert [item.reason for item in rejected] == ["no-box"]
    assert pairs[0].draw(896).image.getpixel((448, 448)) == (255, 0, 0)


def test_a_set_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_pairs("table", 1, 1, tmp_path, difficulty=0.0)
    with pytest.raises(SettingError, match="nothing for the head 'molecule'"):
        read_dataset(f"pubtabnet:{tmp_path}", HEADS["molecule"])


def test_a_data_source_is_a_folder_or_a_known_format(tmp_path: Path) -> None:
    write_pairs("molecule", 2, 1, tmp_path, difficulty=0.0)
    own, _ = read_source(str(tmp_path), HEADS["molecule"])
    crops, _ = read_source(f"molscribe:{tmp_path}", HEADS["molecule"])
    assert [pair.target for pair in own] == [pair.target for pair in crops]
    with pytest.raises(DatasetError, match=r"one of these formats: .*molscribe"):
        read_source(f"molscrib:{tmp_path}", HEADS["molecule"])
    with pytest.raises(SettingError, match="no data folder"):
        read_source(str(tmp_path / "none"), HEADS["molecule"])


def cell(row: int, col: int, text: str = "", **more: object) -> Cell:
    return Cell.model_validate({"row": row, "col": col, "text": text, **more})


def test_a_table_has_coords_on_cells_with_text_and_a_box_alone() -> None:
    cells = [
        cell(1, 1, "c", bbox=(0, 0, 1, 1)),
        cell(0, 0, "a <b>", col_span=2, is_header=True, bbox=(0, 0, 1, 1)),
        cell(1, 0, "", bbox=(0, 0, 1, 1)),
        cell(2, 0, "d"),
        cell(2, 1, "<loc0001>e"),
    ]
    target = table_target(Item(kind="table", cells=cells), lambda box: (1, 2, 3, 4))
    coords = 'coords="<loc0001><loc0002><loc0003><loc0004>"'
    assert target == (
        f'<table><thead><tr><td {coords} colspan="2">a &lt;b&gt;</td></tr></thead>'
        f"<tbody><tr><td></td><td {coords}>c</td></tr><tr><td>d</td><td>e</td></tr></tbody></table>"
    )
    parsed = parse_table(target)
    assert isinstance(parsed.content, TableContent)
    assert [c.text for c in parsed.content.cells] == ["a <b>", "", "c", "d", "e"]


@pytest.mark.parametrize(
    ("cells", "detail"),
    [
        ([cell(0, 0, col_span=2), cell(0, 1)], "overlap"),
        ([cell(0, 0), cell(0, 0), cell(0, 1)], "overlap"),
        ([cell(0, 0), cell(1, 1)], "no cell"),
    ],
)
def test_a_table_that_is_no_whole_grid_is_no_target(cells: list[Cell], detail: str) -> None:
    with pytest.raises(NoTargetError, match=detail) as caught:
        table_target(Item(kind="table", cells=cells), lambda box: None)
    assert caught.value.reason == "structure"


def word(
    text: str, x: float, y: float, *, width: float = 30, height: float = 10, ignore: bool = False
) -> SpottedWord:
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return SpottedWord(text=text, polygon=corners, ignore=ignore)


def test_words_without_an_order_are_put_into_lines() -> None:
    words = [word("d", 40, 22), word("b", 40, 2), word("a", 0, 0), word("far", 200, 1), word("c", 0, 20)]
    lines = group_into_lines(words, in_order=False)
    assert [[word.text for word in line] for line in lines] == [["a", "b"], ["far"], ["c", "d"]]


def test_words_in_order_stay_so() -> None:
    words = [word("left", 0, 0), word("below", 0, 20), word("right", 100, 0), word("on", 140, 0)]
    lines = group_into_lines(words, in_order=True)
    assert [[word.text for word in line] for line in lines] == [["left"], ["below"], ["right", "on"]]


def test_words_that_are_not_asked_for_are_left_out(tmp_path: Path) -> None:
    image = Image.new("RGB", (896, 896), "white")
    ImageDraw.Draw(image).rectangle((10, 10, 50, 50), fill="black")
    image.save(tmp_path / "img_1.png")
    (tmp_path / "gt_img_1.txt").write_text("1,1,90,1,90,40,1,40,###\n1,100,90,100,90,140,1,140,a ; b\n")
    (pair,), _ = read_dataset(f"icdar2015:{tmp_path}", HEADS["text"])
    content = parse_text(pair.target).content
    assert isinstance(content, TextContent)
    assert content.text == "a ; b"
    assert len(content.lines[0].words) == 1
    (tmp_path / "gt_img_1.txt").write_text("1,1,90,1,90,40,1,40,###\n")
    assert read_dataset(f"icdar2015:{tmp_path}", HEADS["text"])[1][0].reason == "empty"


def test_a_box_keeps_some_area() -> None:
    assert write_bins((5, 1023, 5, 1023)) == "<loc0005><loc1022><loc0006><loc1023>"


def test_a_score_is_its_kern_spines() -> None:
    assert score_target("!!!COM: Bach\n**kern\t**dynam\n4c\tf\n*-\t*-\n") == "**kern\n4c\n*-"
    assert score_target("**kern\n4c\n*-") == "**kern\n4c\n*-"
    with pytest.raises(NoTargetError):
        score_target("**kern\t**dynam\n4c\n*-\t*-")

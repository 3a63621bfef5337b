"""Folders in the layouts of the tasks' usual tools, and the pool of engraved pieces."""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docai.pipelines.synthesis import samples
from docai.pipelines.synthesis.write import contact_sheet, pubtabnet_html, write_pairs


def images(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"))


@pytest.mark.parametrize("head", ["table", "molecule", "score", "text"])
def test_pairs_are_listed_with_their_pictures(head: str, tmp_path: Path) -> None:
    summary = write_pairs(head, 3, 7, tmp_path / "out")
    assert (summary.head, summary.n_pairs, summary.n_keys) == (head, 3, 3)
    pairs = [json.loads(line) for line in (tmp_path / "out/pairs.jsonl").read_text("utf-8").splitlines()]
    expected = list(islice(samples(head, seed=7), 3))
    assert [pair["target"] for pair in pairs] == [sample.target for sample in expected]
    for pair, sample in zip(pairs, expected, strict=True):
        with Image.open(tmp_path / "out" / pair["image"]) as image:
            assert np.array_equal(np.asarray(image), np.asarray(sample.image))


def test_table_folder_is_pubtabnet(tmp_path: Path) -> None:
    write_pairs("table", 2, 7, tmp_path, split="held-out")
    lines = [
        json.loads(line) for line in (tmp_path / "PubTabNet_2.0.0.jsonl").read_text("utf-8").splitlines()
    ]
    for line in lines:
        assert line["split"] == "val"
        assert (tmp_path / "val" / line["filename"]).is_file()
        structure = line["html"]["structure"]["tokens"]
        assert structure.count("</td>") == len(line["html"]["cells"])
        assert all(("bbox" in cell) == bool(cell["tokens"]) for cell in line["html"]["cells"])


def test_pubtabnet_object_of_a_known_table() -> None:
    target = (
        '<table><thead><tr><td coords="<loc0100><loc0200><loc0300><loc0400>" colspan="2">a&lt;</td></tr>'
        "</thead><tbody><tr><td></td><td></td></tr></tbody></table>"
    )
    assert pubtabnet_html(target) == {
        "cells": [{"tokens": ["a", "<"], "bbox": [175, 88, 350, 263]}, {"tokens": []}, {"tokens": []}],
        "structure": {
            "tokens": [
                *("<thead>", "<tr>", "<td", ' colspan="2"', ">", "</td>", "</tr>", "</thead>"),
                *("<tbody>", "<tr>", "<td>", "</td>", "<td>", "</td>", "</tr>", "</tbody>"),
            ]
        },
    }


def test_molecule_folder_is_a_molscribe_csv(tmp_path: Path) -> None:
    write_pairs("molecule", 2, 7, tmp_path)
    with (tmp_path / "molecules.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [set(row) for row in rows] == [{"image_id", "file_path", "SMILES"}] * 2
    assert [tmp_path / row["file_path"] for row in rows] == images(tmp_path)


def test_score_folder_has_kern_beside_pictures(tmp_path: Path) -> None:
    write_pairs("score", 2, 7, tmp_path)
    for image in images(tmp_path):
        text = image.with_suffix(".krn").read_text("utf-8")
        assert text.startswith("**kern")
        assert text.endswith("*-\n")


def test_text_folder_is_icdar15(tmp_path: Path) -> None:
    write_pairs("text", 2, 7, tmp_path, start=5)
    assert [image.name for image in images(tmp_path)] == ["img_5.png", "img_6.png"]
    for image in images(tmp_path):
        raw = (tmp_path / f"gt_{image.stem}.txt").read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf")
        for line in raw.decode("utf-8-sig").splitlines():
            *corners, word = line.split(",", 8)
            x0, y0, x1, _, _, y2, _, _ = map(int, corners)
            assert x0 < x1
            assert y0 < y2
            assert word


def test_a_negative_count_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-1"):
        write_pairs("text", -1, 7, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_contact_sheet_shows_every_sample() -> None:
    shown = list(islice(samples("text", seed=1), 3))
    sheet = contact_sheet(shown, columns=2)
    rows = np.asarray(sheet.convert("L"))
    half = rows.shape[0] // 2
    assert (rows[:half, rows.shape[1] // 2 :] < 100).any()
    assert not (rows[half:, rows.shape[1] // 2 :] < 100).any()

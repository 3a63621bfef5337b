"""Readers meet junk in any place of a truth with a sample, a skip, or an error of the set: nothing else."""

import gc
import json
import random

import pytest

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped
from docai.pipelines.evaluation.datasets import open_dataset

JUNK = (None, True, -1, 0, 1e308, float("nan"), "", "junk", [], [[]], {}, {"a": 1}, [None, "x"], 10**12)
TREE = {
    "tokens": ["<tr>", "<td>", "</td>", "</tr>"],
    "bbox": [0, 0, 9, 9],
}
TABLE = {
    "filename": "a.png",
    "split": "val",
    "html": {"cells": [{"tokens": ["x"], "bbox": [0, 0, 9, 9]}], "structure": {"tokens": TREE["tokens"]}},
}
CELL = {"row_nums": [0], "column_nums": [0], "json_text_content": "x", "pdf_bbox": [0, 0, 9, 9]}
WORD = {"vertices": [[0, 0], [9, 0], [9, 9]], "text": "Word", "legible": True}
OUTLINE = {"mask": [0, 0, 9, 0, 9, 9], "utf8_string": "Stop", "legibility": "legible"}
CONTENTS = {
    "pubtabnet": ("x.jsonl", TABLE),
    "synthtabnet": ("x.jsonl", TABLE),
    "fintabnet": ("x.jsonl", {**TABLE, "filename": "a.pdf", "table_id": 1, "bbox": [0, 0, 9, 9]}),
    "teds-pairs": ("sample_gt.json", {"a.png": {"html": "<table><tr><td>x</td></tr></table>"}}),
    "otsl": ("x.jsonl", {"filename": "a.png", "otsl": ["fcel", "nl"], "cells": [[{"tokens": ["x"]}]]}),
    "fintabnet-c": (
        "d_tables.json",
        [{"cells": [CELL], "pdf_table_bbox": [0, 0, 9, 9], "pdf_page_index": 0, "pdf_file_name": "a.pdf"}],
    ),
    "hiertext": (
        "x.jsonl",
        {"annotations": [{"image_id": "a", "paragraphs": [{"lines": [{"words": [WORD]}]}]}]},
    ),
    "coco-text": (
        "x.json",
        {
            "imgs": {"1": {"file_name": "a.jpg", "set": "val"}},
            "anns": {"1": OUTLINE},
            "imgToAnns": {"1": [1]},
        },
    ),
    "docai-content": (
        "a.truth.json",
        {"pages": [[{"kind": "table", "rows": [["x"]], "bbox": [0, 0, 9, 9]}]]},
    ),
}


def places(value: object) -> list[tuple[object, object]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[object, object]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        found += places(value[key])  # type: ignore[index]
    return found


@pytest.mark.parametrize("name", CONTENTS)
def test_junk_anywhere(tmp_path, make_pdf, name: str) -> None:
    file, content = CONTENTS[name]
    (tmp_path / "a.pdf").write_bytes(make_pdf("x"))
    text = json.dumps(content)
    rng = random.Random(name)
    for index in range(len(places(content))):
        for junk in rng.sample(JUNK, 6):
            changed = json.loads(text)
            container, key = places(changed)[index]
            container[key] = junk  # type: ignore[index]
            (tmp_path / file).write_text(json.dumps(changed))
            try:
                cases = list(open_dataset(f"{name}:{tmp_path}"))
            except DatasetError:
                continue
            assert all(isinstance(case, Sample | Skipped) for case in cases)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_set_that_is_left_early_is_closed(tmp_path, make_pdf, name: str) -> None:
    file, content = CONTENTS[name]
    (tmp_path / "a.pdf").write_bytes(make_pdf("x"))
    (tmp_path / file).write_text(json.dumps(content))
    assert isinstance(next(iter(open_dataset(f"{name}:{tmp_path}"))), Sample)
    # An open file would be a ResourceWarning here, and warnings are errors.
    gc.collect()

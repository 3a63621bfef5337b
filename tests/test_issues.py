"""The committed table of issue codes is that of the code."""

from __future__ import annotations

from pathlib import Path

import docai.issues
from docai.issues import FILE_NAME, build_table, issue_codes
from docai.parsers.codes import CODES as PARSERS
from docai.pipelines.codes import CODES as PIPELINE

ROOT = Path(__file__).resolve().parents[1]


def test_the_committed_table_is_that_of_the_codes() -> None:
    assert (ROOT / "docai" / FILE_NAME).read_text("utf-8") == build_table(), (
        "The issue codes changed: run `python -m docai.issues`."
    )


def test_every_code_is_in_it_once() -> None:
    assert sorted(row.code for row in issue_codes()) == sorted([*PARSERS, *PIPELINE])
    lines = build_table().splitlines()
    for row in docai.issues.issue_codes():
        [line] = [line for line in lines if line.startswith(f"| `{row.code}` |")]
        assert line.count(" | ") == 4
        assert f"| {row.severity} | {row.stage} |" in line

"""The list of issue codes and the code that uses them hold each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import docai.parsers
from docai.parsers.codes import CODES
from docai.parsers.notes import Notes

SOURCES = [path for path in Path(docai.parsers.__path__[0]).glob("*.py") if path.name != "codes.py"]
USED = {
    code
    for path in SOURCES
    for code in re.findall(r"\"((?:table|molecule|score|text)-[a-z0-9-]+)\"", path.read_text("utf-8"))
}


def test_every_code_in_use_is_listed() -> None:
    assert sorted(USED - set(CODES)) == []


def test_every_listed_code_is_in_use() -> None:
    assert sorted(set(CODES) - USED) == []


@pytest.mark.parametrize("code", CODES)
def test_codes_are_kebab_case_and_mean_one_sentence(code: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code)
    assert CODES[code].meaning.endswith(".")


def test_a_code_that_is_not_listed_is_refused() -> None:
    with pytest.raises(KeyError):
        Notes().add("table-no-such-code", "Never.")


def test_equal_findings_become_one_issue_that_counts_them() -> None:
    notes = Notes()
    for row in (1, 2, 3):
        notes.add("table-ragged-row", f"Row {row} is short.")
    [issue] = notes.issues()
    assert issue.message.startswith("Row 1 is short.")
    assert "2 more" in issue.message
    assert notes.repaired

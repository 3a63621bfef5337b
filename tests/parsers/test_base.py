"""The issue log of one parse."""

from __future__ import annotations

import pytest

from docai.parsers.base import Notes


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

"""The issue log of one parse."""

from __future__ import annotations

import pytest

from docai.parsers.base import IssueLog


def test_a_code_that_is_not_listed_is_refused() -> None:
    with pytest.raises(KeyError):
        IssueLog().add("table-no-such-code", "Never.")


def test_equal_findings_become_one_issue_that_counts_them() -> None:
    log = IssueLog()
    for row in (1, 2, 3):
        log.add("table-ragged-row", f"Row {row} is short.")
    [issue] = log.issues()
    assert issue.message.startswith("Row 1 is short.")
    assert "2 more" in issue.message
    assert log.repaired

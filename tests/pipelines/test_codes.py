"""The issue codes of the pipeline: each documented, each used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from docai.parsers.codes import CODES as PARSER_CODES
from docai.pipelines.codes import CODES, make_issue

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("docai", "pipelines", "models") for path in (ROOT / folder).rglob("*.py")]
OWN = ROOT / "pipelines" / "codes.py"


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_code_is_used() -> None:
    used = {text for path in SOURCES if path != OWN for text in _strings(path)}
    assert set(CODES) <= used


def test_issues_are_made_in_one_place() -> None:
    """So that a code outside of the list is a KeyError wherever it arises."""
    makers = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Issue"
    }
    assert makers == {"pipelines/codes.py"}


def test_no_code_means_two_things() -> None:
    assert not set(CODES) & set(PARSER_CODES)


@pytest.mark.parametrize("code", CODES)
def test_codes_are_kebab_case_and_explained(code: str) -> None:
    assert code == code.lower().replace("_", "-").strip("-")
    assert CODES[code].meaning.endswith(".")
    issue = make_issue(code, "What happened.", page=3)
    assert (issue.severity, issue.stage, issue.page) == (CODES[code].severity, CODES[code].stage, 3)


def test_an_unlisted_code_is_refused() -> None:
    with pytest.raises(KeyError):
        make_issue("no-such-code", "")

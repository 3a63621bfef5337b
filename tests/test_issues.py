"""The registry of issue codes: each documented, each used, the committed table theirs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docai.issues import CODES, FILE_NAME, build_table, issue_codes, make_issue

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = ROOT / "docai" / "issues.py"
SOURCES = [
    path for folder in ("docai", "parsers", "models", "pipelines") for path in (ROOT / folder).rglob("*.py")
]
PARSER_CODE = re.compile(r"\"((?:table|molecule|score|text)-[a-z0-9-]+)\"")


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_code_is_used() -> None:
    used = {text for path in SOURCES if path != REGISTRY for text in _strings(path)}
    assert set(CODES) <= used


def test_every_code_that_a_parser_writes_is_listed() -> None:
    used = {
        code
        for path in (ROOT / "parsers").glob("*.py")
        for code in PARSER_CODE.findall(path.read_text(encoding="utf-8"))
    }
    assert sorted(used - set(CODES)) == []
    assert used <= {code for code, entry in CODES.items() if entry.stage == "parser"}


def test_issues_are_made_in_one_place() -> None:
    """So that a code outside of the registry is a KeyError wherever it arises."""
    makers = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Issue"
    }
    assert makers == {"docai/issues.py"}


@pytest.mark.parametrize("code", CODES)
def test_codes_are_kebab_case_and_mean_one_sentence(code: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code)
    assert CODES[code].meaning.endswith(".")
    issue = make_issue(code, "What happened.", page=3)
    assert (issue.severity, issue.stage, issue.page) == (CODES[code].severity, CODES[code].stage, 3)


def test_an_unlisted_code_is_refused() -> None:
    with pytest.raises(KeyError):
        make_issue("no-such-code", "")


def test_the_committed_table_is_that_of_the_codes() -> None:
    assert (ROOT / "docai" / FILE_NAME).read_text("utf-8") == build_table(), (
        "The issue codes changed: run `python -m docai.issues`."
    )


def test_every_code_is_in_the_table_once() -> None:
    assert sorted(code for _, code, _ in issue_codes()) == sorted(CODES)
    lines = build_table().splitlines()
    for _, code, entry in issue_codes():
        [line] = [line for line in lines if line.startswith(f"| `{code}` |")]
        assert line.count(" | ") == 4
        assert f"| {entry.severity} | {entry.stage} |" in line

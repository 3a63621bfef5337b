"""The table of all issue codes, committed as ``docai/issues.md``.

``python -m docai.issues`` writes it again after a change of the codes in :mod:`docai.parsers.codes` or
:mod:`docai.pipelines.codes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE_NAME = "issues.md"

_HEAD = """\
# Issue codes

Each issue of a record, a page or a document has one of these codes. They are stable: a released code keeps
its meaning. An `error` says that something is missing or cannot be trusted, a `warning` that a part was
repaired or is doubtful, an `info` that something was read in a particular way. Where a code repairs, the
record has `repaired`: its content is not what the model's text literally says. A pipeline's code may come
with another severity where the place knows better.

Written by `python -m docai.issues` from `parsers/codes.py` and `pipelines/codes.py`.
"""
_SECTIONS = {
    "table": "Tables, from the model's text",
    "molecule": "Molecules, from the model's text",
    "score": "Scores, from the model's text",
    "text": "Text, from the model's text",
}


class IssueCode(NamedTuple):
    """One row of the table."""

    section: str
    code: str
    severity: str
    stage: str
    repairs: bool
    meaning: str


def issue_codes() -> Iterator[IssueCode]:
    """All codes: those of the parsers by head, then those of the pipeline."""
    from docai.parsers.codes import CODES as PARSERS
    from docai.pipelines.codes import CODES as PIPELINE

    for head, title in _SECTIONS.items():
        for code, entry in PARSERS.items():
            if code.startswith(f"{head}-"):
                yield IssueCode(title, code, entry.severity, "parser", entry.repairs, entry.meaning)
    for code, other in PIPELINE.items():
        yield IssueCode(
            "Pages, regions and witnesses", code, other.severity, other.stage, False, other.meaning
        )


def build_table() -> str:
    """The table as Markdown. Ends with a newline."""
    lines = [_HEAD]
    section = ""
    for row in issue_codes():
        if row.section != section:
            section = row.section
            lines.append(
                f"## {section}\n\n| code | severity | stage | repairs | meaning |\n|---|---|---|---|---|"
            )
        meaning = row.meaning.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
        lines.append(
            f"| `{row.code}` | {row.severity} | {row.stage} | {'yes' if row.repairs else ''} | {meaning} |"
        )
    return "\n".join(lines).replace("|\n## ", "|\n\n## ") + "\n"


if __name__ == "__main__":
    Path(__file__).with_name(FILE_NAME).write_text(build_table(), "utf-8")

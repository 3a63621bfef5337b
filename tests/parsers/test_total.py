"""Every parser takes every string: a record with issues, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.base import Content
from docai.issues import CODES
from docai.models.heads import HEADS
from docai.parsers.base import Parsed

pytestmark = pytest.mark.slow(seconds=50)

LOCS = "<loc0100><loc0200><loc0300><loc0400>"
GOOD = {
    "table": f'<table><thead><tr><td coords="{LOCS}" colspan="2">A</td></tr></thead><tbody>'
    f'<tr><td rowspan="2">x</td><td coords="{LOCS}">p < 1</td></tr><tr><td><b>y</b></td></tr>'
    "</tbody></table>",
    "molecule": "C[C@H](N)C(=O)Oc1ccc([R1])cc1.[Na+].[Boc]N/C=C/[Ph]",
    "score": "**kern\t**kern\n*M2/4\t*M2/4\n=1\t=1\n*^\t*\n"
    "4C\t4E\t8cL 8e\n.\t.\t8dJ\n4C\t4E\t4e\n*v\t*v\t*\n==\t==\n*-\t*-\n",
    "text": f"{LOCS} Hello ; {LOCS} world\n{LOCS} again ; {LOCS} a<b",
}
# The same heads in the other spellings that they read.
OTHER = {
    "table": f"<otsl><ched>{LOCS}A<lcel><nl><fcel>x<fcel>p < 1<nl><ucel><ecel><nl></otsl>",
    "score": "**ekern_1.0\t**ekern_1.0\n*M2/4\t*M2/4\n=1\t=1\n4@C\t8@c·L 8@e\n"
    ".\t8@d@#·J\n4@C\t4@e\n==\t==\n*-\t*-\n",
}
ANSWERS = [*GOOD.items(), *OTHER.items()]
# fmt: off
PIECES = [
    "<", ">", '"', "'", ";", " ; ", "\t", "\n", "\r\n", "```", "&", "&#0;", "\x00", "\ud800", "\ufeff",
    "<table>", "</table>", "<td", "<tr>", "<!--", "<?xml?>", "<td colspan=1e9>", "<td colspan='1000000000'>",
    'rowspan="0"', "coords=", LOCS, "<loc", "<loc9999>", "<loc0001>", "[", "]", "(", ")", "1", "%", "%99",
    "[Ph]", "[R99]", ">>", "|$;$|", "*^", "*v", "*-", "*+", "*x", "**kern", "=", "4c", "0000c", "1%9999c",
    "!!", ".", "*", "qq", "\ufdd0", "<otsl>", "</otsl>", "<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>",
    "<nl>",     "<ched>", "fcel", "nl", "<loc_12>", "<caption>", "1,234", "(5)", "%",
]
# fmt: on


def check(head: str, text: str) -> Parsed[Content]:
    parsed = HEADS[head].parser(text)
    assert parsed == HEADS[head].parser(text)
    assert {issue.code for issue in parsed.issues} <= set(CODES)
    assert all(issue.stage == "parser" and issue.message for issue in parsed.issues)
    assert parsed.repaired == any(CODES[issue.code].repairs for issue in parsed.issues)
    content = parsed.content
    assert type(content).model_validate_json(content.model_dump_json()) == content
    return parsed


@st.composite
def damaged(draw: st.DrawFn, head: str, text: str = "") -> str:
    """A good answer after a few cuts, copies and insertions."""
    text = text or GOOD[head]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        match draw(st.sampled_from(["cut", "copy", "insert", "truncate"])):
            case "cut":
                text = text[:start] + text[end:]
            case "copy":
                text = text[:end] + text[start:end] * draw(st.integers(1, 5)) + text[end:]
            case "insert":
                text = text[:start] + draw(st.sampled_from(PIECES)) + text[start:]
            case _:
                text = text[:end]
    return text


@pytest.mark.parametrize(("head", "text"), ANSWERS)
def test_a_good_answer_has_no_error(head: str, text: str) -> None:
    assert not [issue for issue in check(head, text).issues if issue.severity == "error"]


@pytest.mark.parametrize("head", HEADS)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_text(head: str, data: st.DataObject) -> None:
    check(head, data.draw(st.text()))


@pytest.mark.parametrize("head", HEADS)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_pieces_of_all_formats(head: str, data: st.DataObject) -> None:
    check(head, "".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=25))))


@pytest.mark.parametrize(("head", "text"), ANSWERS)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_answers(head: str, text: str, data: st.DataObject) -> None:
    check(head, data.draw(damaged(head, text)))


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<td>",
        "<tr><td>",
        "<table>",
        "<fcel>",
        "<ucel><nl>",
        "<otsl>",
        "<caption>",
        "nl ",
        "((",
        "[Ph]",
        "C1",
        "4c\n",
        "*^\n",
        "**kern\t",
        LOCS,
        " ; ",
        "\t",
    ],
)
@pytest.mark.parametrize("head", HEADS)
def test_a_loop_of_64_kib(head: str, piece: str) -> None:
    check(head, (piece * 65_536)[:65_536])

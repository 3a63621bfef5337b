"""The tools of assistants, as their client sees them."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from docai.batch import make_setup
from docai.options import Options
from docai.service.jobs import PREFIX
from docai.service.search import find
from docai.service.terms import check_roots
from docai.service.tools import make_tools

from ..documents import full_document

pytestmark = pytest.mark.slow(seconds=30)

Run = Callable[..., tuple[int, str, str]]


async def _use(client: Client) -> dict[str, Any]:
    """What an assistant gets of ``inside.pdf``."""
    got: dict[str, Any] = {"tools": [tool.name for tool in (await client.list_tools()).tools]}

    async def call(name: str, **arguments: Any) -> Any:
        answer = await client.call_tool(name, arguments)
        return answer.content[0].text if answer.is_error else answer  # type: ignore[union-attr]

    got["read"] = (await call("read_document", path="deeper/inside.pdf")).structured_content
    document, record = got["read"]["document"], got["read"]["records"][0]["record"]
    got["shown"] = (await call("show_record", document=document, record=record)).content
    got["found"] = (await call("search_records", query="SIDE in")).structured_content["result"]
    tables = await call("search_records", query="inside", kind="table")
    got["other kind"] = tables.structured_content["result"]
    got["refused"] = [
        await call("read_document", path="../outside.pdf"),
        await call("read_document", path="link.pdf"),
        await call("read_document", path="deeper/inside.pdf", pages="9"),
        await call("show_record", document=document, record="nothing"),
        await call("show_record", document="nothing", record=record),
        await call("search_records", query=" "),
    ]
    return got


def _check(got: dict[str, Any]) -> None:
    assert got["tools"] == ["read_document", "show_record", "search_records"]
    assert (got["read"]["name"], got["read"]["state"], got["read"]["n_pages"]) == ("inside.pdf", "done", 1)
    assert got["read"]["records"][0]["brief"] == "Inside"
    about, picture = got["shown"]
    assert '"content": "Inside"' in about.text
    assert base64.b64decode(picture.data)[8:12] == b"WEBP"
    assert [one["around"] for one in got["found"]] == ["Inside"]
    assert got["other kind"] == []
    reasons = [
        "no file ../outside.pdf in the folders",
        "no file link.pdf in the folders",
        "does not exist: inside.pdf has 1 page",
        "no record 'nothing'",
        "no document 'nothing' among the 1 document",
        "query is empty",
    ]
    for said, reason in zip(got["refused"], reasons, strict=True):
        assert reason in said
        assert PREFIX not in said


def test_an_assistant_reads_shows_and_searches_what_it_may(root: Path) -> None:
    setup = make_setup(Options(witnesses="off", readback="off"), workers=1)

    async def use() -> dict[str, Any]:
        async with Client(make_tools(setup, check_roots([root]))) as client:
            return await _use(client)

    _check(asyncio.run(use()))


def test_the_command_speaks_the_protocol_on_standard_output_alone(root: Path) -> None:
    command = ["-m", "docai", "mcp", "--root", str(root), "--witnesses", "off", "--readback", "off"]

    async def use() -> dict[str, Any]:
        async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
            return await _use(client)

    _check(asyncio.run(use()))


def test_without_a_folder_the_command_says_which_to_name(run: Run) -> None:
    code, _, err = run("mcp")
    assert code == 2
    assert "docai mcp --root DIR" in err


def test_records_are_found_by_what_is_in_them() -> None:
    document = full_document()

    def ids(query: str, kind: str | None = None, most: int = 9) -> list[str]:
        return [one.record.record for one in find(document, "d", query, kind, most)]

    assert ids("c2h7no") == ["m1"]
    assert ids("C[C@H](N)O") == ["m1"]
    assert ids("α") == ["t1"]
    # The tags of a table are no words of it.
    assert ids("table") == []
    assert ids("world hello") == ["x1"]
    assert ids("hello nobody") == []
    assert ids("kern", kind="score") == ["s1"]
    assert ids("e", most=0) == []

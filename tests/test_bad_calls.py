"""Whatever is wrong with a call from Python, docai says so itself, and what to give instead."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import docai
from docai.errors import (
    ConfigurationError,
    EmptySourceError,
    InputError,
    NotAResultError,
    SettingError,
    SourceNotFoundError,
)
from docai.models.scripted import ScriptedEngine

from .documents import full_document

MakePdf = Callable[..., bytes]


def process(source: Any, **options: Any) -> docai.Document:
    return docai.process(source, **{"engine": ScriptedEngine({"text": "hi"}), "witnesses": "off", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 5}, "a list of names such as"),
        ({"heads": [5, "table"]}, "a list of names such as"),
        ({"engine": "nano"}, "given as model="),
        ({"engine": ScriptedEngine}, "an object that answers"),
        ({"engine": None, "model": None}, "such as 'nano'"),
        ({"engine": None, "device": None}, "'auto', 'cpu', 'cuda' or"),
        ({"limits": 0}, "docai.Limits"),
        ({"limits": {"max_pages": 3}}, "docai.Limits"),
        ({"pages": "1,,2"}, "'1-3,7'"),
        ({"pages": -1}, "count from 1"),
        ({"regions": 5}, 'give them as {1: [("table", (x0, y0, x1, y1))]}'),
        ({"regions": {1: None}}, 'give them as {1: [("table", (x0, y0, x1, y1))]}'),
        ({"regions": {1: "table"}}, 'give them as {1: [("table", (x0, y0, x1, y1))]}'),
        ({"password": b"key"}, "give a str"),
        ({"progress": "yes"}, "a function that takes one argument"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_argument_is_a_setting_error_that_says_what_to_give(
    options: dict[str, Any], message: str, make_pdf: MakePdf
) -> None:
    with pytest.raises(SettingError) as caught:
        process(make_pdf(), **options)
    assert message in str(caught.value)


def test_one_page_can_be_named_by_its_number_and_an_iterator_is_read_once(make_pdf: MakePdf) -> None:
    data = make_pdf("one", "two", "three")
    assert [text.text for text in process(data, pages=2).texts] == ["two"]
    assert [text.text for text in process(data, pages=(page for page in (3, 1))).texts] == ["one", "three"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_pages": -1}, "a number above 0, or None"),
        ({"max_pages": "many"}, "a number above 0, or None"),
        ({"max_seconds_per_page": float("nan")}, "a number above 0, or None"),
        ({"max_page": 3}, "no limit 'max_page'; the limits are: max_bytes, max_pages"),
    ],
)
def test_a_bad_limit_is_a_setting_error(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        docai.Limits(**limits)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["{", "", "[]", "{}", b"\xff\xfe", None, '{"schema_version": "1.0"}'])
def test_what_is_no_document_is_refused_with_a_word_on_what_is(text: Any) -> None:
    with pytest.raises(NotAResultError, match="to_json"):
        docai.Document.from_json(text)
    assert docai.Document.from_json(full_document().to_json()) == full_document()


def _closed(data: bytes) -> BytesIO:
    stream = BytesIO(data)
    stream.close()
    return stream


def test_a_source_that_cannot_be_read_is_an_input_error(make_pdf: MakePdf, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="open it with 'rb' again"):
        process(_closed(make_pdf()))
    with (
        (tmp_path / "new.pdf").open("wb") as written,
        pytest.raises(InputError, match="not opened for reading"),
    ):
        process(written)
    with pytest.raises(SourceNotFoundError, match=r"is a folder.*docai process FOLDER"):
        process(tmp_path)
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        process(tmp_path / "none.pdf")
    with pytest.raises(SourceNotFoundError, match="The path is empty"):
        process("")
    with pytest.raises(EmptySourceError):
        process(b"")
    with pytest.raises(ConfigurationError, match="not list: give the path"):
        process([make_pdf()])


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (
            "https://example.org/x/a%20b.pdf?v=1",
            "`curl -L -o 'a b.pdf' 'https://example.org/x/a%20b.pdf?v=1'`",
        ),
        (Path("https://example.org/report.pdf"), "`curl -L -o report.pdf https://example.org/report.pdf`"),
        (
            "https://example.org/abs/1706.03762",
            "`curl -L -o 1706.03762.pdf https://example.org/abs/1706.03762`",
        ),
        ("http://example.org", "`curl -L -o document.pdf http://example.org`"),
        ("file:///home/me/a%20b.pdf", "give the path, /home/me/a b.pdf"),
    ],
)
def test_a_url_gets_the_command_that_downloads_it(source: str | Path, hint: str) -> None:
    with pytest.raises(SourceNotFoundError) as caught:
        process(source)
    assert hint in str(caught.value)


def test_errors_of_limits_name_the_option_of_the_command_line(make_pdf: MakePdf) -> None:
    with pytest.raises(InputError, match=r"Limits\(max_bytes=...\), which is --max-bytes"):
        process(make_pdf(), limits=docai.Limits(max_bytes=10))
    with pytest.raises(InputError, match=r"Limits\(max_pages=...\), which is --max-pages"):
        process(make_pdf("a", "b"), limits=docai.Limits(max_pages=1))


def test_parse_refuses_what_is_no_text() -> None:
    with pytest.raises(SettingError, match="give a str"):
        docai.parse("table", b"<table>")  # type: ignore[arg-type]

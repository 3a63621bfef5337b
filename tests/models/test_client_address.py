from __future__ import annotations

from pathlib import Path

import pytest

from docai.errors import SettingError, UnknownHeadError, UnknownModelError
from docai.models.checkpoints import find_checkpoint
from docai.models.client_address import is_server, parse_server
from docai.models.heads import HEADS


def test_one_name_answers_every_head() -> None:
    address = parse_server("http://127.0.0.1:8000#org/name-7@2")
    assert address.url == "http://127.0.0.1:8000"
    assert address.heads() == dict.fromkeys(HEADS)
    assert {address.model_of(head) for head in HEADS} == {"org/name-7@2"}
    assert address.name == "org/name-7@2@127.0.0.1:8000"


def test_heads_have_names_of_their_own() -> None:
    address = parse_server("https://gpu/llm/v1/#table=a%2Cb, molecule=c".replace(" ", ""))
    assert (address.url, address.place) == ("https://gpu/llm", "gpu")
    assert address.heads() == {"table": None, "molecule": None}
    assert (address.model_of("table"), address.model_of("molecule"), address.model_of("text")) == (
        "a,b",
        "c",
        None,
    )
    assert address.name == "molecule=c,table=a,b@gpu"
    mixed = parse_server("http://h#all,table=a")
    assert (mixed.model_of("table"), mixed.model_of("text")) == ("a", "all")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("http://127.0.0.1:8000", "without a model"),
        ("http://127.0.0.1:8000#", "without a model"),
        ("http://127.0.0.1:8000#a,b", "are given as"),
        ("http://127.0.0.1:8000#table=", "are given as"),
        ("http://#name", "no host"),
        ("http://h:99999#name", "no host, or a port"),
        ("http://h:x#name", "no host, or a port"),
        ("http://[::1#name", "no host"),
        ("http://h?x=1#name", "query"),
        ("http://h\n#name", "spaces or control"),
        ("http://h#na me", "spaces or control"),
    ],
)
def test_other_addresses_are_refused(model: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_server(model)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(UnknownHeadError, match="tabel"):
        parse_server("http://h#tabel=name")


@pytest.mark.parametrize("model", ["http://user:hunter2@h:8000#name", "http://hunter2@h#name"])
def test_a_password_is_refused_and_not_repeated(model: str) -> None:
    with pytest.raises(SettingError, match="DOCAI_API_KEY") as refused:
        parse_server(model)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(UnknownModelError, match="address of a server") as unknown:
        find_checkpoint(model)
    assert "hunter2" not in str(unknown.value)


def test_only_that_spelling_is_a_server() -> None:
    assert is_server("HTTPS://h#name")
    for model in ("nano", "org/name@1", "./http", "httpx", "ftp://h#name", Path("http://h#name"), None, 7):
        assert not is_server(model)

from __future__ import annotations

from pathlib import Path

import pytest

from docai.errors import SettingError, UnknownHeadError, UnknownModelError
from docai.models.checkpoints import find_checkpoint
from docai.models.client_address import is_server, parse_servers
from docai.models.heads import HEADS


def test_one_name_answers_every_head() -> None:
    address = parse_servers("http://127.0.0.1:8000#org/name-7@2")
    assert address.addresses[0].url == "http://127.0.0.1:8000"
    assert address.heads() == dict.fromkeys(HEADS)
    assert {address.model_of(head) for head in HEADS} == {"org/name-7@2"}
    assert address.name == "org/name-7@2@127.0.0.1:8000"


def test_heads_have_names_of_their_own() -> None:
    address = parse_servers("https://gpu/llm/v1/#table=a%2Cb, molecule=c".replace(" ", ""))
    assert (address.addresses[0].url, address.addresses[0].place) == ("https://gpu/llm", "gpu")
    assert address.heads() == {"table": None, "molecule": None}
    assert (address.model_of("table"), address.model_of("molecule"), address.model_of("text")) == (
        "a,b",
        "c",
        None,
    )
    assert address.name == "molecule=c,table=a,b@gpu"
    mixed = parse_servers("http://h#all,table=a")
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
        ("http://h\x00#name", "control characters"),
        ("http://h#na me", "has a space in it"),
        ("http://h#a http://i#b", "Two servers are given for all heads"),
        ("http://h#table=a http://i#table=b", "Two servers are given for the head 'table'"),
    ],
)
def test_other_addresses_are_refused(model: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_servers(model)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(UnknownHeadError, match="tabel"):
        parse_servers("http://h#tabel=name")


@pytest.mark.parametrize("model", ["http://user:hunter2@h:8000#name", "http://hunter2@h#name"])
def test_a_password_is_refused_and_not_repeated(model: str) -> None:
    with pytest.raises(SettingError, match="DOCAI_API_KEY") as refused:
        parse_servers(model)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(UnknownModelError, match="address of a server") as unknown:
        find_checkpoint(model)
    assert "hunter2" not in str(unknown.value)


def test_only_that_spelling_is_a_server() -> None:
    assert is_server("HTTPS://h#name")
    for model in ("nano", "org/name@1", "./http", "httpx", "ftp://h#name", Path("http://h#name"), None, 7):
        assert not is_server(model)


def test_each_head_may_have_a_server_of_its_own() -> None:
    servers = parse_servers("http://a:1#table=t  http://b:2#molecule=m")
    assert servers.heads() == {"table": None, "molecule": None}
    found = {head: servers.address_of(head) for head in ("table", "molecule", "text")}
    assert [address and address.place for address in found.values()] == ["a:1", "b:2", None]
    assert servers.name == "table=t@a:1 molecule=m@b:2"
    with_rest = parse_servers("http://a:1#all http://b:2#molecule=m")
    assert (with_rest.model_of("molecule"), with_rest.model_of("text")) == ("m", "all")

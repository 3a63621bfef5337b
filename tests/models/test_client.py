"""The engine for servers, against one that speaks the protocol, misbehaves, and is down."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from docai.environment import KEY_VARIABLE
from docai.errors import (
    GenerationError,
    HeadNotAvailableError,
    ServerError,
    SettingError,
    UnknownModelError,
)
from docai.models.client import ServerEngine
from docai.models.client_http import ServerLimits
from docai.models.engine import Engine, Generation, Request, answer
from docai.models.heads import Decoding, Head
from docai.models.paligemma import PaliGemmaEngine
from docai.models.scripted import ScriptedEngine
from tests.models.server import FakeServer, Reply, as_json, dropping, serving, spoiled, tiny_heads
from tests.models.tiny import IMAGE_SIZE, build_tiny, noise

HEADS = tiny_heads("table", "molecule", "text", resolution=IMAGE_SIZE)
MOLECULE = HEADS["molecule"]
QUICK = ServerLimits(parallel=4, attempts=3, pause_seconds=0.001, answer_seconds=60)
ANSWERS = {"molecule": "C(=O)O", "table": "<table><tr><td>é<loc0001><loc0002></td></tr></table>", "text": ""}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer(ScriptedEngine(ANSWERS), heads=HEADS)) as running:
        yield running


def engine_of(server: FakeServer, limits: ServerLimits = QUICK) -> ServerEngine:
    return ServerEngine(server.model, limits=limits)


def requests(count: int, head: Head = MOLECULE) -> list[Request]:
    return [Request(head, noise(seed)) for seed in range(count)]


def seen_by(server: FakeServer) -> set[bytes]:
    return {image.tobytes() for image in server.images}


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def test_answers_are_those_of_the_model_behind_the_server(tmp_path: Path) -> None:
    """Bytes of characters, special tokens and ends included: the tiny model writes anything."""
    heads = {name: {"adapter": None, "max_tokens": 40, "causal_prompt": True} for name in HEADS}
    local = PaliGemmaEngine.load(build_tiny(tmp_path / "tiny", heads=heads), device="cpu")
    wanted = [Request(head, noise(seed), 40) for head in HEADS.values() for seed in range(3)]
    # One by one, as the server does: rounding differs with the size of a batch.
    expected = [local.generate([request])[0] for request in wanted]
    assert len({generation.text for generation in expected}) > 5
    with serving(FakeServer(local, heads=HEADS)) as running:
        found = engine_of(running).generate(wanted)
    place = running.url.removeprefix("http://")
    for remote, here in zip(found, expected, strict=True):
        assert replace(remote, checkpoint="") == replace(here, checkpoint="")
        assert remote.checkpoint == f"name@{place}"
    assert "".join(found[0].tokens) == found[0].text


def test_the_picture_arrives_pixel_by_pixel_with_prompt_and_settings(server: FakeServer) -> None:
    (generation,) = engine_of(server).generate([Request(MOLECULE, noise(5), 17)])
    assert (generation.text, generation.finish_reason, generation.error) == ("C(=O)O", "stop", None)
    assert seen_by(server) == {noise(5).tobytes()}
    (asked,) = server.requests
    assert asked["model"] == "name"
    assert asked["messages"][0]["content"][1] == {"type": "text", "text": "molecule to smiles"}
    assert asked["max_tokens"] == 17
    assert (asked["temperature"], asked["logprobs"], asked["skip_special_tokens"]) == (0, True, False)
    assert not asked["stream"]


def test_special_tokens_are_kept_and_the_end_is_not(server: FakeServer) -> None:
    (generation,) = engine_of(server).generate(requests(1, HEADS["table"]))
    assert generation.text == ANSWERS["table"]
    assert "<loc0001>" in generation.tokens
    assert "<eos>" not in generation.tokens
    assert len(generation.tokens) == len(generation.logprobs)


def test_an_empty_answer_is_one(server: FakeServer) -> None:
    (generation,) = engine_of(server).generate(requests(1, HEADS["text"]))
    assert (generation.text, generation.finish_reason, generation.tokens) == ("", "stop", ())


def test_many_are_asked_at_a_time_within_the_bound_and_in_order(server: FakeServer) -> None:
    together = threading.Barrier(QUICK.parallel, timeout=30)

    def wait_for_others(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply | None:
        together.wait()
        return None

    server.misbehave = wait_for_others
    server.engine = ScriptedEngine(
        {"molecule": lambda request: "C" * (1 + request.image.getpixel((0, 0))[0] % 9)}
    )
    wanted = requests(4 * QUICK.parallel)
    generations = engine_of(server).generate(wanted)
    assert [generation.text for generation in generations] == [
        "C" * (1 + request.image.getpixel((0, 0))[0] % 9) for request in wanted
    ]
    assert server.at_once == QUICK.parallel


def test_the_models_are_asked_for_once(server: FakeServer) -> None:
    engine = engine_of(server)
    assert engine.heads() >= {"table", "molecule", "score", "text"}
    assert server.n_listed == 0
    for _ in range(3):
        engine.generate(requests(2))
    assert server.n_listed == 1


def test_each_head_may_have_a_model_of_its_own(server: FakeServer) -> None:
    server.models = ("base", "tables", "molecules")
    engine = ServerEngine(f"{server.url}/v1/#molecule=molecules,table=tables", limits=QUICK)
    assert engine.heads() == {"molecule", "table"}
    generations = engine.generate([*requests(1), *requests(1, HEADS["table"])])
    assert [generation.checkpoint.partition("@")[0] for generation in generations] == ["molecules", "tables"]
    with pytest.raises(HeadNotAvailableError, match="'text'"):
        engine.generate(requests(1, HEADS["text"]))


def test_heads_are_put_to_the_servers_that_have_them(server: FakeServer) -> None:
    tables = FakeServer(ScriptedEngine({"table": "<table></table>"}), models=("tables",), heads=HEADS)
    with serving(tables):
        engine = ServerEngine(f"{server.url}#name {tables.url}#table=tables", limits=QUICK)
        wanted = [Request(HEADS[head], noise()) for head in ("table", "molecule", "table", "text")]
        generations = engine.generate(wanted)
        assert [generation.text for generation in generations] == [
            "<table></table>",
            "C(=O)O",
            "<table></table>",
            "",
        ]
        assert generations[0].checkpoint == f"tables@{tables.url.removeprefix('http://')}"
        assert (len(tables.requests), len(server.requests)) == (2, 2)
        tables.misbehave = hang_up
        lost, kept = engine.generate([wanted[0], wanted[1]])
        assert (lost.finish_reason, kept.text) == ("error", "C(=O)O")


def test_a_busy_server_is_asked_again(server: FakeServer) -> None:
    replies = iter([(503, {}, b"starting"), as_json({"error": "busy"}, 429, **{"Retry-After": "0"})])
    server.misbehave = lambda handler, asked: next(replies, None)
    (generation,) = engine_of(server).generate(requests(1))
    assert generation.text == "C(=O)O"
    assert len(server.requests) == 3


def test_what_asks_for_a_long_wait_is_waited_for_at_most_so_long(server: FakeServer) -> None:
    replies = iter([(503, {"Retry-After": "86400"}, b"")])
    server.misbehave = lambda handler, asked: next(replies, None)
    (generation,) = engine_of(server, replace(QUICK, max_pause_seconds=0.01)).generate(requests(1))
    assert generation.text == "C(=O)O"
    server.misbehave = lambda handler, asked: (503, {"Retry-After": "86400"}, b"")
    (generation,) = engine_of(server).generate(requests(1))
    assert "status 503" in str(generation.error)
    assert len(server.requests) == 3, "a minute's wait would be beyond the deadline"


def test_a_server_that_is_not_ready_is_one_that_is_not_there(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A batch waits for such a server. One that answers otherwise refuses the crop, which costs that alone.
    engine = engine_of(server)
    server.misbehave = lambda handler, asked: (502, {}, b"upstream")
    (generation,) = engine.generate(requests(1))
    assert str(generation.error).startswith("RefusedError: ")
    monkeypatch.setattr(server, "models_reply", lambda handler: (503, {}, b"starting"))
    for status, kind in ((502, "UnreachableError"), (503, "UnreachableError"), (504, "RefusedError")):
        server.misbehave = lambda handler, asked, status=status: (status, {}, b"upstream")
        (generation,) = engine.generate(requests(1))
        assert str(generation.error).startswith(f"{kind}: "), status


def test_attempts_are_bounded(server: FakeServer) -> None:
    server.misbehave = lambda handler, asked: as_json({"error": {"message": "out of memory"}}, 500)
    (generation,) = engine_of(server).generate(requests(1))
    assert len(server.requests) == QUICK.attempts
    assert generation.finish_reason == "error"
    assert "status 500" in str(generation.error)
    assert "out of memory" in str(generation.error)


def test_a_bad_request_is_not_repeated(server: FakeServer) -> None:
    server.misbehave = lambda handler, asked: as_json({"error": {"message": "prompt too long"}}, 400)
    (generation,) = engine_of(server).generate(requests(1))
    assert len(server.requests) == 1
    assert "prompt too long" in str(generation.error)


def html(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    return 200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><h1>It works</h1>"


def cut(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"model": "name", "choices": [')
    return 0, {}, b""


def cut_chunk(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'100\r\n{"model": ')
    return 0, {}, b""


def hang_up(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    return 0, {}, b""


def redirect(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    return 307, {"Location": "http://198.51.100.7/v1/chat/completions"}, b""


def endless(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    return 200, {}, b"[" * (QUICK.max_bytes + 1)


def bomb(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    return 200, {}, b"[" * 1_000_000


def compressed(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
    import gzip

    return 200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 100_000_000)


def change(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Sets what is at ``path``, such as ``choices.0.finish_reason``."""

    def apply(completion: dict[str, Any]) -> None:
        *before, last = path.split(".")
        place: Any = completion
        for key in before:
            place = place[int(key) if key.isdigit() else key]
        place[int(last) if last.isdigit() else last] = value

    return apply


LOGPROBS = "choices.0.logprobs"

NONSENSE = {
    "HTML": (lambda server: html, "its answer is none"),
    "another JSON": (lambda server: lambda handler, asked: as_json([1, 2]), "its answer is none"),
    "JSON of depth": (lambda server: bomb, "its answer is none"),
    "cut off": (lambda server: cut, "connection was lost"),
    "cut chunk": (lambda server: cut_chunk, "connection was lost"),
    "hangs up": (lambda server: hang_up, "connection was lost"),
    "redirects": (lambda server: redirect, "redirects to http://198.51.100.7"),
    "endless": (lambda server: endless, "more than 16,777,216 bytes"),
    "compressed": (lambda server: compressed, "its answer is none"),
    "no log-probabilities": (spoiled(change(LOGPROBS, None)), "no log-probabilities"),
    "empty log-probabilities": (spoiled(change(f"{LOGPROBS}.content", [])), "no log-probabilities"),
    "no number": (spoiled(change(f"{LOGPROBS}.content.0.logprob", "high")), "its answer is none"),
    "not a number": (spoiled(change(f"{LOGPROBS}.content.0.logprob", float("nan"))), "its answer is none"),
    "above zero": (spoiled(change(f"{LOGPROBS}.content.0.logprob", 3.0)), "its answer is none"),
    "other tokens": (spoiled(change(f"{LOGPROBS}.content.0.token", "Q")), "spell another text"),
    "another model": (spoiled(change("model", "gpt")), "answered as the model 'gpt'"),
    "no answer": (spoiled(change("choices", [])), "0 answers"),
    "given up": (spoiled(change("choices.0.finish_reason", "abort")), "gave up the answer"),
    "without a reason": (spoiled(change("choices.0.finish_reason", None)), "gave up the answer"),
    "without the picture": (spoiled(change("usage.prompt_tokens", 9)), "too few for a picture"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_the_error_of_its_crop_alone(server: FakeServer, name: str) -> None:
    make, message = NONSENSE[name]
    misbehave = make(server)
    bad = HEADS["table"].prompt
    server.misbehave = lambda handler, asked: (
        misbehave(handler, asked) if asked["messages"][0]["content"][1]["text"] == bad else None
    )
    wanted = [Request(MOLECULE, noise()), Request(HEADS["table"], noise()), Request(MOLECULE, noise(1))]
    first, second, third = answer(engine_of(server), wanted)
    assert (first.text, third.text) == ("C(=O)O", "C(=O)O")
    assert (second.finish_reason, second.text, second.tokens) == ("error", "", ())
    assert message in str(second.error)
    assert len(str(second.error)) < 600


def test_an_answer_that_arrives_drop_by_drop_is_given_up(server: FakeServer) -> None:
    server.misbehave = lambda handler, asked: dropping(handler, b"{" * 100, size=1, seconds=0.02)
    (generation,) = engine_of(server, replace(QUICK, answer_seconds=0.2)).generate(requests(1))
    assert "did not answer within 0.2 s" in str(generation.error)


def test_a_server_that_says_nothing_is_given_up(server: FakeServer) -> None:
    released = threading.Event()

    def silent(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
        released.wait(30)
        return 0, {}, b""

    server.misbehave = silent
    (generation,) = engine_of(server, replace(QUICK, answer_seconds=0.2)).generate(requests(1))
    released.set()
    assert "did not answer within 0.2 s" in str(generation.error)


def test_a_server_that_is_down_is_one_error() -> None:
    engine = ServerEngine(f"http://127.0.0.1:{closed_port()}#name", limits=QUICK)
    with pytest.raises(ServerError, match=r"cannot be reached: connection refused\. Start it"):
        engine.generate(requests(2))


def test_a_host_that_there_is_not_is_one_error() -> None:
    engine = ServerEngine("http://nowhere.invalid#name", limits=QUICK)
    with pytest.raises(ServerError, match="cannot be reached"):
        engine.connect()


def test_what_was_answered_before_a_server_went_down_stays(server: FakeServer) -> None:
    engine = engine_of(server, replace(QUICK, parallel=1))
    (before,) = engine.generate(requests(1))
    server.misbehave = hang_up
    lost = engine.generate(requests(3))
    # All attempts are made once; a server known to be down is not waited for with every crop.
    assert len(server.requests) == 1 + QUICK.attempts + 2
    assert before.error is None
    assert {generation.finish_reason for generation in lost} == {"error"}
    server.misbehave = None
    (after,) = engine.generate(requests(1))
    assert after == before


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((200, {}, b"<!DOCTYPE html>\n<html>"), "does not answer as a model server.*<!DOCTYPE html> <html>"),
        (as_json({"data": [{"name": 7}]}), "its list of models is none"),
        ((404, {}, b"not found"), "status 404: not found"),
    ],
)
def test_what_lists_no_models_is_no_server(server: FakeServer, reply: Reply, message: str) -> None:
    server.list_models = lambda handler: reply
    with pytest.raises(ServerError, match=message):
        engine_of(server).generate(requests(1))


def test_a_model_that_is_not_served_is_named_with_those_that_are(server: FakeServer) -> None:
    server.models = ("base", "tables")
    with pytest.raises(UnknownModelError, match=r"no model 'name'; it has: base, tables\."):
        ServerEngine(f"{server.url}#name", limits=QUICK).connect()


def test_two_names_of_the_same_weights_are_one_model(server: FakeServer) -> None:
    """Older versions of vLLM answer with the first of the names."""
    data = [{"id": name, "root": "/weights"} for name in ("first", "name")]
    server.list_models = lambda handler: as_json({"data": data})
    server.misbehave = spoiled(change("model", "first"))(server)
    (generation,) = engine_of(server).generate(requests(1))
    assert generation.text == "C(=O)O"


def test_the_budget_fits_the_context_of_the_server(server: FakeServer) -> None:
    # 16 image tokens, 18 bytes of prompt and 3 more leave 13.
    server.context = 50
    engine = engine_of(server)
    engine.generate(
        [Request(MOLECULE, noise()), Request(MOLECULE, noise(), 7), Request(MOLECULE, noise(), None, 2.0)]
    )
    assert sorted(asked["max_tokens"] for asked in server.requests) == [7, 13, 13]
    server.context = 37
    (generation,) = engine_of(server).generate(requests(1))
    assert "no room" in str(generation.error)
    server.context = None
    engine_of(server).generate([Request(MOLECULE, noise(), None, 2.0)])
    assert server.requests[-1]["max_tokens"] == 512


def test_a_loop_ends_where_it_would_end_here(server: FakeServer) -> None:
    decoding = Decoding(max_repeats=4, max_period=8)
    server.engine = ScriptedEngine({"molecule": "C" + "=" * 200}, finish_reason="length")
    (generation,) = engine_of(server).generate([Request(replace(MOLECULE, decoding=decoding), noise())])
    assert (generation.finish_reason, generation.text) == ("loop", "C" + "=" * 8)
    assert len(generation.logprobs) == len(generation.tokens)


@pytest.mark.parametrize("decoding", [Decoding(num_beams=4), Decoding(constrained=True)])
def test_beams_and_grammars_are_not_pretended(server: FakeServer, decoding: Decoding) -> None:
    (generation,) = engine_of(server).generate([Request(replace(MOLECULE, decoding=decoding), noise())])
    assert "greedy answers without a grammar" in str(generation.error)
    assert server.requests == []


def test_a_crop_of_the_wrong_size_is_not_sent(server: FakeServer) -> None:
    with pytest.raises(GenerationError, match="56 x 56"):
        engine_of(server).generate([Request(MOLECULE, noise(size=60))])
    assert server.requests == []


KEY = "sk-very-secret"


def test_the_key_of_the_environment_is_sent_and_shown_nowhere(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.key = KEY
    with pytest.raises(SettingError, match=f"asks for a key.*set {KEY_VARIABLE}"):
        engine_of(server).connect()
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    engine = engine_of(server)
    wanted = requests(2)
    assert engine.generate(wanted)[0].text == "C(=O)O"
    server.misbehave = lambda handler, asked: as_json(
        {"error": f"{handler.headers['Authorization']} is bad"}, 400
    )
    (failed, _) = engine.generate(wanted)
    assert "is bad" in str(failed.error)
    for shown in (repr(engine), engine.name, repr(failed), caplog.text, repr(engine.servers)):
        assert KEY not in shown
    assert KEY.encode() not in pickle.dumps(engine)


def test_the_key_crosses_no_network_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(SettingError, match=r"unencrypted to gpu\.example:8000: use https") as refused:
        ServerEngine("http://gpu.example:8000#name")
    assert KEY not in str(refused.value)
    for url in ("https://gpu.example", "http://localhost:8000", "http://127.0.0.2", "http://[::1]:8000"):
        ServerEngine(f"{url}#name")
    monkeypatch.setenv(KEY_VARIABLE, "two\nlines")
    with pytest.raises(SettingError, match="cannot send"):
        ServerEngine("https://gpu.example#name")


def test_no_proxy_of_the_environment_is_used(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert engine_of(server).generate(requests(1))[0].text == "C(=O)O"


def test_a_copy_for_another_process_answers(server: FakeServer) -> None:
    engine = engine_of(server)
    before = engine.generate(requests(1))
    copy: ServerEngine = pickle.loads(pickle.dumps(engine))
    assert copy.limits == QUICK
    assert copy.generate(requests(1)) == before


def test_it_is_an_engine(server: FakeServer) -> None:
    engine = engine_of(server)
    assert isinstance(engine, Engine)
    assert (engine.device, engine.accuracy("table")) == ("server", None)
    assert engine.name == f"name@{server.url.removeprefix('http://')}"
    assert engine.generate([]) == []
    assert isinstance(engine.generate(requests(1))[0], Generation)

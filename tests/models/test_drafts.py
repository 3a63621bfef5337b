"""Drafts: the same answers in fewer steps, whatever the drafts say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from docai.models.drafts import MAX_DRAFT, Drafter
from docai.models.engine import Generation, Request
from docai.models.paligemma import PaliGemmaEngine
from docai.models.slots import SlotDecoder
from tests.models.tiny import build_adapter, build_tiny, noise, tiny_head

HEADS = {"table": {"max_tokens": 24}, "text": {"max_tokens": 12}}


def follow(drafter: Drafter, answer: list[int]) -> tuple[int, int]:
    """Steps that an answer takes, and tokens that were tried in vain."""
    n_steps = n_wrong = 0
    while answer:
        guess = drafter.propose(len(answer) - 1)
        right = 0
        while right < len(guess) and guess[right] == answer[right]:
            right += 1
        drafter.judge(len(guess), right)
        n_wrong += len(guess) - right
        for token in answer[: right + 1]:
            drafter.add(token)
        answer = answer[right + 1 :]
        n_steps += 1
    return n_steps, n_wrong


def test_a_draft_that_is_right_takes_few_steps() -> None:
    answer = list(range(100, 180))
    n_steps, n_wrong = follow(Drafter(answer), answer)
    assert n_wrong == 0
    assert n_steps <= 80 / (MAX_DRAFT + 1) + 3


def test_a_draft_is_followed_past_other_tokens_and_gaps() -> None:
    draft = list(range(100, 180))
    other = list(draft)
    for place in range(5, 80, 9):
        other[place] = 7
    assert follow(Drafter(draft), other)[0] < 40
    # What the answer leaves out, or says beside.
    assert follow(Drafter(draft), draft[:20] + draft[40:])[0] < 22
    assert follow(Drafter(draft), [*draft[:40], 1, 2, 3, 4, 5, *draft[40:]])[0] < 28


def test_what_an_answer_repeats_is_a_draft_and_what_is_new_is_not() -> None:
    assert follow(Drafter(), [1, 2, 3, 4, 5, 6] * 10)[0] < 25
    assert follow(Drafter(), list(range(50))) == (50, 0)
    # Guesses that are wrong are made shorter.
    assert follow(Drafter(range(1000, 1050)), list(range(50)))[1] <= 51


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny"), heads=HEADS)


@pytest.fixture
def load(folder: Path) -> Callable[..., PaliGemmaEngine]:
    def load(**options: object) -> PaliGemmaEngine:
        return PaliGemmaEngine.load(folder, device="cpu", **options)  # type: ignore[arg-type]

    return load


def mixed(count: int = 9) -> list[Request]:
    return [
        Request(tiny_head(("table", "text")[i % 2]), noise(i), max_tokens=4 + 5 * i % 20)
        for i in range(count)
    ]


def same(one: Generation, other: Generation) -> bool:
    return (one.tokens, one.finish_reason) == (other.tokens, other.finish_reason) and torch.allclose(
        torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4
    )


@pytest.mark.parametrize("fixed_shapes", [False, True])
def test_answers_are_the_same_whatever_the_drafts_say(
    load: Callable[..., PaliGemmaEngine], fixed_shapes: bool
) -> None:
    plain = load(batch_size=4, draft_rows=0)
    requests = mixed()
    expected = plain.generate(requests)
    n_plain = plain._dispatcher.scheduler.n_steps
    right = [replace(request, draft=one.text) for request, one in zip(requests, expected, strict=True)]
    wrong = [replace(request, draft="<table><tr><td>something else") for request in requests]
    others = [
        replace(request, draft=one.text)
        for request, one in zip(requests, expected[1:] + expected[:1], strict=True)
    ]
    beyond = [
        replace(request, draft=one.text + "and more") for request, one in zip(requests, expected, strict=True)
    ]
    some = [(left, middle)[i % 2] for i, (left, middle) in enumerate(zip(right, requests, strict=True))]
    steps = {}
    for name, drafted in {
        "right": right,
        "wrong": wrong,
        "others": others,
        "beyond": beyond,
        "some": some,
    }.items():
        engine = load(batch_size=4, draft_rows=4)
        engine._dispatcher.scheduler._decoder.fixed_shapes = fixed_shapes
        found = engine.generate(drafted)
        assert all(same(one, other) for one, other in zip(found, expected, strict=True)), name
        steps[name] = engine._dispatcher.scheduler.n_steps
    assert steps["right"] < 0.6 * n_plain
    assert steps["beyond"] < 0.6 * n_plain
    assert steps["wrong"] <= n_plain


def test_cut_answers_go_on_with_their_drafts(load: Callable[..., PaliGemmaEngine]) -> None:
    request = Request(tiny_head(), noise(), 24)
    (whole,) = load(draft_rows=0).generate([request])
    engine = load()
    for n_tokens in (5, 11, 24):
        (found,) = engine.generate([replace(request, max_tokens=n_tokens, draft=whole.text)])
        assert found.tokens == whole.tokens[:n_tokens]
    assert engine._dispatcher.scheduler.n_prefilled == 1


def test_adapters_and_soft_caps_are_those_of_each_row(tmp_path: Path) -> None:
    caps = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
    base = build_tiny(tmp_path / "base", heads=HEADS, text=caps)
    adapters = {"score": build_adapter(base, tmp_path / "score")}
    requests = [*mixed(3), *(Request(tiny_head("score"), noise(i), 20) for i in range(3))]
    engines = [
        PaliGemmaEngine.load(base, device="cpu", adapters=adapters, batch_size=6, draft_rows=rows)
        for rows in (0, 6)
    ]
    expected = engines[0].generate(requests)
    drafted = [replace(request, draft=one.text) for request, one in zip(requests, expected, strict=True)]
    found = engines[1].generate(drafted)
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))
    assert engines[1]._dispatcher.scheduler.n_steps < engines[0]._dispatcher.scheduler.n_steps


def test_a_grammar_holds_with_drafts(tmp_path: Path) -> None:
    pytest.importorskip("llguidance")
    weights = {"molecule": {"max_tokens": 30, "constrained": True}}
    folder = build_tiny(tmp_path, heads=weights)
    head = tiny_head("molecule", grammar="smiles", max_tokens=30)
    requests = [Request(head, noise(i)) for i in range(4)]
    plain = PaliGemmaEngine.load(folder, device="cpu", draft_rows=0)
    expected = plain.generate(requests)
    assert all(one.finish_reason != "error" for one in expected)
    for drafts in ([one.text for one in expected], ["not )( a molecule"] * 4, ["CCO" * 9] * 4):
        engine = PaliGemmaEngine.load(folder, device="cpu", draft_rows=8)
        found = engine.generate(
            [replace(one, draft=text) for one, text in zip(requests, drafts, strict=True)]
        )
        assert all(same(one, other) for one, other in zip(found, expected, strict=True))
        assert engine._dispatcher.scheduler.n_drafted or drafts[0].startswith("not")


def test_a_failure_in_a_step_with_drafts_costs_no_answer(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = mixed()
    expected = load(draft_rows=0).generate(requests)
    decode, calls = SlotDecoder.decode_drafts, [0]

    def broken(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == 2:
            raise torch.OutOfMemoryError("no memory")
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SlotDecoder, "decode_drafts", broken)
    drafted = [replace(request, draft=one.text) for request, one in zip(requests, expected, strict=True)]
    engine = load(batch_size=4, draft_rows=4)
    found = engine.generate(drafted)
    assert [one.text for one in found] == [one.text for one in expected]
    assert engine._dispatcher.scheduler.n_slots == 2

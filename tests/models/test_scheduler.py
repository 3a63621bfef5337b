"""The slot scheduler: answers as one at a time, whoever joins and leaves; failures that stay with a crop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL.Image import Image
from transformers import GenerationConfig

from docai.errors import GenerationError, HeadNotAvailableError
from docai.models.drafts import MAX_DRAFT
from docai.models.engine import Generation, Request
from docai.models.generation import find_end, token_texts
from docai.models.heads import HEADS, Decoding
from docai.models.inputs import encode_prompts
from docai.models.paligemma import PaliGemmaEngine
from docai.models.scheduler import Scheduler
from docai.models.slots import SlotDecoder
from docai.pipelines.synthesis import samples
from tests.models.tiny import build_tiny, noise, tiny_head

HEADS_OF_TINY = {"table": {"max_tokens": 24}, "text": {"max_tokens": 12}}


def stock_text(engine: PaliGemmaEngine, request: Request) -> str:
    """The answer of transformers' own ``generate`` to one crop, cut by docai's rules."""
    model, head = engine._model, request.head
    inputs = encode_prompts(engine._processor, [head.prompt], [request.image], like=model)
    budget = engine._budget(request)
    config = GenerationConfig(max_new_tokens=budget, do_sample=False, eos_token_id=1, pad_token_id=0)
    with torch.inference_mode():
        sequence = model.generate(**inputs, generation_config=config)[0, inputs["input_ids"].shape[1] :]
    tokens = sequence.tolist()
    length, _ = find_end(tokens, budget, [1], head.decoding)
    return "".join(token_texts(engine._processor.tokenizer, tokens[:length]))


def mixed(count: int = 11) -> list[Request]:
    """Crops of two heads whose answers have all lengths."""
    return [
        Request(
            tiny_head(("table", "text")[i % 2], prompt=("read", "read a long line")[i % 2]),
            noise(i),
            max_tokens=1 + 5 * i % 23,
        )
        for i in range(count)
    ]


@pytest.fixture
def load(tiny_folder: Path) -> Callable[..., PaliGemmaEngine]:
    def load(folder: Path = tiny_folder, **options: int) -> PaliGemmaEngine:
        # Drafts have tests of their own.
        return PaliGemmaEngine.load(folder, device="cpu", **{"draft_rows": 0, **options})

    return load


@pytest.mark.parametrize("n_slots", [1, 3, 16])
def test_answers_are_those_of_generate_one_at_a_time(
    load: Callable[..., PaliGemmaEngine], n_slots: int
) -> None:
    engine = load(batch_size=n_slots)
    requests = mixed()
    found = engine.generate(requests)
    assert [one.text for one in found] == [stock_text(engine, request) for request in requests]
    scheduler = engine._dispatcher.scheduler
    assert scheduler.n_prefilled == len(requests)
    # The first token of each comes from reading the crop.
    assert scheduler.n_tokens == sum(one.n_tokens for one in found) - len(requests)
    if n_slots == 3:
        assert scheduler.n_steps < 0.45 * scheduler.n_tokens, "slots that become free are filled"


@pytest.mark.parametrize("text", [{"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}, {}])
def test_soft_caps_and_a_window_shorter_than_the_answer(
    tmp_path: Path, load: Callable[..., PaliGemmaEngine], text: dict[str, float]
) -> None:
    folder = build_tiny(tmp_path, heads=HEADS_OF_TINY, text=text | {"sliding_window": 8})
    engine = load(folder, batch_size=4)
    requests = mixed(8)
    found = engine.generate(requests)
    assert max(one.n_tokens for one in found) > 8
    assert [one.text for one in found] == [stock_text(engine, request) for request in requests]


@pytest.mark.parametrize(("n_behind", "fixed_shapes"), [(1, False), (2, False), (0, True), (1, True)])
def test_the_host_may_be_behind_and_shapes_may_be_fixed(
    load: Callable[..., PaliGemmaEngine], n_behind: int, fixed_shapes: bool
) -> None:
    engine = load(batch_size=6)
    requests = mixed(14)
    expected = engine.generate(requests)
    decoder = SlotDecoder(engine._model, fixed_shapes=fixed_shapes)
    engine._dispatcher.scheduler = Scheduler(
        decoder,
        engine._special_tokens,
        n_slots=6,
        context=8192,
        n_image=engine.checkpoint.n_image_tokens,
        n_behind=n_behind,
    )
    found = engine.generate(requests)
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))
    if fixed_shapes:
        assert decoder.shapes <= {(rows, 256, 1) for rows in (1, 2, 4, 6)}
    # Cut answers go on where they were, whatever else was written meanwhile.
    longer = [replace(request, max_tokens=24) for request in requests[-3:]]
    again = engine.generate(longer)
    assert all(same(one, other) for one, other in zip(again, load().generate(longer), strict=True))


def test_what_a_captured_step_reads_stays_where_it_is(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no CUDA device here: a graph would replay the same addresses with whatever they hold."""
    engine = load(batch_size=4)
    requests = mixed(9)
    expected = engine.generate(requests)
    fixed = load(batch_size=4, draft_rows=4)
    fixed._dispatcher.scheduler._decoder.fixed_shapes = True
    places: dict[tuple[int, int, int], set[tuple[int, ...]]] = {}
    step = SlotDecoder._step

    def watched(decoder: SlotDecoder, *shape: int) -> torch.Tensor:
        cached = [one for one in (*decoder.cache._keys, *decoder.cache._values) if one is not None]
        read = (decoder._tokens, decoder._lengths, decoder._adapters, decoder._n_rows, *cached)
        read += (decoder._drafts, decoder._n_drafted)
        places.setdefault((shape[0], shape[1], shape[2]), set()).add(
            tuple(tensor.data_ptr() for tensor in read)
        )
        return step(decoder, *shape)

    monkeypatch.setattr(SlotDecoder, "_step", watched)
    assert all(same(one, other) for one, other in zip(fixed.generate(requests), expected, strict=True))
    assert {shape[:2] for shape in places} == {(rows, 256) for rows in (1, 2, 4)}
    assert {shape[2] for shape in places} == {1, 1 + MAX_DRAFT}
    assert all(len(found) == 1 for found in places.values())


def same(one: Generation, other: Generation) -> bool:
    return (
        one.tokens == other.tokens
        and one.finish_reason == other.finish_reason
        and torch.allclose(torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4)
    )


def test_crops_with_one_prompt_can_be_read_together(load: Callable[..., PaliGemmaEngine]) -> None:
    engine = load(batch_size=6)
    requests = [Request(tiny_head(), noise(i)) for i in range(7)]
    expected = engine.generate(requests)
    fresh = load(batch_size=6)
    fresh._dispatcher.scheduler._n_prefill = 3
    assert all(same(one, other) for one, other in zip(fresh.generate(requests), expected, strict=True))


def test_asking_again_about_a_crop_reads_it_once(load: Callable[..., PaliGemmaEngine]) -> None:
    engine = load()
    first = [Request(tiny_head(), noise(i), max_tokens=5) for i in range(3)]
    cut = engine.generate(first)
    steps = engine._dispatcher.scheduler.n_tokens
    longer = [replace(request, max_tokens=20) for request in first]
    found = engine.generate(longer)
    assert engine._dispatcher.scheduler.n_prefilled == 3
    assert engine._dispatcher.scheduler.n_tokens - steps == 3 * 15, (
        "an answer that was cut goes on where it was"
    )
    assert [one.tokens[:5] for one in found] == [one.tokens for one in cut]
    nervous = replace(first[0], head=tiny_head(decoding=Decoding(max_repeats=2, max_period=1)))
    again = engine.generate([nervous, *longer[1:]])
    assert engine._dispatcher.scheduler.n_prefilled == 3
    other = load()
    expected = other.generate([nervous, *longer[1:]])
    assert all(same(one, two) for one, two in zip(again, expected, strict=True))
    assert other._dispatcher.scheduler.n_prefilled == 3


def test_a_prompt_that_fills_the_context_is_an_error_of_its_own(
    tmp_path: Path, load: Callable[..., PaliGemmaEngine]
) -> None:
    folder = build_tiny(tmp_path, heads=HEADS_OF_TINY, text={"max_position_embeddings": 24})
    engine = load(folder)
    crops = [Request(tiny_head(prompt="x"), noise(0)), Request(tiny_head(prompt="too long"), noise(1))]
    crops += [replace(one, head=replace(one.head, decoding=Decoding(num_beams=2))) for one in crops]
    fits, full, fits_beams, full_beams = engine.generate(crops)
    assert (fits.n_tokens, fits.finish_reason) == (24 - 16 - 3, "length")
    assert fits_beams.finish_reason == "length"
    for one in (full, full_beams):
        assert one.finish_reason == "error"
        assert "take 26 tokens of the 24" in (one.error or "")


class Broken:
    """Makes a method of the decoder fail while a condition holds."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        method: str,
        error: Exception,
        when: Callable[[SlotDecoder, Sequence[int] | int], bool],
    ) -> None:
        self.n_failed = 0
        call = getattr(SlotDecoder, method)

        def broken(
            decoder: SlotDecoder, first: Sequence[int] | int, *args: object, **options: object
        ) -> torch.Tensor:
            if when(decoder, first):
                self.n_failed += 1
                raise error
            return call(decoder, first, *args, **options)

        monkeypatch.setattr(SlotDecoder, method, broken)


@pytest.mark.parametrize("method", ["prefill", "decode"])
def test_when_memory_runs_out_half_of_the_slots_are_given_up(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    engine = load(batch_size=8)
    requests = mixed()
    expected = load().generate(requests)
    with monkeypatch.context() as patch:
        error = torch.OutOfMemoryError("CUDA out of memory.")
        broken = Broken(patch, method, error, lambda decoder, _: decoder.cache.n_slots > 2)
        found = engine.generate(requests)
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))
    assert broken.n_failed == 2
    assert engine._dispatcher.scheduler.n_slots == 2, "the next call begins with what fits"
    engine.generate(requests)
    assert broken.n_failed == 2


def test_what_has_ended_is_kept_when_memory_runs_out(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(batch_size=4)
    requests = mixed()
    error = torch.OutOfMemoryError("CUDA out of memory.")
    Broken(
        monkeypatch,
        "prefill",
        error,
        lambda decoder, _: (
            engine._dispatcher.scheduler.n_slots == 4 and engine._dispatcher.scheduler.n_prefilled == 9
        ),
    )
    found = engine.generate(requests)
    assert all(same(one, other) for one, other in zip(found, load().generate(requests), strict=True))
    # Of the nine, those that were still being written and no others are read again.
    assert len(requests) < engine._dispatcher.scheduler.n_prefilled <= len(requests) + 3


def test_memory_that_is_too_small_for_one_crop_is_an_error(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(batch_size=4)
    with monkeypatch.context() as patch:
        Broken(patch, "prefill", torch.OutOfMemoryError("CUDA out of memory."), lambda *_: True)
        found = engine.generate(mixed(3))
    assert [one.finish_reason for one in found] == ["error"] * 3
    assert found[0].error == "OutOfMemoryError: CUDA out of memory."
    assert engine.generate(mixed(1))[0].finish_reason == "length"


@pytest.mark.parametrize("count", [1, 3])
def test_one_bad_crop_of_many_costs_one(load: Callable[..., PaliGemmaEngine], count: int) -> None:
    engine = load(batch_size=4)
    engine._dispatcher.scheduler._n_prefill = count
    requests = [Request(tiny_head(), noise(i), max_tokens=3) for i in range(64)]
    pixels = engine._inputs.pixels

    def failing(image: Image) -> torch.Tensor:
        if image is requests[40].image:
            raise RuntimeError("bad pixels")
        return pixels(image)

    engine._inputs.pixels = failing  # type: ignore[method-assign]
    found = engine.generate(requests)
    assert [i for i, one in enumerate(found) if one.finish_reason == "error"] == [40]
    assert found[40].error == "RuntimeError: bad pixels"
    assert engine._dispatcher.scheduler.n_prefilled == 63


def test_a_beam_search_waits_for_no_stream(load: Callable[..., PaliGemmaEngine]) -> None:
    engine = load(batch_size=2)
    wide = Request(tiny_head(max_tokens=4, decoding=Decoding(num_beams=2)), noise(9))
    requests = [*mixed(4), wide, *mixed(12)[4:]]
    stream = engine.stream()
    stream.submit(enumerate(requests))
    order = [number for number, _ in stream.answers()]
    assert sorted(order) == list(range(len(requests)))
    assert order.index(4) < 8
    assert [one.text for one in load().generate(requests)] == [one.text for one in engine.generate(requests)]


def test_a_grammar_that_cannot_begin_is_the_failure_of_its_crop(
    load: Callable[..., PaliGemmaEngine],
) -> None:
    class Unusable:
        name = "unusable"

        def matcher(self) -> object:
            raise RuntimeError("no grammar")

    engine = load(batch_size=2)
    scheduler = engine._dispatcher.scheduler
    jobs = [engine._ticket(request).work for request in mixed(6)]
    jobs[3] = replace(jobs[3], constraint=Unusable())
    # One that is read anew, and one whose picture a slot still holds.
    jobs.append(replace(jobs[5], constraint=Unusable()))
    for job in jobs:
        scheduler.submit(job)
    outcomes = {}
    while not scheduler.is_idle:
        outcomes |= dict(scheduler.step())
    failed = [index for index, job in enumerate(jobs) if isinstance(outcomes[job], Exception)]
    assert failed == [3, 6]


@pytest.mark.parametrize("after", [0, 2])
def test_a_grammar_that_allows_nothing_more_is_the_failure_of_its_crop(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    class Stuck:
        n_taken = 0

        def consume_token(self, token: int) -> bool:
            self.n_taken += 1
            return True

    class Narrow:
        name = "narrow"

        def matcher(self) -> Stuck:
            return Stuck()

    def allowed_tokens(
        matchers: Sequence[Stuck | None], logits: torch.Tensor
    ) -> tuple[torch.Tensor, dict[int, str]]:
        stuck = [i for i, one in enumerate(matchers) if one is not None and one.n_taken >= after]
        return torch.ones_like(logits, dtype=torch.bool), dict.fromkeys(stuck, "no token is allowed")

    monkeypatch.setattr("docai.models.constrained.allowed_tokens", allowed_tokens)
    engine = load(batch_size=2)
    scheduler = engine._dispatcher.scheduler
    requests = mixed(6)
    jobs = [engine._ticket(request).work for request in requests]
    jobs[3] = replace(jobs[3], constraint=Narrow())
    for job in jobs:
        scheduler.submit(job)
    outcomes = {}
    while not scheduler.is_idle:
        outcomes |= dict(scheduler.step())
    failed = {index: outcomes[job] for index, job in enumerate(jobs) if isinstance(outcomes[job], Exception)}
    assert {index: (type(error), str(error)) for index, error in failed.items()} == {
        3: (GenerationError, "The grammar 'narrow' failed: no token is allowed.")
    }
    expected = load().generate(requests)
    assert all(
        len(outcomes[job].tokens) == one.n_tokens
        for index, (job, one) in enumerate(zip(jobs, expected, strict=True))
        if index != 3
    )


def test_a_step_that_fails_is_tried_with_fewer_answers(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(batch_size=8)
    requests = mixed()
    expected = load().generate(requests)
    Broken(monkeypatch, "decode", RuntimeError("kernel"), lambda _, n_rows: int(n_rows) > 2)  # type: ignore[call-overload]
    found = engine.generate(requests)
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))
    assert engine._dispatcher.scheduler.n_slots == 8
    Broken(monkeypatch, "decode", RuntimeError("device lost"), lambda *_: True)
    lost = engine.generate([Request(tiny_head(), noise(50 + i), max_tokens=1 + i % 2) for i in range(5)])
    assert [one.error for one in lost] == [None, "RuntimeError: device lost"] * 2 + [None]


def test_answers_come_when_they_are_ready(load: Callable[..., PaliGemmaEngine]) -> None:
    stream = load(batch_size=2).stream()
    images = {20: noise(0), 2: noise(1), 3: noise(2), 1: noise(3)}
    stream.submit((n, Request(tiny_head(), image, n)) for n, image in images.items())
    order = []
    for n, generation in stream.answers():
        assert generation.n_tokens == n
        if not order:
            stream.submit([(4, Request(tiny_head(), noise(4), 4))])
        order.append(n)
    assert sorted(order) == [1, 2, 3, 4, 20]
    assert order[-1] == 20, "short answers do not wait for the long one"
    assert list(stream.answers()) == []


def test_an_answer_ends_at_its_deadline_with_what_it_has(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step takes a second here; the others go on."""
    engine = load(batch_size=2)
    now = [0.0]
    decode = SlotDecoder.decode

    def slow(*arguments: int) -> torch.Tensor:
        now[0] += 1.0
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SlotDecoder, "decode", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    requests = [Request(tiny_head(), noise(i), 20) for i in range(3)]
    late = [
        replace(request, deadline=limit) for request, limit in zip(requests, (4.0, None, 4.5), strict=True)
    ]
    first, second, third = engine.generate(late)
    assert (first.finish_reason, first.n_tokens) == ("deadline", 5)
    assert (second.finish_reason, second.n_tokens) == ("length", 20)
    # It came into a slot with half a second left.
    assert (third.finish_reason, third.n_tokens) == ("deadline", 2)
    (never,) = engine.generate([replace(requests[0], image=noise(9), deadline=1.0)])
    assert (never.finish_reason, never.text) == ("deadline", "")
    wide = replace(requests[0], head=tiny_head(decoding=Decoding(num_beams=2)))
    (searched,) = engine.generate([replace(wide, deadline=1.0)])
    assert (searched.finish_reason, searched.text) == ("deadline", "")
    # Asked again, it goes on where it was.
    n_prefilled = engine._dispatcher.scheduler.n_prefilled
    whole = engine.generate([requests[2]])[0]
    assert engine._dispatcher.scheduler.n_prefilled == n_prefilled
    assert same(whole, load().generate([requests[2]])[0])


def test_a_beam_search_ends_at_its_deadline(load: Callable[..., PaliGemmaEngine]) -> None:
    engine = load()
    wide = Request(tiny_head(decoding=Decoding(num_beams=2)), noise(), 20)
    engine._model.register_forward_pre_hook(lambda *_: time.sleep(0.2))
    (found,) = engine.generate([replace(wide, deadline=time.monotonic() + 0.5)])
    assert found.finish_reason == "deadline"
    assert found.n_tokens < 20


def test_what_cannot_be_asked_spoils_no_stream(load: Callable[..., PaliGemmaEngine]) -> None:
    stream = load().stream()
    with pytest.raises(HeadNotAvailableError):
        stream.submit([(0, Request(tiny_head(), noise(), 2)), (1, Request(tiny_head("score"), noise(), 2))])
    assert list(stream.answers()) == []
    stream.submit([(2, Request(tiny_head(), noise(), 2))])
    assert [key for key, _ in stream.answers()] == [2]


def test_who_comes_later_waits_for_one_step_only(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that writes a long answer keeps nobody from putting crops, nor from their answers."""
    engine = load(batch_size=2)
    long, short = Request(tiny_head(), noise(0), 24), Request(tiny_head(), noise(1), 3)
    ended: list[str] = []
    decode = SlotDecoder.decode
    with ThreadPoolExecutor(2) as threads:

        def slow(*arguments: int) -> torch.Tensor:
            if not futures:
                futures.append(threads.submit(engine.generate, [short]))
                futures[0].add_done_callback(lambda _: ended.append("short"))
            # Time for the other thread to see its answer.
            time.sleep(0.01)
            return decode(*arguments)  # type: ignore[arg-type]

        futures: list[Future[list[Generation]]] = []
        monkeypatch.setattr(SlotDecoder, "decode", slow)
        engine.generate([long])
        ended.append("long")
        futures[0].result()
    assert ended == ["short", "long"]


def test_threads_are_answered_together(load: Callable[..., PaliGemmaEngine]) -> None:
    engine = load(batch_size=8)
    lists = [[Request(tiny_head(), noise(10 * i + k)) for k in range(3)] for i in range(4)]
    expected = [load().generate(requests) for requests in lists]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(engine.generate, lists))
    for ones, others in zip(found, expected, strict=True):
        assert all(same(one, other) for one, other in zip(ones, others, strict=True))


def test_what_is_interrupted_is_forgotten(
    load: Callable[..., PaliGemmaEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(batch_size=2)
    with monkeypatch.context() as patch:
        Broken(patch, "decode", KeyboardInterrupt(), lambda *_: engine._dispatcher.scheduler.n_steps == 3)  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            engine.generate(mixed())
    assert engine._dispatcher.scheduler.is_idle
    assert [one.text for one in engine.generate(mixed(3))] == [one.text for one in load().generate(mixed(3))]


def test_memory_is_given_back(load: Callable[..., PaliGemmaEngine]) -> None:
    engine = load()
    before = engine.generate(mixed(3))
    cache = engine._dispatcher.scheduler._decoder.cache
    assert cache.n_bytes > 0
    stream = engine.stream()
    stream.submit(enumerate(mixed(1)))
    engine.close()
    assert cache.n_bytes == 0
    ((_, closed),) = stream.answers()
    assert closed.error == "GenerationError: The engine was closed before it had answered."
    stream.submit(enumerate(mixed(2)))
    stream.close()
    assert list(stream.answers()) == []
    assert all(same(one, other) for one, other in zip(engine.generate(mixed(3)), before, strict=True))


@pytest.mark.slow(seconds=60)
def test_nano_answers_mixed_crops_as_generate_does_one_at_a_time() -> None:
    """With tiles, as lines of a text that is cut in two."""
    engine = PaliGemmaEngine.load("nano", device="cpu", batch_size=4)
    requests = []
    for name in ("text", "table", "molecule", "score"):
        head = replace(HEADS[name], decoding=Decoding())
        for sample in islice(samples(name, 5, difficulty=0.3, split="held-out"), 2):
            requests.append(Request(head, sample.image, max_tokens=(60, 33)[len(requests) % 2]))
    tile = requests[0].image
    for top in (0, 448):
        half = tile.crop((0, top, 896, top + 448))
        square = tile.copy()
        square.paste("white", (0, 0, 896, 896))
        square.paste(half, (0, 224))
        requests.append(Request(requests[0].head, square, max_tokens=40))
    # Its own grammar for tables is not what generate() writes.
    engine._heads = {
        name: entry.model_copy(update={"constrained": False}) for name, entry in engine._heads.items()
    }
    found = engine.generate(requests)
    assert [one.text for one in found] == [stock_text(engine, request) for request in requests]
    assert len({one.n_tokens for one in found}) > 2


@pytest.mark.parametrize("causal_prompt", [False, True])
@pytest.mark.parametrize("text", [{"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}, {}])
def test_of_the_last_layer_the_last_position_alone_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: dict[str, float], causal_prompt: bool
) -> None:
    """The same logits, keys and values as where all positions are; and the model is left as it was."""
    model = PaliGemmaEngine.load(build_tiny(tmp_path, heads=HEADS_OF_TINY, text=text), device="cpu")._model
    layers = model.model.language_model.layers
    sizes: list[int] = []
    layers[-1].mlp.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[1]))
    pixels = torch.rand((2, 3, 56, 56), generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = []
    for is_short in (True, False):
        decoder = SlotDecoder(model)
        with monkeypatch.context() as patch, torch.inference_mode():
            if not is_short:
                patch.setattr("docai.models.slots.last_position_alone", lambda _: nullcontext())
            decoder.reserve(2, 40)
            logits = decoder.prefill([0, 1], pixels, [2, 50, 60, 70], causal_prompt=causal_prompt)
        cached = [one[:, :, :20] for one in (*decoder.cache._keys, *decoder.cache._values) if one is not None]
        found.append([logits, *cached])
    assert sizes == [1, 20]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert "forward" not in vars(layers[-1])


def test_answers_past_the_window_that_converted_checkpoints_keep(tmp_path: Path) -> None:
    """4,096 image tokens, as at 896 px, and a window of as many: each token written is past it."""
    folder = build_tiny(
        tmp_path, image_size=896, heads={"table": {"max_tokens": 12}}, text={"sliding_window": 4096}
    )
    engine = PaliGemmaEngine.load(folder, device="cpu", batch_size=2)
    requests = [Request(tiny_head(max_tokens=12), noise(i, 896), 12 - 4 * i) for i in range(2)]
    found = engine.generate(requests)
    assert engine.checkpoint.n_image_tokens == 4096
    assert [one.n_tokens for one in found] == [12, 8]
    assert [one.text for one in found] == [stock_text(engine, request) for request in requests]

"""Measures the engine beside plain ``generate`` of transformers, on the same crops in one run.

    python benchmarks/engine.py                     the embedded model on crops that are drawn for it
    python benchmarks/engine.py --shape 3b          random weights of the official shape (a GPU)
    python benchmarks/engine.py --check 3b          are the answers right at that width (see below)

Ways are measured in turn, ``--repeats`` times, and the median is printed: ``one at a time`` and ``batched``
are ``generate`` as its users call it, the latter with crops of one head padded on the left and ``--slots`` of
them in a batch; ``docai`` is the slot scheduler with as many slots; then with what an answer repeats of
itself as drafts, and with the words of a PDF as well: those are the truths of drawn tables and texts, as the
text layer of a born-digital page without faults would say them. CPU seconds hold where the machine is busy
with other things, wall seconds do not. ``prefill`` is the time for the first token of each crop, ``decode``
the rest. ``equal`` counts the answers that are those of ``one at a time``, token by token. Where there is a
GPU the share of the floor is printed: operations and bytes counted, over the rates of a large product and of
a large copy measured on the spot.

``--check`` compares, at full width and with ``--layers`` layers: the attention that docai chooses with
transformers' eager one, with soft caps and without; and slots with one crop at a time. On a CPU it reads
crops of 224 px unless ``--side`` says otherwise; ``--side 896 --tokens 20`` passes 4,096 positions.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import torch
import transformers
from common import script_parser
from engine_shapes import (
    IMAGE_ID,
    SHAPES,
    SIDES,
    decode_bytes,
    prefill_flops,
    random_model,
    shape_config,
)
from transformers import GenerationConfig

from docai.environment import processor
from docai.models.answering import answer_jobs
from docai.models.generation import Answer, SpecialTokens, find_end
from docai.models.heads import HEADS, Decoding
from docai.models.jobs import Job
from docai.models.paligemma import PaliGemmaEngine
from docai.models.scheduler import Scheduler
from docai.models.slots import SlotDecoder

FREE = Decoding(max_repeats=10_000, max_period=1)
"""No answer is cut short by a loop: random weights make a model repeat itself."""

BUDGETS = (64, 1024, 128, 512, 64, 256)
"""Tokens of the answers of a random model, in turn."""


@dataclass(frozen=True, eq=False)
class Item:
    """One crop, with what is asked about it."""

    head: str
    prompt: tuple[int, ...]
    pixels: Callable[[], torch.Tensor]
    budget: int
    decoding: Decoding
    draft: tuple[int, ...] = ()
    """What the text layer of a born-digital page would say."""


@dataclass
class Subject:
    """A model and the crops that it reads."""

    name: str
    model: Any
    special: SpecialTokens
    n_image: int
    image_id: int
    items: list[Item] = field(default_factory=list)
    graphs: bool = False
    """Steps are captured as CUDA graphs."""
    steps: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Of the last run in slots: steps, tokens that they wrote, tokens of drafts, and how many were right."""

    @property
    def is_cuda(self) -> bool:
        return bool(self.model.device.type == "cuda")


def embedded(name: str, device: str, dtype: str | None, count: int, most: int) -> Subject:
    """A checkpoint, and crops that are drawn for its heads, one head after the other."""
    from docai.pipelines.synthesis import samples

    engine = PaliGemmaEngine.load(name, device=device, dtype=dtype)
    heads = sorted(engine.heads() & HEADS.keys())
    streams = {head: samples(head, 5, difficulty=0.3, split="held-out") for head in heads}
    image_id = engine._processor.image_token_id
    subject = Subject(
        engine.name, engine._model, engine._special_tokens, engine.checkpoint.n_image_tokens, image_id
    )
    for head in islice(heads * count, count):
        sample, entry = next(streams[head]), HEADS[head]
        image = sample.image
        limits = (most, entry.max_tokens, engine.checkpoint.heads[head].max_tokens)
        budget = min(limit for limit in limits if limit is not None)
        prompt = engine._inputs.prompt(entry.prompt)
        draft = engine._inputs.answer(sample.target) if head in ("table", "text") else ()
        subject.items.append(
            Item(
                head, prompt, lambda image=image: engine._inputs.pixels(image), budget, entry.decoding, draft
            )
        )
    return subject


def random_subject(options: Any, layers: int | None, cap: float | None, attention: str = "auto") -> Subject:
    """A model of a shape with random weights, and random crops of two prompts."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    name = options.shape or options.check
    config = shape_config(name, side=options.side, layers=layers, vocabulary=options.vocabulary, cap=cap)
    model = random_model(config, device, dtype, attention)  # type: ignore[arg-type]
    n_image = (options.side // 14) ** 2
    subject = Subject(f"{name}, random", model, SpecialTokens(0, 2, (1,)), n_image, IMAGE_ID)
    prompts = {"one": (2, 20, 21, 22), "other": (2, 30, 31, 32, 33, 34, 35)}
    generator = torch.Generator().manual_seed(0)
    for index in range(options.crops):
        head = ("one", "other")[index % 2]
        pixels = torch.rand((3, options.side, options.side), generator=generator) * 2 - 1
        budget = min(BUDGETS[index % len(BUDGETS)], options.tokens)
        subject.items.append(Item(head, prompts[head], lambda pixels=pixels: pixels, budget, FREE))
    return subject


def plain(subject: Subject, items: Sequence[Item], most: int | None = None) -> list[Answer]:
    """One batch by ``generate``, padded on the left, its answers cut by docai's rules."""
    model = subject.model
    longest = max(len(item.prompt) for item in items)
    ids, mask = [], []
    for item in items:
        n_pad = longest - len(item.prompt)
        ids.append([subject.special.pad] * n_pad + [subject.image_id] * subject.n_image + list(item.prompt))
        mask.append([0] * n_pad + [1] * (len(ids[-1]) - n_pad))
    budgets = [item.budget if most is None else min(most, item.budget) for item in items]
    inputs = {
        "input_ids": torch.tensor(ids, device=model.device),
        "attention_mask": torch.tensor(mask, device=model.device),
        "token_type_ids": torch.zeros((len(ids), len(ids[0])), dtype=torch.int64, device=model.device),
        "pixel_values": torch.stack([item.pixels() for item in items]).to(model.device, model.dtype),
    }
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max(budgets),
        eos_token_id=list(subject.special.ends),
        pad_token_id=subject.special.pad,
    )
    with torch.inference_mode():
        sequences = model.generate(**inputs, generation_config=config)[:, len(ids[0]) :].tolist()
    answers = []
    for row, item, budget in zip(sequences, items, budgets, strict=True):
        length, reason = find_end(row, budget, subject.special.ends, item.decoding)
        answers.append(Answer(row[:length], [], reason))
    return answers


def one_at_a_time(subject: Subject, slots: int, most: int | None) -> list[Answer]:
    return [answer for item in subject.items for answer in plain(subject, [item], most)]


def batched(subject: Subject, slots: int, most: int | None) -> list[Answer]:
    """Head by head, since their prompts and adapters differ."""
    answers: dict[int, Answer] = {}
    for head in dict.fromkeys(item.head for item in subject.items):
        of_head = [index for index, item in enumerate(subject.items) if item.head == head]
        for start in range(0, len(of_head), slots):
            chosen = of_head[start : start + slots]
            answers.update(zip(chosen, plain(subject, [subject.items[i] for i in chosen], most), strict=True))
    return [answers[index] for index in range(len(subject.items))]


def in_slots(
    subject: Subject, slots: int, most: int | None, *, drafts: bool = False, words: bool = False
) -> list[Answer]:
    """The scheduler, with the device one step ahead where there is one."""
    scheduler = Scheduler(
        SlotDecoder(subject.model, fixed_shapes=subject.graphs, graphs=subject.graphs),
        subject.special,
        n_slots=slots,
        context=8192,
        n_image=subject.n_image,
        n_behind=1 if subject.is_cuda else 0,
        draft_rows=slots if drafts else 0,
    )
    jobs = []
    for item in subject.items:
        budget = item.budget if most is None else min(most, item.budget)
        draft = item.draft if words else ()
        jobs.append(Job(item.pixels, item.prompt, budget, item.decoding, draft=draft))
    answers = answer_jobs(scheduler, jobs)
    if most is None:
        subject.steps = scheduler.n_steps, scheduler.n_tokens, scheduler.n_drafted, scheduler.n_right
    return answers


WAYS: dict[str, Callable[[Subject, int, int | None], list[Answer]]] = {
    "one at a time": one_at_a_time,
    "batched": batched,
    "docai": in_slots,
    "docai, repetitions as drafts": partial(in_slots, drafts=True),
    "docai, words as drafts": partial(in_slots, drafts=True, words=True),
}


@dataclass
class Figures:
    """What one way took, a number for each repeat."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    prefill: list[float] = field(default_factory=list)
    peak: int = 0
    steps: tuple[int, int, int, int] = (0, 0, 0, 0)
    answers: list[Answer] = field(default_factory=list)


def timed(subject: Subject, way: str, slots: int, most: int | None) -> tuple[float, float, list[Answer]]:
    """CPU seconds, wall seconds and answers."""
    if subject.is_cuda:
        torch.cuda.synchronize()
    cpu, wall = time.process_time(), time.perf_counter()
    answers = WAYS[way](subject, slots, most)
    if subject.is_cuda:
        torch.cuda.synchronize()
    return time.process_time() - cpu, time.perf_counter() - wall, answers


def compare(subject: Subject, slots: int, repeats: int, ways: Sequence[str]) -> dict[str, Figures]:
    """All ways in turn, so that what else the machine does falls on all of them."""
    found = {way: Figures() for way in ways}
    for _ in range(repeats):
        for way, figures in found.items():
            subject.steps = (0, 0, 0, 0)
            if subject.is_cuda:
                torch.cuda.reset_peak_memory_stats()
            cpu, wall, figures.answers = timed(subject, way, slots, None)
            figures.steps = subject.steps
            figures.cpu.append(cpu)
            figures.wall.append(wall)
            first_cpu, first_wall, _ = timed(subject, way, slots, 1)
            figures.prefill.append(first_wall if subject.is_cuda else first_cpu)
            if subject.is_cuda:
                figures.peak = torch.cuda.max_memory_allocated()
    return found


def rows(subject: Subject, found: dict[str, Figures]) -> Iterator[str]:
    """The table, in Markdown; seconds are those of the CPU, or of the wall where there is a GPU."""
    unit = "wall s" if subject.is_cuda else "CPU s"
    names = (
        "way",
        unit,
        "ratio",
        "crops/s",
        "tokens/s",
        "prefill s/crop",
        "decode ms/token",
        "equal",
        "peak GiB",
    )
    yield f"| {' | '.join(names)} |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    reference = next(iter(found.values()))
    total = {way: statistics.median(one.wall if subject.is_cuda else one.cpu) for way, one in found.items()}
    for way, figures in found.items():
        seconds, first = total[way], statistics.median(figures.prefill)
        n_crops = len(figures.answers)
        n_tokens = sum(len(answer.tokens) for answer in figures.answers)
        equal = sum(
            one.tokens == other.tokens for one, other in zip(figures.answers, reference.answers, strict=True)
        )
        decode = 1000 * max(seconds - first, 0) / max(1, n_tokens - n_crops)
        peak = f"{figures.peak / 2**30:.1f}" if figures.peak else "–"
        ratio = seconds / next(iter(total.values()))
        yield (
            f"| {way} | {seconds:.1f} | {ratio:.2f} | {n_crops / seconds:.2f} | {n_tokens / seconds:.0f} "
            f"| {first / n_crops:.3f} | {decode:.1f} | {equal}/{n_crops} | {peak} |"
        )


def told_steps(found: dict[str, Figures]) -> Iterator[str]:
    """How many tokens a step wrote, and what drafts were worth."""
    for way, figures in found.items():
        n_steps, n_tokens, n_drafted, n_right = figures.steps
        if n_steps:
            alone = n_tokens / max(1, n_tokens - n_right)
            yield (
                f"{way}: {n_steps} steps, {n_tokens / n_steps:.2f} tokens a step, {alone:.2f} an answer, "
                f"{n_right} of {n_drafted} tokens of drafts were right"
            )


def floor(subject: Subject, found: dict[str, Figures], slots: int) -> str:
    """What the hardware would take at the rates that it has here, beside what docai took."""
    device, dtype = subject.model.device, subject.model.dtype
    side = 8192
    left = torch.randn(side, side, device=device, dtype=dtype)
    source = torch.empty(1 << 30, dtype=torch.uint8, device=device)

    def rate(work: Callable[[], object], amount: float) -> float:
        best = float("inf")
        for _ in range(5):
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(10):
                work()
            torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
        return 10 * amount / best

    flops = rate(lambda: left @ left, 2.0 * side**3)
    bandwidth = rate(lambda: source.clone(), 2.0 * source.numel())
    config = subject.model.config
    answers = found["docai"].answers
    n_tokens = sum(len(answer.tokens) for answer in answers)
    read = len(answers) * prefill_flops(config, len(subject.items[0].prompt)) / flops
    n_steps = n_tokens / min(slots, len(answers))
    written = n_steps * decode_bytes(config, slots, subject.n_image + 256, left.element_size()) / bandwidth
    wall, first = statistics.median(found["docai"].wall), statistics.median(found["docai"].prefill)
    return (
        f"Floor: {flops / 1e12:.0f} TFLOP/s and {bandwidth / 1e12:.2f} TB/s measured; prefill {read:.2f} s, "
        f"decode {written:.2f} s. docai: prefill at {100 * read / first:.0f} %, "
        f"decode at {100 * written / max(wall - first, 1e-9):.0f} %."
    )


def check(options: Any) -> Iterator[str]:
    """Whether attention and slots give what plain eager ``generate`` gives, at full width."""
    layers = options.layers or 2
    for cap in (None, 50.0):
        subject = random_subject(options, layers, cap)
        answers = in_slots(subject, options.slots, None)
        # One answer of each length, read in one pass by transformers' eager attention.
        eager = random_subject(options, layers, cap, "eager")
        worst = 0.0
        for item, answer in zip(subject.items, answers, strict=True):
            logprobs = teacher_forced(eager, item, answer.tokens)
            pairs = zip(logprobs, answer.logprobs, strict=True)
            worst = max(worst, *(abs(one - other) for one, other in pairs))
        alone = [answer for item in eager.items for answer in plain(eager, [item])]
        equal = sum(one.tokens == other.tokens for one, other in zip(answers, alone, strict=True))
        longest = max(
            len(item.prompt) + len(answer.tokens) for item, answer in zip(subject.items, answers, strict=True)
        )
        yield (
            f"{options.check}, {layers} layers, {subject.model.dtype}, soft caps {cap}: "
            f"{len(answers)} crops of {options.side} px, {sum(len(a.tokens) for a in answers)} tokens, "
            f"up to position {subject.n_image + longest}; "
            f"largest difference of a log-probability {worst:.2g}; "
            f"answers equal to eager generate one at a time: {equal} of {len(answers)}"
        )


def teacher_forced(subject: Subject, item: Item, tokens: Sequence[int]) -> list[float]:
    """Log-probability of each token of an answer, from one forward pass over all of it."""
    ids = [subject.image_id] * subject.n_image + list(item.prompt) + list(tokens)
    types = [0] * (len(ids) - len(tokens)) + [1] * len(tokens)
    device = subject.model.device
    with torch.inference_mode():
        logits = subject.model(
            input_ids=torch.tensor([ids], device=device),
            token_type_ids=torch.tensor([types], device=device),
            attention_mask=torch.ones((1, len(ids)), dtype=torch.int64, device=device),
            pixel_values=item.pixels()[None].to(device, subject.model.dtype),
            logits_to_keep=len(tokens) + 1,
        ).logits[0, :-1]
    logprobs = logits.float().log_softmax(-1)
    found: list[float] = logprobs[range(len(tokens)), list(tokens)].tolist()
    return found


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--model", default="nano", help="a checkpoint's name or folder (default nano)")
    parser.add_argument("--shape", choices=SHAPES, help="random weights of this shape in its place")
    parser.add_argument("--check", choices=SHAPES, help="compare answers at this width, measure nothing")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--dtype", default=None, help="by default the device's")
    parser.add_argument("--crops", type=int, default=None, help="20, or 6 with --check")
    parser.add_argument("--slots", type=int, default=8, help="answers at a time, and crops in a batch")
    parser.add_argument("--layers", type=int, default=None, help="of a shape: all, or 2 with --check")
    parser.add_argument("--side", type=int, choices=SIDES, default=None, help="of a shape's crops")
    parser.add_argument("--tokens", type=int, default=None, help="most tokens of an answer")
    parser.add_argument("--vocabulary", type=int, default=None, help="of a shape")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--graphs", action="store_true", help="capture docai's steps as CUDA graphs")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    on_gpu = torch.cuda.is_available() and options.device != "cpu"
    options.crops = options.crops or (6 if options.check else 20)
    options.side = options.side or (896 if on_gpu else 224)
    options.tokens = options.tokens or (24 if options.check or (options.shape and not on_gpu) else 1024)
    options.vocabulary = options.vocabulary or (257_216 if on_gpu else 4096)
    gpu = torch.cuda.get_device_name() if on_gpu else "no GPU"
    print(
        f"{processor()}, {torch.get_num_threads()} threads; {gpu}; "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )
    if options.check:
        for line in check(options):
            print(line, flush=True)
        return
    if options.shape:
        subject = random_subject(options, options.layers, None)
    else:
        subject = embedded(options.model, options.device, options.dtype, options.crops, options.tokens)
    subject.graphs = options.graphs and subject.is_cuda
    print(f"{subject.name}, {subject.model.dtype}, {len(subject.items)} crops, {options.slots} slots\n")
    found = compare(subject, options.slots, options.repeats, options.ways)
    print("\n".join(rows(subject, found)))
    print("\n" + "\n".join(told_steps(found)))
    if subject.is_cuda and "docai" in found:
        print(f"\n{floor(subject, found, options.slots)}")
    if not subject.is_cuda and sys.platform == "linux":
        print(f"\nPeak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()

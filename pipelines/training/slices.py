"""Training of the embedded checkpoint in slices that stop by the clock and resume where they stopped."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from docai.pipelines.training.feed import Feed, FeedSettings, cut_sample, n_symbols
from docai.pipelines.training.nano import WIDTH, build_model, build_processor, save_checkpoint
from docai.pipelines.training.patches import (
    IGNORE,
    SUBCELLS,
    SparseSample,
    answer,
    collate,
    cut_patches,
    encode_patches,
    forward,
    has_ink,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PaliGemmaForConditionalGeneration

NANO_MAX_TOKENS = {"table": 420, "molecule": 96, "score": 384, "text": 420}
"""Longest answer of each head of the embedded checkpoint, in tokens; the longest it is trained on."""


@dataclass(frozen=True)
class SliceSettings:
    """How the embedded checkpoint is trained. Times are wall-clock."""

    total_minutes: float = 60.0
    """Length of the whole schedule, over all slices."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"text": 0.3, "table": 0.25, "molecule": 0.25, "score": 0.2}
    )
    last_share: float = 0.2
    """Last share of the schedule, in which ``whole_share`` of the samples keep their white patches: that is
    what reading sees, at four times the price."""
    whole_share: float = 0.5
    learning_rate: float = 1e-3
    warmup_share: float = 0.03
    weight_decay: float = 0.05
    batch_samples: int = 8
    micro_tokens: int = 2_048
    """Padded tokens, image and text, that go through the model at once."""
    symbol_weight: float = 1.0
    """Weight of the auxiliary task at the start; a quarter of it at the end."""
    pointer_weight: float = 0.3
    """Weight of the pointing head's loss: where to look is told, not only what is to be said there. Without
    it the decoder needs many times the samples to find the letters that the tower has read."""
    tower_share: float = 0.2
    """First share of the schedule in which only the tower learns, from the auxiliary task: the decoder has
    nothing to read before the tower tells symbols apart."""
    report_minutes: float = 2.0
    difficulty: float = 0.5
    """Difficulty of the hardest samples, 0…1."""
    difficulty_share: float = 0.7
    """Share of the schedule over which the samples grow to that difficulty."""
    seed: int = 1
    workers: int = 1


@dataclass
class Progress:
    """Where a training stands."""

    minutes: float = 0.0
    step: int = 0
    samples: int = 0
    interrupted: bool = False
    """The last slice was ended by Ctrl-C; it resumes like any other."""


def train_slice(
    folder: Path,
    minutes: float,
    settings: SliceSettings,
    report: Callable[[str], None],
) -> Progress:
    """Train for ``minutes`` or to the end of the schedule, from ``folder/state.pt`` where there is one.

    Writes ``state.pt`` (weights, optimiser, progress), ``log.jsonl`` (one line a report) and
    ``checkpoint/`` (a folder that ``process(model=…)`` takes) at the end of the slice and every four minutes.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    processor = build_processor()
    state_path = folder / "state.pt"
    model = build_model(processor, None if state_path.exists() else patch_statistics(settings.seed))
    # Measured on two cores at some 300 tokens a sample: eager attention in bf16 takes two thirds of the time
    # of the fused kernel, whose backward pass with a mask is slow on CPUs.
    model.model.language_model.config._attn_implementation = "eager"
    model.model.vision_tower.config._attn_implementation = "eager"
    symbols = torch.nn.Linear(WIDTH, SUBCELLS * SUBCELLS * n_symbols())
    parameters = [*model.parameters(), *symbols.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
    )
    progress = Progress()
    if state_path.exists():
        state = torch.load(state_path, weights_only=True)
        model.load_state_dict(state["model"])
        symbols.load_state_dict(state["symbols"])
        optimizer.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])

    def save() -> None:
        partial = state_path.with_suffix(".partial")
        torch.save(
            {
                "model": model.state_dict(),
                "symbols": symbols.state_dict(),
                "optimizer": optimizer.state_dict(),
                "progress": asdict(progress),
            },
            partial,
        )
        partial.replace(state_path)
        save_checkpoint(
            model,
            processor,
            folder / "checkpoint",
            name="nano",
            revision=f"step-{progress.step}",
            max_tokens=NANO_MAX_TOKENS,
        )

    held_out = held_out_samples(count=6, tokenizer=processor.tokenizer, seed=settings.seed)
    model.train()
    started, begun = time.monotonic(), progress.minutes
    last_report = last_save = started
    sums: dict[str, float] = {}
    feed_settings = FeedSettings(
        settings.weights,
        seed=settings.seed * 1_000_003 + progress.step,
        max_text_tokens=max(NANO_MAX_TOKENS.values()),
    )
    with Feed(feed_settings, workers=settings.workers) as feed, suppress(KeyboardInterrupt):
        progress.interrupted = True
        while progress.minutes < min(begun + minutes, settings.total_minutes):
            share = progress.minutes / settings.total_minutes
            difficulty = settings.difficulty * min(1.0, 0.1 + share / settings.difficulty_share)
            feed.set_difficulty(difficulty)
            feed.set_whole(settings.whole_share if share > 1.0 - settings.last_share else 0.0)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(share, settings)
            weight = settings.symbol_weight * (1.0 - 0.75 * share)
            losses = training_step(
                model,
                symbols,
                optimizer,
                feed.take(settings.batch_samples),
                settings.micro_tokens,
                weight,
                settings.pointer_weight,
                tower_only=share < settings.tower_share,
            )
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            sums["steps"] = sums.get("steps", 0.0) + 1
            progress.step += 1
            progress.samples += settings.batch_samples
            now = time.monotonic()
            progress.minutes = begun + (now - started) / 60
            if now - last_report > 60 * settings.report_minutes:
                row: dict[str, object] = {
                    **asdict(progress),
                    "difficulty": round(difficulty, 3),
                    "drawn": feed.n_drawn,
                    **{name: value / sums["steps"] for name, value in sums.items() if name != "steps"},
                    **evaluate(model, held_out),
                }
                with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(row) + "\n")
                report(
                    " ".join(f"{k}={v:.3f}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
                )
                sums, last_report = {}, now
            if now - last_save > 240:
                save()
                last_save = now
        progress.interrupted = False
    save()
    return progress


def patch_statistics(seed: int, *, samples_per_head: int = 48) -> NDArray[np.uint8]:
    """Patches with ink of easy samples of every head, ``(N, 784)``."""
    import numpy as np

    from docai.pipelines.synthesis import GENERATORS, samples

    found = []
    for head in GENERATORS:
        for sample in islice(samples(head, seed, difficulty=0.3), samples_per_head):
            patches = cut_patches(sample.image)
            found.append(patches[has_ink(patches)])
    return np.concatenate(found)


def learning_rate_at(share: float, settings: SliceSettings) -> float:
    """Linear warm-up, then a cosine to a hundredth of the peak. ``share`` of the schedule is done."""
    if share < settings.warmup_share:
        return settings.learning_rate * max(share / settings.warmup_share, 0.02)
    done = (share - settings.warmup_share) / (1.0 - settings.warmup_share)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done))))


def training_step(
    model: PaliGemmaForConditionalGeneration,
    symbols: torch.nn.Linear,
    optimizer: torch.optim.Optimizer,
    samples: Sequence[SparseSample],
    micro_tokens: int,
    symbol_weight: float,
    pointer_weight: float,
    *,
    tower_only: bool = False,
) -> dict[str, float]:
    """One optimiser step over ``samples``, in micro-batches of similar length. Returns mean losses.

    With ``tower_only`` the decoder is neither run nor changed.
    """
    import torch

    optimizer.zero_grad(set_to_none=True)
    n_targets = sum(len(sample.suffix) for sample in samples)
    n_marks = max(1, sum(int((sample.symbols > 0).sum()) for sample in samples))
    n_empty = max(1, sum(int((sample.symbols == 0).sum()) for sample in samples))
    n_shown = max(1, sum(int((sample.pointers >= 0).sum()) for sample in samples))
    totals = {"symbol": 0.0} if tower_only else {"symbol": 0.0, "answer": 0.0, "pointer": 0.0}
    for group in micro_batches(samples, micro_tokens):
        batch = collate(group)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = encode_patches(model, batch)
            named = symbols(features)
            answered = None if tower_only else answer(model, batch, features)
        losses = torch.nn.functional.cross_entropy(
            named.float().view(-1, n_symbols()),
            batch.symbols.flatten(),
            ignore_index=IGNORE,
            reduction="none",
        )
        # Most quarters are empty: all of them together weigh as much as a third of the symbols.
        empty = batch.symbols.flatten() == 0
        symbol = (losses * torch.where(empty, 0.3 * n_marks / n_empty, 1.0)).sum() / n_marks
        loss: torch.Tensor = symbol_weight * symbol
        totals["symbol"] += symbol.item()
        if answered is not None:
            logits, attention = answered
            said = torch.nn.functional.cross_entropy(
                logits.float().flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORE, reduction="sum"
            )
            pointed = pointer_loss(attention, batch.pointers)
            loss = loss + said / n_targets + pointer_weight * pointed / n_shown
            totals["answer"] += said.item() / n_targets
            totals["pointer"] += pointed.item() / n_shown
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return totals


def pointer_loss(attention: torch.Tensor, pointers: torch.Tensor) -> torch.Tensor:
    """Sum, over the tokens that are shown somewhere, of -log of the attention ``(B, T, K)`` paid to it."""
    at_place = attention.float().gather(2, pointers.clamp(min=0).unsqueeze(2)).squeeze(2)
    return -at_place[pointers >= 0].clamp(min=1e-6).log().sum()


def micro_batches(samples: Sequence[SparseSample], tokens: int) -> list[list[SparseSample]]:
    """Groups of similar length whose padded size stays within ``tokens``."""
    groups: list[list[SparseSample]] = []
    longest = 0
    for sample in sorted(samples, key=lambda item: item.length):
        longest = max(longest, sample.length)
        if groups and (len(groups[-1]) + 1) * longest <= tokens:
            groups[-1].append(sample)
        else:
            groups.append([sample])
            longest = sample.length
    return groups


def held_out_samples(
    count: int, tokenizer: object, seed: int, *, difficulty: float = 0.3
) -> dict[str, list[SparseSample]]:
    """Fixed samples whose content the training never draws, by head."""
    import numpy as np

    from docai.pipelines.synthesis import GENERATORS, samples

    generator = np.random.default_rng(seed)
    held: dict[str, list[SparseSample]] = {}
    for head in GENERATORS:
        drawn = samples(head, seed, difficulty=difficulty, split="held-out")
        held[head] = [
            cut_sample(next(drawn), tokenizer, generator)  # type: ignore[arg-type]
            for _ in range(count)
        ]
    return held


def evaluate(
    model: PaliGemmaForConditionalGeneration, held_out: Mapping[str, Sequence[SparseSample]]
) -> dict[str, float]:
    """Share of suffix tokens predicted right with the true text before them, by head."""
    import torch

    result: dict[str, float] = {}
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for head, samples in held_out.items():
            right = total = 0
            for group in micro_batches(samples, 2_048):
                batch = collate(group)
                _, logits = forward(model, batch)
                asked = batch.labels != IGNORE
                right += int((logits.argmax(-1) == batch.labels)[asked].sum())
                total += int(asked.sum())
            result[f"{head}_accuracy"] = right / max(1, total)
    model.train()
    return result

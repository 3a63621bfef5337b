"""Measures seconds per crop and tokens per second of a model, by batch size and kind of attention.

    python benchmarks/bench_engine.py [--model nano] [--batch 1 2 4 8] [--tokens 64] [--dtype float32]

In every row the model reads the same random crops and generates the same number of tokens. ``prefill`` is the
time for one token: image tower, projector and prompt. All times are wall-clock seconds, medians of
``--repeats``. ``ratio`` is the time of eager attention over that of the row, measured in alternation, so that
it holds even where the machine is busy. Where the checkpoint needs eager attention, only that is measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from common import script_parser
from PIL import Image, ImageDraw

from docai.errors import CheckpointError
from docai.models.engine import Request
from docai.models.heads import Decoding, Head, get_head
from docai.models.paligemma import PaliGemmaEngine

NO_LOOP_LIMIT = Decoding(max_repeats=10_000, max_period=1)
"""No answer is cut short by a loop: random crops make a small model repeat itself."""


def crops(count: int, side: int) -> list[Image.Image]:
    """Crops with lines on them, all different."""
    random = np.random.default_rng(0)
    images = []
    for _ in range(count):
        image = Image.new("RGB", (side, side), "white")
        points = random.integers(0, side, (20, 4)).tolist()
        for x0, y0, x1, y1 in points:
            ImageDraw.Draw(image).line((x0, y0, x1, y1), fill="black", width=2)
        images.append(image)
    return images


def seconds(
    engine: PaliGemmaEngine, head: Head, images: Sequence[Image.Image], tokens: int
) -> tuple[float, int]:
    """Wall time, and tokens generated, for all crops."""
    requests = [Request(head, image, max_tokens=tokens) for image in images]
    start = time.perf_counter()
    generations = engine.generate(requests)
    if engine.device != "cpu":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter() - start, sum(generation.n_tokens for generation in generations)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--model", default="nano", help="a checkpoint's name or folder (default nano)")
    parser.add_argument("--head", default=None, help="by default the model's first")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--dtype", default=None, help="by default the device's")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2, 4, 8], help="batch sizes")
    parser.add_argument("--tokens", type=int, default=64, help="per answer, at most")
    parser.add_argument("--repeats", type=int, default=3, help="after one to warm up")
    options = parser.parse_args()

    def load(attention: str) -> PaliGemmaEngine:
        return PaliGemmaEngine.load(
            options.model, device=options.device, dtype=options.dtype, attention=attention
        )

    engines = {"eager": load("eager")}
    try:
        engines["fused"] = load("fused")
    except CheckpointError as error:
        print(f"eager only: {error}")
    ours = engines["fused" if "fused" in engines else "eager"]
    name = options.head or min(ours.heads())
    side = ours.checkpoint.image_size
    head = replace(get_head(name), decoding=NO_LOOP_LIMIT, resolution=side)

    print(f"{ours.name} on {ours.device}, {ours.dtype}, head {name}, {options.tokens} tokens at most")
    print("batch  attention  prefill s/crop  s/crop  tokens/s  ratio")
    for batch in options.batch:
        images = crops(batch, side)
        prefill: dict[str, list[float]] = {kind: [] for kind in engines}
        whole: dict[str, list[float]] = {kind: [] for kind in engines}
        n_tokens: dict[str, int] = {}
        for repeat in range(options.repeats + 1):
            for kind, engine in engines.items():
                engine.batch_size = batch
                first_token, _ = seconds(engine, head, images, 1)
                all_tokens, n_tokens[kind] = seconds(engine, head, images, options.tokens)
                if repeat:  # the first round warms up
                    prefill[kind].append(first_token)
                    whole[kind].append(all_tokens)
        slowest = statistics.median(whole["eager"])
        for kind in engines:
            first, total = statistics.median(prefill[kind]), statistics.median(whole[kind])
            rate = max(n_tokens[kind] - batch, 0) / max(total - first, 1e-9)
            print(
                f"{batch:5d}  {kind:9s}  {first / batch:14.3f}  {total / batch:6.3f}  {rate:8.1f}  "
                f"{slowest / total:5.2f}"
            )


if __name__ == "__main__":
    main()

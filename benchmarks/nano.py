"""What the embedded checkpoint reaches on drawn pairs that it was not trained on.

    python benchmarks/nano.py [--model nano] [--count 30] [--seed 7]

Prints the table of the model card: per head and difficulty the share of exact answers, the character error
rate of the answers (Levenshtein distance over true characters, summed over all pairs, location tokens left
out), the share of answers that parse without an error, and seconds a crop; then what the tower is known to
see.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Iterator
from itertools import islice

from rapidfuzz.distance import Levenshtein

from docai.models.engine import Request, answer
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.synthesis import samples

_LOCATION = re.compile(r"<loc\d{4}>")


def rows(model: str, count: int, seed: int) -> Iterator[str]:
    """One Markdown row per head and difficulty."""
    engine = PaliGemmaEngine.load(model, device="cpu")
    yield f"checkpoint {engine.checkpoint.name}@{engine.checkpoint.revision}, {count} held-out pairs a row"
    yield ""
    yield "| head | difficulty | exact | character error rate | parses | seconds a crop |"
    yield "|---|---|---|---|---|---|"
    for name, head in HEADS.items():
        for difficulty in (0.0, 0.3):
            pairs = list(islice(samples(name, seed, difficulty=difficulty, split="held-out"), count))
            started = time.perf_counter()
            answers = answer(engine, [Request(head, pair.image) for pair in pairs])
            seconds = (time.perf_counter() - started) / count
            exact = distance = length = parses = 0
            for pair, generation in zip(pairs, answers, strict=True):
                truth, text = (_LOCATION.sub("", value) for value in (pair.target, generation.text))
                exact += text == truth
                distance += Levenshtein.distance(text, truth)
                length += len(truth)
                issues = head.parser(generation.text).issues
                parses += generation.finish_reason == "stop" and all(i.severity != "error" for i in issues)
            yield (
                f"| {name} | {difficulty} | {exact}/{count} | {distance / length:.2f} | {parses}/{count} "
                f"| {seconds:.1f} |"
            )


def sights(model: str, count: int, seed: int) -> Iterator[str]:
    """What the tower is known to see: the clef of a staff, and the height of the first word."""
    engine = PaliGemmaEngine.load(model, device="cpu")
    scores = list(islice(samples("score", seed, difficulty=0.0, split="held-out"), count))
    answers = answer(engine, [Request(HEADS["score"], pair.image, max_tokens=4) for pair in scores])
    pairs = zip(scores, answers, strict=True)
    clefs = sum(pair.target.split("\n")[1] in generation.text for pair, generation in pairs)
    yield f"first clef of a score at difficulty 0: {clefs}/{count} right"
    texts = list(islice(samples("text", seed, difficulty=0.3, split="held-out"), count))
    answers = answer(engine, [Request(HEADS["text"], pair.image, max_tokens=1) for pair in texts])
    tops = [
        abs(int(pair.target[4:8]) - int(generation.tokens[0][4:8]))
        for pair, generation in zip(texts, answers, strict=True)
        if generation.tokens and generation.tokens[0].startswith("<loc")
    ]
    yield (
        f"top of the first word at difficulty 0.3: {len(tops)}/{count} answered, off by "
        f"{statistics.mean(tops):.1f} of 1024 bins on average"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    for row in rows(arguments.model, arguments.count, arguments.seed):
        print(row, flush=True)
    for line in sights(arguments.model, arguments.count, arguments.seed):
        print(line)


if __name__ == "__main__":
    main()

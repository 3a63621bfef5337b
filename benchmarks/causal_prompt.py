"""Measures what the attention mask of model servers changes: how many answers differ, how many are right.

    python benchmarks/causal_prompt.py [--model nano] [--heads text score] [--count 10]

PaliGemma's image and prompt see each other in both directions. Servers such as vLLM leave the prompt causal.
The same crops, held-out pairs that no training draws, are read twice with the same weights: with the mask
that each head was trained with, and with the other one. Prints a Markdown row for each head: how many answers
differ in any character, and how many are the target, character by character, under either mask.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from common import script_parser

from docai.models.checkpoints import MANIFEST, Checkpoint, find_checkpoint
from docai.models.engine import Request
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.synthesis import samples
from docai.pipelines.training.pairs import square


def with_other_mask(checkpoint: Checkpoint, folder: Path) -> Path:
    """The checkpoint in ``folder``, by links, with the other mask stated of every head."""
    for path in checkpoint.folder.resolve().iterdir():
        if path.name != MANIFEST:
            (folder / path.name).symlink_to(path)
    manifest = json.loads((checkpoint.folder / MANIFEST).read_text("utf-8"))
    for name, entry in manifest["heads"].items():
        entry["causal_prompt"] = not checkpoint.heads[name].causal_prompt
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return folder


def rows(
    model: str, heads: Sequence[str] | None, count: int, difficulty: float, seed: int, device: str
) -> Iterator[str]:
    checkpoint = find_checkpoint(model)
    with tempfile.TemporaryDirectory() as folder:
        own = PaliGemmaEngine.load(model, device=device)
        other = PaliGemmaEngine.load(with_other_mask(checkpoint, Path(folder)), device=device)
        yield f"{checkpoint.id} on {own.device}, {own.dtype}, {count} crops a head, difficulty {difficulty}:"
        yield ""
        yield "| head | trained with | crops | differ | right as trained | right under the other |"
        yield "|---|---|---|---|---|---|"
        totals = [0, 0, 0, 0]
        for name in sorted(own.heads() if heads is None else own.heads().intersection(heads)):
            head = HEADS[name]
            drawn = list(islice(samples(name, seed, difficulty=difficulty, split="held-out"), count))
            requests = [Request(head, square(sample.image, head.resolution)) for sample in drawn]
            texts = [[answer.text for answer in engine.generate(requests)] for engine in (own, other)]
            targets = [sample.target for sample in drawn]
            figures = [
                len(drawn),
                sum(one != two for one, two in zip(*texts, strict=True)),
                *(sum(text == target for text, target in zip(read, targets, strict=True)) for read in texts),
            ]
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
            trained = "causal prompt" if checkpoint.heads[name].causal_prompt else "prompt both ways"
            yield f"| {name} | {trained} | {' | '.join(map(str, figures))} |"
        yield f"| all | | {' | '.join(map(str, totals))} |"


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--model", default="nano", help="a checkpoint's name or folder (default nano)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--heads", nargs="+", default=None, help="by default all that the model has")
    parser.add_argument("--count", type=int, default=10, help="crops of each head")
    parser.add_argument("--difficulty", type=float, default=0.1, help="of the drawn crops, 0 to 1")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    for row in rows(
        options.model, options.heads, options.count, options.difficulty, options.seed, options.device
    ):
        print(row, flush=True)


if __name__ == "__main__":
    main()

"""Fuzzing of what reads drawings: no exception, no violated property, bounded time.

    python benchmarks/fuzz/drawings.py [--seconds S] [--seed N] [--most N]

Half of the drawings mean nothing: strokes in any number and place, also without length, not a number, or
huge, and glyphs of any kind. The others are drawn molecules and scores, damaged. Each is read as molecules
and as systems; a reading has a box of numbers, a confidence between 0 and 1, registered issue codes, and a
content that survives JSON. A drawing may take :data:`BASE_SECONDS` and :data:`SECONDS_PER_THING` for each of
its paths and glyphs, of processor time. What was found is printed with the seed that repeats it; the exit
code is 1 then.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from docai.base import Content
from docai.issues import CODES
from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.score.reading import read_systems
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.chaos import damaged, random_drawing
from docai.pipelines.synthesis.vector.molecules import draw_molecule
from docai.pipelines.synthesis.vector.scores import draw_score

BASE_SECONDS = 1.0
SECONDS_PER_THING = 0.004
N_SOUND = 40
"""Drawings that are damaged again and again."""


@cache
def sound_drawing(number: int) -> Drawing:
    """A drawn molecule or score."""
    data = draw_score(number).data if number % 2 else draw_molecule("rdkit", number).data
    with open_source(data) as source:
        return next(iter(source.pages())).inside(read_drawing, None)


def drawing_of(seed: int, most: int) -> Drawing:
    """The drawing of a seed."""
    rng = random.Random(f"fuzz/{seed}")
    if rng.random() < 0.5:
        return random_drawing(rng, rng.choice((8, 40, most)))
    return damaged(sound_drawing(rng.randrange(N_SOUND)), rng)


def faults_of(readings: Sequence[Any]) -> list[str]:
    """What is wrong with readings of either kind."""
    faults = []
    for reading in readings:
        if not all(math.isfinite(value) for value in reading.bbox):
            faults.append("a box that is not finite")
        if not 0 <= reading.confidence <= 1:
            faults.append(f"a confidence of {reading.confidence}")
        faults += [f"code {issue.code}" for issue in reading.issues if issue.code not in CODES]
        content: Content | None = reading.content
        if content is not None and type(content).model_validate_json(content.model_dump_json()) != content:
            faults.append("a content that JSON changes")
    return faults


def check(seed: int, most: int) -> tuple[list[str], float]:
    """What is wrong with the readings of a seed, and the processor time that they took."""
    drawing = drawing_of(seed, most)
    started = time.process_time()
    try:
        faults = faults_of(read_molecules(drawing)) + faults_of(read_systems(drawing))
    except Exception:
        faults = [traceback.format_exc(limit=-2)]
    seconds = time.process_time() - started
    if seconds > BASE_SECONDS + SECONDS_PER_THING * (len(drawing.paths) + len(drawing.glyphs)):
        faults.append("slow")
    return faults, seconds


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--seconds", type=float, default=600, metavar="S")
    options.add_argument("--seed", type=int, default=0, metavar="N", help="of the first drawing")
    options.add_argument(
        "--most", type=int, default=400, metavar="N", help="paths of a drawing without sense"
    )
    chosen = options.parse_args()
    ends_at = time.monotonic() + chosen.seconds
    found: Counter[str] = Counter()
    seed, slowest = chosen.seed, (0.0, chosen.seed)
    while time.monotonic() < ends_at:
        faults, seconds = check(seed, chosen.most)
        slowest = max(slowest, (seconds, seed))
        for fault in faults:
            if not found[fault]:
                print(f"seed {seed}, {seconds:.2f} s: {fault}", flush=True)
            found[fault] += 1
        seed += 1
    print(f"drawings      {seed - chosen.seed:,}")
    print(f"worst         {slowest[0]:.2f} s of processor, seed {slowest[1]}")
    for fault, count in found.most_common():
        print(f"FOUND {count:7} {fault.strip().splitlines()[-1]}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

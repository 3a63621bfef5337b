"""One process of fuzz.py: atheris makes inputs, their properties are checked, violations are saved."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
import traceback
import zlib
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["docai.parsers"]):
    import docai.parsers.molecule
    import docai.parsers.score
    import docai.parsers.table
    import docai.parsers.text  # noqa: F401 (imported to be instrumented)
    from docai.models.heads import HEADS

from inputs import SHORT, Mutator
from properties import (
    MAX_BYTES,
    MAX_MB,
    MAX_SECONDS,
    Violation,
    check,
    check_content,
    forget_peak,
    load_libraries,
    measured_parse,
    text_of,
)

from docai.parsers.score_music21 import ConversionError

CONTENT_EVERY = 8
"""The content of one input in this many is checked, which takes as long as several parses."""
TWICE_EVERY = 16
"""One input in this many is parsed twice."""

_REPORT_SECONDS = 2.0
_REMEASURE_SECONDS = 0.1
"""Wall-clock seconds from which an input is measured again in processor time."""


class Target:
    """Called with each input. Writes violations to ``out``, one file for each kind, and continues."""

    def __init__(self, head: str, out: Path, n_wanted: int) -> None:
        self.head = head
        self.n_wanted = n_wanted
        self.out = out
        self.n_inputs = 0
        self.n_long = 0
        self.n_content = 0
        self.n_twice = 0
        self.faults: dict[str, int] = {}
        self.started = self.reported_at = time.monotonic()
        self.slowest = (0.0, 0.0, 0)
        self.largest = (0.0, 0)

    def __call__(self, data: bytes) -> None:
        text = text_of(data)
        self.n_inputs += 1
        self.n_long += len(data) > MAX_BYTES // 2
        try:
            parsed, cost = measured_parse(self.head, text)
            if cost.wall > _REMEASURE_SECONDS or cost.mb > MAX_MB:
                # The machine may be busy, and memory is measured against an older peak.
                parsed, cost = measured_parse(self.head, text, exact=True)
            if cost.cpu > self.slowest[1]:
                self.slowest = (cost.wall, cost.cpu, len(data))
                self._keep("slowest", data)
            if cost.mb > self.largest[0]:
                self.largest = (cost.mb, len(data))
                self._keep("largest", data)
            if cost.cpu > MAX_SECONDS:
                self._fault("slow", data, f"{cost.cpu:.2f} s of processor")
            if cost.mb > MAX_MB:
                self._fault("large", data, f"{cost.mb:.0f} MB")
            check(self.head, text, parsed)
            # Chosen by the input, not by its number, so that findings are reproducible.
            digest = zlib.crc32(data)
            if digest % CONTENT_EVERY == 0:
                self.n_content += 1
                check_content(parsed.content)
            if digest // CONTENT_EVERY % TWICE_EVERY == 0:
                self.n_twice += 1
                if HEADS[self.head].parser(text) != parsed:
                    raise Violation("two parses differ")
        except Exception as error:  # any exception is a finding
            self._fault(_kind(error), data, traceback.format_exc())
        if self.n_inputs == self.n_wanted or time.monotonic() - self.reported_at > _REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        """Write the progress: libFuzzer ends the process without notice."""
        self.reported_at = time.monotonic()
        stats = {
            "inputs": self.n_inputs,
            "long": self.n_long,
            "content": self.n_content,
            "twice": self.n_twice,
            "seconds": self.reported_at - self.started,
            "slowest": self.slowest,
            "largest": self.largest,
            "faults": self.faults,
        }
        (self.out / "stats.new").write_text(json.dumps(stats))
        (self.out / "stats.new").replace(self.out / "stats.json")

    def _keep(self, name: str, data: bytes) -> None:
        (self.out / f"{name}.input").write_bytes(data)

    def _fault(self, kind: str, data: bytes, details: str) -> None:
        self.faults[kind] = self.faults.get(kind, 0) + 1
        name = hashlib.sha256(kind.encode()).hexdigest()[:12]
        path = self.out / f"fault-{name}.input"
        # The shortest input is the easiest to read.
        if not path.exists() or path.stat().st_size > len(data):
            path.write_bytes(data)
            (self.out / f"fault-{name}.txt").write_text(f"{kind}\n{details}", "utf-8", "backslashreplace")


def _kind(error: Exception) -> str:
    if isinstance(error, Violation):
        return " ".join(
            map(str, error.args[:1] if error.args[0] == "content is not valid JSON" else error.args)
        )
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _without_music21(head: str, share: float) -> None:
    """Convert only that share of scores with music21, which takes a hundred times as long as the rest.

    The choice depends on the kern, so that two parses do not differ.
    """
    import docai.parsers.score as module

    convert = module.kern_to_musicxml

    def sometimes(kern: str, *rest: Any) -> Any:
        digest = hashlib.sha256(kern.encode("utf-8", "surrogatepass")).digest()
        if int.from_bytes(digest[:4], "big") >= share * 2**32:
            raise ConversionError("left out in this run")
        return convert(kern, *rest)

    module.kern_to_musicxml = sometimes


def main() -> None:
    head, out, n_wanted, long_share, music21_share, *flags = sys.argv[1:]
    if head == "score" and float(music21_share) < 1:
        _without_music21(head, float(music21_share))
    target = Target(head, Path(out), int(n_wanted))
    load_libraries(head)
    gc.freeze()  # spares the collector the objects of the libraries
    forget_peak()
    mutate = Mutator(head, float(long_share))

    def custom(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 4 == 0 and len(data) <= 2 * SHORT:
            return bytes(atheris.Mutate(data, min(max_size, max(len(data) + 64, 128))))
        return mutate(text_of(data), seed, max_size).encode("utf-8", "surrogatepass")[:max_size]

    atheris.Setup([sys.argv[0], *flags], target, custom_mutator=custom)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

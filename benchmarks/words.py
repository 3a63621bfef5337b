"""Share of the words of born-digital PDFs that come out of the pipeline, and whether pages failed.

    python benchmarks/words.py [FOLDER] [--password NAME=WORD ...]

FOLDER, by default the real documents at ``DOCAI_REAL_DATA``, is searched for PDFs. No model is run: what is
counted is what the documents themselves give. A word that comes out twice counts once.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

import docai
from docai.parsers.text import normalize_text
from docai.pipelines.ingest import open_source

HEADS = ("table", "molecule", "score", "text")


def measure(path: Path, pipeline: docai.Pipeline, password: str | None) -> tuple[int, int, int]:
    """Words found, words there are, and pages that failed."""
    with open_source(path, password=password) as source:
        native: Counter[str] = Counter()
        for page in source.pages():
            native.update(part for word in page.words() for part in normalize_text(word.text).split())
    document = pipeline.process(path, password=password)
    found: Counter[str] = Counter()
    for record in document.records:
        found.update((record.native_text or "").split())
    failed = sum(page.origin == "failed" for page in document.pages)
    return (native & found).total(), native.total(), failed


def main() -> None:
    default = os.environ.get("DOCAI_REAL_DATA") or "../shared/real"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(default))
    parser.add_argument("--password", action="append", default=[], metavar="NAME=WORD")
    arguments = parser.parse_args()
    passwords = dict(pair.split("=", 1) for pair in arguments.password)
    pipeline = docai.Pipeline(engine=docai.ScriptedEngine({head: lambda request: "" for head in HEADS}))
    found = total = n_read = 0
    for path in sorted(arguments.folder.rglob("*.pdf")):
        try:
            hits, words, failed = measure(path, pipeline, passwords.get(path.name))
        except docai.DocaiError as error:
            print(f"{path.name}: not read: {error}")
            continue
        n_read, found, total = n_read + 1, found + hits, total + words
        if failed or hits < words:
            print(f"{path.name}: {hits} of {words} words, {failed} failed pages", flush=True)
    print(f"{n_read} files, {found} of {total} words ({found / max(1, total):.4f})")


if __name__ == "__main__":
    main()

"""Measures the share of the words of born-digital PDFs that the pipeline returns, and counts failed pages.

    python benchmarks/words.py [FOLDER] [--password NAME=WORD ...]

FOLDER, by default that of the real documents (``DOCAI_REAL_DATA``), is searched for PDFs. No model is run:
only what the documents themselves give is counted. A word that is returned twice counts once. Prints each
file with lost words or failed pages, and the share over all files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from common import need_folder, real_data, script_parser

import docai
from docai.parsers.text import normalize_text
from docai.pipelines.ingest import open_source

HEADS = ("table", "molecule", "score", "text")


def measure(path: Path, pipeline: docai.Pipeline, password: str | None) -> tuple[int, int, int]:
    """Number of words returned, of words in the PDF, and of pages that failed."""
    with open_source(path, password=password) as source:
        native: Counter[str] = Counter()
        for page in source.pages():
            native.update(part for word in page.words() for part in normalize_text(word.text).split())
    document = pipeline.process(path, password=password)
    returned: Counter[str] = Counter()
    for record in document.records:
        returned.update((record.native_text or "").split())
    failed = sum(page.origin == "failed" for page in document.pages)
    return (native & returned).total(), native.total(), failed


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=real_data(), help="searched for PDFs")
    parser.add_argument(
        "--password", action="append", default=[], metavar="NAME=WORD", help="of an encrypted file"
    )
    arguments = parser.parse_args()
    passwords = dict(pair.split("=", 1) for pair in arguments.password)
    pipeline = docai.Pipeline(engine=docai.ScriptedEngine({head: lambda request: "" for head in HEADS}))
    n_files = n_returned = n_words = 0
    for path in sorted(need_folder(arguments.folder).rglob("*.pdf")):
        try:
            returned, words, failed = measure(path, pipeline, passwords.get(path.name))
        except docai.DocaiError as error:
            print(f"{path.name}: not read: {error}")
            continue
        n_files, n_returned, n_words = n_files + 1, n_returned + returned, n_words + words
        if failed or returned < words:
            print(f"{path.name}: {returned} of {words} words, {failed} failed pages", flush=True)
    print(f"{n_files} files, {n_returned} of {n_words} words ({n_returned / max(1, n_words):.4f})")


if __name__ == "__main__":
    main()

"""Write what was read as Markdown, Excel, an SD file and chunks, and tell what the files do not hold.

    python examples/export_document.py [PDF]

Reads the sample report by default and writes into ``out/exports``. Prints each file, how many are beside it,
and its losses. On the command line: ``docai process report.pdf --to md,xlsx,sdf,jsonl -o out/exports/``.
"""

import sys
from pathlib import Path

import docai
from docai.exports import ExportOptions

PDF = Path(__file__).parents[1] / "samples" / "report.pdf"
FOLDER = Path("out") / "exports"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PDF
    document = docai.process(path, effort="fast")
    for suffix in (".md", ".xlsx", ".sdf", ".jsonl"):
        # The source is for pictures of its pages; the size is that of chunks.
        options = ExportOptions(source=path, chunk_size=500)
        try:
            written = document.export(FOLDER / f"{path.stem}{suffix}", options=options)
        except docai.errors.NothingToExportError as error:
            print(error)
            continue
        print(f"{written.path.name}, {len(written.files)} beside it, {len(written.losses)} losses")
        for loss in written.losses:
            print(f"  {loss}")


if __name__ == "__main__":
    main()

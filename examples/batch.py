"""Read many files with one model, and go on where one of them cannot be read.

    python examples/batch.py [FILE …]

Without files it reads page 1 of the sample report, a file that is missing, and one that is no document.
Prints one line for each file: its records and its issues of severity error, or why it could not be read. For
a folder of PDFs on the command line: ``docai process *.pdf -o results/``.
"""

import sys
from pathlib import Path

import docai

HERE = Path(__file__)
FILES = [HERE.parents[1] / "samples" / "report.pdf", HERE.with_name("missing.pdf"), HERE]


def main() -> None:
    pipeline = docai.Pipeline("nano", heads=["text"], limits=docai.Limits(max_seconds_per_page=60))
    for path in [Path(name) for name in sys.argv[1:]] or FILES:
        try:
            document = pipeline.process(path, pages="1")
        except docai.errors.InputError as error:
            # The input is at fault: others are still worth a try. All other errors would hit every file.
            print(f"{path.name}: {type(error).__name__}: {error}")
            continue
        errors = [issue.code for issue in document.iter_issues() if issue.severity == "error"]
        print(f"{path.name}: {len(document.records)} records, errors: {errors or 'none'}")


if __name__ == "__main__":
    main()

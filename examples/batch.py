"""Read many documents, each in a process of its own, and tell what became of each.

    python examples/batch.py [FILE …]

Without files it reads the sample report, a file that is missing, and one that is no document. Prints one line
for each: its records and its issues of severity error, or why it could not be read. The same on the command
line, in a run that can go on after a stop: ``docai batch FOLDER -o run/``.
"""

import sys
from pathlib import Path

import docai

HERE = Path(__file__)
FILES = [HERE.parents[1] / "samples" / "report.pdf", HERE.with_name("missing.pdf"), HERE]


def main() -> None:
    files = [Path(name) for name in sys.argv[1:]] or FILES
    limits = docai.Limits(max_seconds_per_page=60)
    for result in docai.process_many(files, heads=["text"], effort="fast", limits=limits):
        if result.document is None:
            # Nothing is raised for one input: the others are still read.
            print(f"{result.path.name}: {result.code}: {result.reason}")
            continue
        errors = [issue.code for issue in result.document.iter_issues() if issue.severity == "error"]
        print(f"{result.path.name}: {len(result.document.records)} records, errors: {errors or 'none'}")


if __name__ == "__main__":
    main()

"""Read a PDF into typed records.

    python examples/process_pdf.py [FILE.pdf [PAGES]]

Prints one line for each record of the first page of the sample report, or of the given pages of a file: its
kind, page, confidence, the evidence it rests on, and the codes of its issues.
"""

import sys
from pathlib import Path

import docai

SAMPLE = Path(__file__).parents[1] / "samples" / "report.pdf"


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else SAMPLE
    pages = sys.argv[2] if len(sys.argv) > 2 else "1"
    document = docai.process(source, pages=pages)
    for record in document.records:
        confidence = record.confidence.value
        shown = "unknown" if confidence is None else f"{confidence:.2f}"
        codes = ", ".join(issue.code for issue in record.issues) or "none"
        print(
            f"{record.kind:9} page {record.page}  confidence {shown}  from {record.evidence}  issues: {codes}"
        )


if __name__ == "__main__":
    main()

"""Say where the regions are, in place of letting docai find them.

    python examples/own_regions.py

Prints the cells of the table on page 1 of the sample report, row by row. A box is ``x0, y0, x1, y1`` in PDF
points from the top left of the page; only words inside the boxes are read. The pipeline keeps its model, so
further calls do not load it again.
"""

from pathlib import Path

import docai

SAMPLE = Path(__file__).parents[1] / "samples" / "report.pdf"


def main() -> None:
    pipeline = docai.Pipeline("nano", heads=["table"])
    regions = {1: [("table", (160, 270, 436, 366))]}
    document = pipeline.process(SAMPLE, pages=[1], regions=regions)
    [table] = document.tables
    for row in range(table.n_rows):
        print(" | ".join(cell.text for cell in table.cells if cell.row == row))


if __name__ == "__main__":
    main()

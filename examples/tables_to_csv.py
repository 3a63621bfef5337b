"""Write the tables of a document as CSV files, and look at one as a DataFrame.

    python examples/tables_to_csv.py [FOLDER]

Writes ``table-1.csv``, ``table-2.csv``, … into the folder (by default ``out/tables``) and prints their names,
then the kinds and units of the first table's columns, then its DataFrame. The last needs
``pip install 'docai[dataframe]'``.
"""

import sys
from pathlib import Path

import docai

SAMPLE = Path(__file__).parents[1] / "samples" / "report.pdf"


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/tables")
    folder.mkdir(parents=True, exist_ok=True)
    document = docai.process(SAMPLE, pages="1", heads=["table"])
    for number, table in enumerate(document.tables, start=1):
        path = folder / f"table-{number}.csv"
        path.write_text(table.to_csv(), encoding="utf-8", newline="")
        print(f"{path.name}: page {table.page}, {table.n_rows} rows, {table.n_cols} columns")
    first = document.tables[0]
    for column in first.columns:
        print(f"{column.name}: {column.kind}, unit {column.unit}, {column.n_missing} missing")
    print(first.to_dataframe())


if __name__ == "__main__":
    main()

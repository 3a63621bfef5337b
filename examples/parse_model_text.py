"""Make a record of a text that some model wrote, without any model here.

    python examples/parse_model_text.py

Any text gives a record. Prints what becomes of a table with a broken span, of a molecule with an
abbreviation, and of a SMILES that is none: the content, whether it was repaired, and each issue.
"""

import docai
from docai.records import RecordBase

TABLE = "<table><tr><td>Sample</td><td>Mass</td></tr><tr><td colspan='7'>none measured</td></tr></table>"


def show(record: RecordBase) -> None:
    print(f"  repaired: {record.repaired}")
    for issue in record.issues:
        print(f"  {issue.severity} {issue.code}: {issue.message}")


def main() -> None:
    table = docai.parse("table", TABLE)
    assert isinstance(table, docai.Table)
    print(table.to_markdown())
    show(table)
    for text in ("C[Ph]", "CC(C"):
        molecule = docai.parse("molecule", text)
        assert isinstance(molecule, docai.Molecule)
        print(f"{text} → {molecule.smiles}, {molecule.formula}")
        show(molecule)


if __name__ == "__main__":
    main()

"""Measure the answers of any reader by the reference metrics, docai's or another tool's.

    python examples/evaluate_predictions.py [FOLDER]

Draws three molecules, writes them as a data set in MolScribe's CSV layout, and scores three answers for them,
of which two are right. Prints each measure with its 95 % interval; ``FOLDER/report/report.html`` (by default
below ``out/evaluation``) shows the cases one by one. Needs ``pip install 'docai[metrics]'``.
"""

import sys
from pathlib import Path

from rdkit.Chem import Draw, MolFromSmiles

from docai.pipelines.evaluation import evaluate, read_report

TRUTH = {"ethanol": "CCO", "benzene": "c1ccccc1", "acetone": "CC(C)=O"}
ANSWERS = {"ethanol": "OCC", "benzene": "C1=CC=CC=C1", "acetone": "CC(C)O"}


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/evaluation")
    folder.mkdir(parents=True, exist_ok=True)
    for name, smiles in TRUTH.items():
        Draw.MolToImage(MolFromSmiles(smiles)).save(folder / f"{name}.png")
    rows = [f"{name},{name}.png,{smiles}" for name, smiles in TRUTH.items()]
    (folder / "truth.csv").write_text("\n".join(["image_id,file_path,SMILES", *rows]) + "\n")
    rows = [f"{name},{smiles}" for name, smiles in ANSWERS.items()]
    (folder / "answers.csv").write_text("\n".join(["image_id,SMILES", *rows]) + "\n")
    evaluate(f"molscribe:{folder}/truth.csv", predictions=folder / "answers.csv", out=folder / "report")
    for task in read_report(folder / "report").tasks:
        for measure in task.measures:
            low, high = measure.interval.low, measure.interval.high
            print(f"{measure.label}: {measure.value:.3f} ({low:.3f}–{high:.3f}), {measure.n} cases")


if __name__ == "__main__":
    main()

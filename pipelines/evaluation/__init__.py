"""Measuring docai, and any other reader, by the reference definition of each task.

>>> from docai.pipelines.evaluation import smiles_match
>>> smiles_match("OCC", "CCO").exact
True
"""

from docai.pipelines.evaluation.datasets import open_dataset
from docai.pipelines.evaluation.evaluator import evaluate
from docai.pipelines.evaluation.metrics.grits import grits
from docai.pipelines.evaluation.metrics.molecules import smiles_match
from docai.pipelines.evaluation.metrics.omr_ned import omr_ned
from docai.pipelines.evaluation.metrics.scores import kern_error_rates
from docai.pipelines.evaluation.metrics.spotting import spotting, spotting_corpus
from docai.pipelines.evaluation.metrics.teds import teds, teds_canonical
from docai.pipelines.evaluation.report import compare_reports, read_report, write_report
from docai.pipelines.evaluation.tasks import TASKS

__all__ = [
    "TASKS",
    "compare_reports",
    "evaluate",
    "grits",
    "kern_error_rates",
    "omr_ned",
    "open_dataset",
    "read_report",
    "smiles_match",
    "spotting",
    "spotting_corpus",
    "teds",
    "teds_canonical",
    "write_report",
]

"""Readers for the layouts that data sets come in.

for case in open_dataset("pubtabnet:DIR"):
    ...  # a Sample with its truth, or a Skipped with the reason
"""

from docai.pipelines.evaluation.datasets.dataset import FORMATS, DataSet, open_dataset
from docai.pipelines.evaluation.datasets.formats import Format

__all__ = ["FORMATS", "DataSet", "Format", "open_dataset"]

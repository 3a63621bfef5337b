"""docai turns documents into typed, checked data on your own machine.

>>> import docai
>>> document = docai.process("report.pdf")          # doctest: +SKIP
>>> document.tables[0].cells[0].text                # doctest: +SKIP

Importing docai loads neither torch nor a PDF library: those arrive with the first call that needs them.
"""

from docai._checkout import package_path

__path__ = package_path(__path__)

from docai import errors
from docai._version import __version__
from docai.api import Pipeline, parse, process, read
from docai.batch import BatchResult, process_many
from docai.contents import Issue
from docai.document import Document
from docai.errors import DocaiError
from docai.limits import Limits
from docai.models.scripted import ScriptedEngine
from docai.options import ModelOptions
from docai.pipelines.batch.ray_cluster import RayCluster
from docai.records import Figure, Molecule, Score, Table, Text

__all__ = [
    "BatchResult",
    "DocaiError",
    "Document",
    "Figure",
    "Issue",
    "Limits",
    "ModelOptions",
    "Molecule",
    "Pipeline",
    "RayCluster",
    "Score",
    "ScriptedEngine",
    "Table",
    "Text",
    "__version__",
    "errors",
    "parse",
    "process",
    "process_many",
    "read",
]

"""What `import docai` gives, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import docai

PUBLIC = [
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
HEAVY = ("torch", "transformers", "peft", "pymupdf", "fitz", "rdkit", "music21", "cv2", "lxml", "scipy")


def test_public_names_are_these() -> None:
    assert sorted(docai.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_can_be_used(name: str) -> None:
    assert getattr(docai, name) is not None
    assert name in dir(docai)


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import docai",
        "from docai import *",
        "import docai.models.heads",
        "import docai.settings, docai.exports",
    ],
)
def test_import_is_light(statement: str) -> None:
    loaded = _modules_after(statement)
    assert not loaded.intersection(HEAVY)
    assert not [name for name in loaded if name.startswith("pydantic_settings")] or "settings" in statement


def test_import_changes_nothing_around_it() -> None:
    code = (
        "import logging, os, warnings\n"
        "before = dict(os.environ), list(logging.getLogger().handlers), list(warnings.filters)\n"
        "import docai\n"
        "assert before == (dict(os.environ), list(logging.getLogger().handlers), list(warnings.filters))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_every_error_is_a_docai_error_with_a_docstring() -> None:
    classes = [item for item in vars(docai.errors).values() if isinstance(item, type)]
    assert len(classes) > 20
    for item in classes:
        assert issubclass(item, docai.DocaiError)
        assert item.__doc__
        assert item.__name__ in (docai.errors.__doc__ or "")

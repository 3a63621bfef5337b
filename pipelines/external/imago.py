"""Molecules of a picture, read by Imago through the package ``epam.imago``, whose wheel carries the engine.

https://github.com/epam/Imago, Apache License 2.0; wheels for Linux on x86-64. It was seen to corrupt its own
memory on some pictures, so it runs in a child process of its own, a new one after each crash.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.external.programs import ReaderError

PACKAGE: Final = "imago"

SECONDS: Final = 30.0
"""For one picture. Most take a tenth to half of a second."""


class DrawnMolecule(NamedTuple):
    """What Imago makes of a picture."""

    molblock: str
    n_warnings: int
    """Places that it could not make out."""


def missing() -> str | None:
    """Why it cannot be used here, in one sentence; None where it can."""
    if find_spec(PACKAGE) is None:
        return "Imago is not installed: `pip install epam.imago` (Linux on x86-64)."
    return None


def read_molecule(ink: NDArray[np.uint8], *, seconds: float = SECONDS) -> DrawnMolecule | None:
    """The molecule of a picture of black (0) on white (255), ``(H, W)``; None where Imago sees none.

    Raises:
        ReaderError: it is not installed, crashed, or took longer than ``seconds``.
    """
    if problem := missing():
        raise ReaderError(problem)
    try:
        return _WORKER.call(_read, seconds, ink)
    except WorkerError as error:
        raise ReaderError(f"Imago gave no answer ({error})") from error


_WORKER: Final = CallWorker("docai.pipelines.external.imago")


def _read(ink: NDArray[np.uint8]) -> DrawnMolecule | None:
    """In the child."""
    from imago import Imago, ImagoException
    from PIL import Image

    engine = Imago()
    try:
        engine.load_image_from_pillow(Image.fromarray(ink))
        n_warnings = engine.recognize()
        return DrawnMolecule(engine.molecule, n_warnings)
    except ImagoException:
        return None

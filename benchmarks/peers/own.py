"""docai itself, as one more tool behind the same worker: the only one that imports docai."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import grid
import tools

import docai
from docai.options import MODEL_ALONE
from docai.pipelines.evaluation.base import Item, Sample
from docai.pipelines.evaluation.running import SampleReader
from docai.records import Kind


class Docai:
    """The embedded model: a crop goes to the head of its kind, a page through the whole pipeline."""

    def __init__(self, model: str = "nano") -> None:
        self.version = docai.__version__
        # Loaded before the first case, as the packages of the other tools are imported.
        engine = docai.Pipeline(model, device="cpu").engine
        self._reader = SampleReader(engine, MODEL_ALONE)

    def read(self, request: tools.Request) -> list[grid.Item]:
        sample = Sample(
            id="",
            truth=(Item(kind=cast(Kind, request.kind)),),
            unit="crop" if request.unit == "crop" else "page",
            source=Path(request.source),
            page=request.page,
            bbox=None if request.bbox is None else cast(grid.Box, tuple(request.bbox)),
            password=request.password,
        )
        prediction = self._reader.read(sample)
        if prediction.error is not None:
            raise RuntimeError(prediction.error)
        return [item.model_dump(mode="json") for item in prediction.items]

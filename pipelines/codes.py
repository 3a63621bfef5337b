"""Every issue code of the pipeline, in one place; those of the parsers are in :mod:`docai.parsers.codes`.

A code is stable: once released it keeps its meaning. An ``error`` says that something is missing or
cannot be trusted; a ``warning`` that a part is doubtful, or that one witness was believed over another;
an ``info`` that something was done in a particular way.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from docai.records import Issue, Severity, Stage


class Code(NamedTuple):
    """What one issue code stands for, and how bad it is unless the place where it arises knows better."""

    severity: Severity
    stage: Stage
    meaning: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        # Document and page
        "source-repaired": Code(
            "warning", "ingest", "The file is damaged and was mended on opening; something may be missing."
        ),
        "page-failed": Code("error", "ingest", "The page could not be read; the other pages are whole."),
        "layout-failed": Code(
            "error", "layout", "The page's regions could not be found; its own words, if any, are one text."
        ),
        "regions-not-asked-for": Code("info", "layout", "Regions of kinds not in `heads` were left out."),
        # Region: not read by a model
        "region-limit": Code("error", "model", "Limits.max_regions_per_page was reached before it."),
        "page-time-limit": Code("error", "model", "Limits.max_seconds_per_page was used up before it."),
        "head-not-available": Code("error", "model", "The model has no weights for the region's kind."),
        "crop-failed": Code("error", "crop", "The region could not be drawn for the model."),
        "record-failed": Code("error", "parser", "The model's answer could not be made a record; see `raw`."),
        # Region: how the model ended
        "model-output-cut": Code("error", "model", "The token limit was reached; the end is missing."),
        "model-output-loop": Code("error", "model", "The model repeated itself and was stopped."),
        "model-blank-crop": Code("warning", "model", "The region shows nothing, and no model was asked."),
        "model-asked-again": Code(
            "warning",
            "model",
            "The first answer was cut, looping or invalid; a later attempt is believed.",
        ),
        "model-failed": Code("error", "model", "The model could not answer; the message says why."),
        "model-box-outside": Code(
            "warning", "model", "A box lies where the crop shows no page; it was cut to the page or left out."
        ),
        "text-tiles-merged": Code("info", "model", "Words that two overlapping tiles show were read once."),
        "text-tiles-differ": Code(
            "warning",
            "model",
            "Words were read in two ways where tiles overlap; the message has both.",
        ),
        # Region: the PDF's own words
        "text-layer-not-believed": Code(
            "warning", "evidence", "The PDF's own words look broken; they are kept in `native_text`."
        ),
        "text-layer-disagrees": Code(
            "warning", "evidence", "The model read other words than the PDF has; the PDF was believed."
        ),
        # Region: witnesses of a table
        "table-cells-corrected": Code(
            "info", "evidence", "Cells took their text from the PDF's own words inside their boxes."
        ),
        "table-cells-differ": Code(
            "warning", "evidence", "Cells hold other words than the PDF has inside their boxes."
        ),
        "table-boxes-off": Code(
            "warning", "evidence", "The cells' boxes do not lie on their words, so words did not fill cells."
        ),
        "table-words-disagree": Code(
            "warning", "evidence", "The table as a whole holds other words than the PDF has in the region."
        ),
        "table-grids-differ": Code(
            "warning",
            "evidence",
            "The model and the table finder see different grids; the model's was believed.",
        ),
        "table-from-finder": Code(
            "warning", "evidence", "The table finder's grid was believed, not the model's."
        ),
        "table-unread": Code("error", "evidence", "Neither the model nor the table finder made out a table."),
        # Region: other witnesses
        "witness-believed": Code(
            "warning", "evidence", "A second reader's answer was believed; the model's is in `alternatives`."
        ),
        "witness-disagrees": Code(
            "warning",
            "evidence",
            "A second reader has another answer, in `alternatives`; the model was believed.",
        ),
        "witness-silent": Code(
            "info", "evidence", "A second reader saw nothing there that it could make out."
        ),
        "witness-failed": Code("info", "evidence", "A second reader failed and has nothing to say."),
        # Region: read-back
        "readback-differs": Code(
            "warning", "validator", "Drawn again, the record is little like its crop: it may be wrong."
        ),
    }
)


def make_issue(
    code: str, message: str, *, severity: Severity | None = None, page: int | None = None
) -> Issue:
    """An issue of the pipeline.

    ``code`` has to be listed in :data:`CODES`; a KeyError is a bug of ours.
    """
    entry = CODES[code]
    return Issue(
        code=code, severity=severity or entry.severity, stage=entry.stage, message=message, page=page
    )

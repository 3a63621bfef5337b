"""Documents as files of other formats: one module for each, on records only.

- :mod:`~docai.exports.base`: what a format is given (:class:`Export`) and what it gives back;
- :mod:`~docai.exports.registry`: the formats by extension (:data:`FORMATS`), :func:`export` to bytes;
- :mod:`~docai.exports.files`: to the disk, whole or not at all.
"""

from __future__ import annotations

from docai.exports.base import Export, ExportedFile, ExportOptions, Format, Loss
from docai.exports.files import Written, paths_of, refuse_source, write_export, write_files
from docai.exports.json_file import source_of_result
from docai.exports.registry import FORMATS, export, export_alone, format_for, format_named, split_name

__all__ = [
    "FORMATS",
    "Export",
    "ExportOptions",
    "ExportedFile",
    "Format",
    "Loss",
    "Written",
    "export",
    "export_alone",
    "format_for",
    "format_named",
    "paths_of",
    "refuse_source",
    "source_of_result",
    "split_name",
    "write_export",
    "write_files",
]

"""Keeping MuPDF off the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_mupdf() -> Iterator[None]:
    """Keep MuPDF's complaints about damaged files off the terminal inside the block.

    The switches are global in PyMuPDF, so they are put back as they were. Wrap whatever calls
    ``page.pdf`` in it.
    """
    import pymupdf

    tools = pymupdf.TOOLS
    errors, warnings = tools.mupdf_display_errors(), tools.mupdf_display_warnings()
    tools.mupdf_display_errors(False)
    tools.mupdf_display_warnings(False)
    try:
        yield
    finally:
        tools.mupdf_display_errors(errors)
        tools.mupdf_display_warnings(warnings)

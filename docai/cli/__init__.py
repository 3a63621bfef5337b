"""The command line: ``docai``, or ``python -m docai``.

One module per command; :mod:`docai.cli.app` puts them together.
"""

from docai.cli.app import main

__all__ = ["main"]

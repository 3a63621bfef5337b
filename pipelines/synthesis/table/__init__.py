"""Tables for the `table` head: HTML with the box of each cell's text.

``generator`` picks one of two kinds. The easy: ``plain`` composes and draws. The others: ``content`` and
``values`` compose, ``look`` picks the design, ``layout`` sets it, ``render`` makes the picture and the
boxes. ``grid`` is what both say.
"""

from docai.pipelines.synthesis.table.generator import compose, draw, generate
from docai.pipelines.synthesis.table.grid import Grid, TableCell, to_html

__all__ = ["Grid", "TableCell", "compose", "draw", "generate", "to_html"]

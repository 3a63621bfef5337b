"""Tables for the `table` head: HTML with the box of each cell's text.

``generator`` chooses one of two kinds. Easy tables are composed and drawn by ``plain``. The others are
composed by ``content`` and ``values``; ``design`` picks their design, ``layout`` lays them out, ``render``
makes the picture and the boxes. ``grid`` is the content of both kinds.
"""

from docai.pipelines.synthesis.table.generator import compose, draw, generate
from docai.pipelines.synthesis.table.grid import Grid, TableCell, to_html

__all__ = ["Grid", "TableCell", "compose", "draw", "generate", "to_html"]

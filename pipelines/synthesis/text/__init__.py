"""Words with their boxes for the `text` head: lines, pages with columns, and signs on pictures.

``generator`` makes the sample; ``words`` picks the words, ``layout`` sets them, ``ground`` paints what is
below them.
"""

from docai.pipelines.synthesis.text.generator import compose, draw, generate

__all__ = ["compose", "draw", "generate"]

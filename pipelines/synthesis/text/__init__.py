"""Words with their boxes for the `text` head: lines, pages with columns, and signs on pictures.

``generator`` makes the sample, with words of :mod:`docai.pipelines.synthesis.words`; ``layout`` places them,
``ground`` paints the background.
"""

from docai.pipelines.synthesis.text.generator import compose, draw, generate

__all__ = ["compose", "draw", "generate"]

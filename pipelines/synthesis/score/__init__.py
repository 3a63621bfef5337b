"""Music for the `score` head, engraved by Verovio.

``generator`` picks a passage and makes the sample. ``plain`` composes short passages of one voice per staff,
``rich`` random ones with all that the head reads, ``corpus`` cuts passages from real pieces (``musicxml``
reads those in MusicXML). ``notation`` writes kern. ``svg`` reads Verovio's drawing.
"""

from docai.pipelines.synthesis.score.generator import compose, draw, generate

__all__ = ["compose", "draw", "generate"]

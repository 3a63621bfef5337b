"""Music for the `score` head, engraved by Verovio.

``generator`` picks a piece and makes the sample. Pieces: ``plain`` short passages of one voice a staff,
``rich`` random ones with all that the head reads, ``corpus`` cuts of real ones, for which ``musicxml`` reads
those in MusicXML; ``notation`` writes kern. Pictures: ``svg`` reads Verovio's drawing.
"""

from docai.pipelines.synthesis.score.generator import compose, draw, generate

__all__ = ["compose", "draw", "generate"]

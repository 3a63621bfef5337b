"""Offline: pairs of crop and target from a person's own born-digital PDFs.

A drawing that is read soundly, a table whose grid and words are the page's own, and the words of a text are
truth that costs nobody's time. :func:`harvest` takes those that are certain, counts the others by reason, and
writes what ``docai train`` reads.
"""

from docai.pipelines.harvest.certain import HEADS, REASONS, Certainty
from docai.pipelines.harvest.harvest import Harvest, HarvestedSource, harvest

__all__ = ["HEADS", "REASONS", "Certainty", "Harvest", "HarvestedSource", "harvest"]

"""Find the text blocks, tables, molecules, scores and figures of a page, and their reading order."""

from docai.pipelines.layout.classify import classify_image
from docai.pipelines.layout.find import find_regions
from docai.pipelines.layout.types import PageLayout, Region
from docai.pipelines.words import text_layer_quality

__all__ = ["PageLayout", "Region", "classify_image", "find_regions", "text_layer_quality"]

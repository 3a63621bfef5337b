"""Page to regions: where tables, molecules, scores, text and plain figures are, and in which order."""

from docai.pipelines.layout.classify import classify_image
from docai.pipelines.layout.find import find_regions
from docai.pipelines.layout.types import PageLayout, Region
from docai.pipelines.words import text_layer_quality

__all__ = ["PageLayout", "Region", "classify_image", "find_regions", "text_layer_quality"]

"""The words of a figure on a scan: labels of charts and diagrams, print in screenshots.

No reader is asked for them: the OCR engine that told layout where words are has read them, and layout has
left them in the figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.ppocr import OcrPageWord, rows_of, text_of
from docai.pipelines.layout.types import SeenWord


def read_seen_words(seen: Sequence[SeenWord]) -> Reading:
    """Words that an OCR engine sees in a figure, row by row; those that lie on their side come last.

    Args:
        seen: at least one.
    """
    ordered = [one for row in rows_of([OcrPageWord(one.word, one.confidence) for one in seen]) for one in row]
    confidences = [one.confidence for one in ordered]
    content = text_of([one.word for one in ordered], confidences)
    mean = sum(confidences) / len(confidences)
    return Reading(seen[0].source, content, content.text, quality=mean, is_calibrated=seen[0].is_calibrated)

"""How the words of a PDF are set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from docai.pipelines.ingest import FontFace, PageWord
from docai.records import Font


def font_of(words: Sequence[PageWord]) -> Font | None:
    """The font of most letters of the words; None where no font is known, or another program read them."""
    letters: Counter[tuple[FontFace, float]] = Counter()
    for word in words:
        if word.font is not None and word.size > 0 and not word.is_ocr:
            letters[word.font, round(word.size, 1)] += len(word.text)
    if not letters:
        return None
    ((face, size), _) = letters.most_common(1)[0]
    return Font(size=size, **face._asdict())

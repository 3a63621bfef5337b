"""When the ICDAR Robust Reading Competition takes a reading for right (``script.py``, E2E_iou_1_1)."""

from __future__ import annotations

import re

_SPECIAL = "!?.:,*\"()·[]/'"
_DICTIONARY_WORD = re.compile(r"(?:[a-zA-Z\u00c0-\u01bf\u01c4-\u027f\u0386-\u03ff-](?<![×÷])){3,}")


def same_transcription(truth: str, prediction: str) -> bool:
    """Whether the RRC takes a reading for right: case ignored, and the truth may lose one special character
    at its start, at its end, or at both."""
    truth, prediction = truth.upper(), prediction.upper()
    starts = (0, 1) if truth[:1] and truth[0] in _SPECIAL else (0,)
    ends = (0, 1) if truth[-1:] and truth[-1] in _SPECIAL else (0,)
    return any(truth[start : len(truth) - end] == prediction for start in starts for end in ends)


def dictionary_form(text: str) -> str | None:
    """A truth as RRC word spotting asks for it: without ``'s``, outer hyphens and special characters. None
    where what is left is no word of three letters or more."""
    text = re.sub(r"'[sS]\Z", "", text).strip("-")
    text = "".join(" " if char in _SPECIAL else char for char in text).strip()
    return text if _DICTIONARY_WORD.fullmatch(text) else None


def same_word(truth: str, prediction: str) -> bool:
    """Whether two readings are one word in RRC word spotting: case is ignored, nothing else."""
    return truth.upper() == prediction.upper()

"""The heads, and with them all parsers, load none of the large libraries."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("rdkit", "music21", "lxml", "torch", "transformers", "cv2", "pymupdf")


def test_the_heads_load_no_heavy_library() -> None:
    script = f"import sys, docai.models.heads; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

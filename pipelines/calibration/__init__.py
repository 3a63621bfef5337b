"""How sure the parts of an answer are, and whether that is true: alignment, outcomes, calibration."""

from __future__ import annotations

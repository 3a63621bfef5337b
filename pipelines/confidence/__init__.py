"""How sure the parts of an answer are, and whether that is true: alignment, outcomes, calibration."""

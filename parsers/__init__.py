"""Model text to typed content. Pure and total: no torch, no I/O, and any string gives an answer."""

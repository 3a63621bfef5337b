"""Who reads a region beside the model, and which reading is believed.

``base`` holds the contract of a reader. ``text_layer`` (the PDF's own words, the table finder),
``tesseract``, ``scanned_table`` and ``osra`` fill it, ``readers`` lists them and asks them while the model
reads, and ``arbiter`` decides between all readings of a region, with the probabilities of ``trust``.
Programs are used where they are installed, never required.
"""

from __future__ import annotations

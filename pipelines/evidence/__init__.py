"""Who reads a region beside the model, and which reading is believed.

``base`` holds the contract of a reader, ``readers`` lists all of them and asks them in turn,
``second_readers`` joins what those of one picture say, ``arbiter`` decides between that and the model, with
the probabilities of ``trust``, and ``hints`` names readers that would have helped. The others by kind:

- **text**: ``text_layer`` (the PDF's own words), ``ppocr`` and ``tesseract`` (pictures), ``text_vote`` (by
  words);
- **tables**: ``table_decision`` and ``structure`` (born-digital pages), ``scanned_tables`` (the grid of words
  and rules) and ``slanet`` (a network), ``table_quality`` and ``table_choice`` (between them);
- **molecules**: ``imago``, ``osra`` and ``tracing``, ``molecule_picture`` (what they are shown),
  ``molecule_answers`` (what they say), ``molecule_vote`` (between them);
- **scores**: ``traced_scores``;
- **drawings of born-digital pages**: ``drawing`` and ``drawing_decision``.

Packages and programs are used where they are installed, never required.
"""

from __future__ import annotations

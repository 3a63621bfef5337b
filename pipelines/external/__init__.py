"""Programs and child processes that docai runs, each behind one door.

``programs`` runs any program within bounds, ``tesseract`` reads words with one. ``workers`` has pools of
Python processes, and children that answer JSON. ``engraving`` draws music with such a child, whose script is
``engraver``.
"""

"""Second readers that share nothing with the model: used where they are installed, never required.

``base`` is the seam. ``finder``, ``tesseract`` and ``osra`` fill it, ``panel`` chooses and hears them, and
``verdict`` says what becomes of a model's answer and a witness's.
"""

from __future__ import annotations

"""Training of the embedded checkpoint, in sessions of a given time that resume where the last one ended.

``loop`` is one session. ``model`` is the architecture, ``patches`` are pairs cut into patches and their
batches, ``step`` is one step with its losses, ``measure`` reads held-out pairs. ``feed`` draws pairs in
processes of their own, from the renderers or from a pack for machines without them (``pack``, with
``molecules``, ``drawing`` and ``scores``). ``state`` is what a session leaves on disk.
"""

from docai.pipelines.training.nano.model import build_model, build_processor, save_checkpoint

__all__ = ["build_model", "build_processor", "save_checkpoint"]

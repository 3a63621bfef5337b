"""Training of the embedded checkpoint, in slices that stop by the clock and go on where they stopped.

``model`` is its architecture, ``patches`` cut pairs and the batches made of them, ``step`` one step and its
losses, ``measure`` the held-out figures. ``sources`` says where pairs come from: the renderers, or a pack
for machines without them (``pack``, with ``molecules`` and ``scores``); ``feed`` draws them in processes of
their own. ``state`` is kept on the disk, ``slices`` is the loop.
"""

from docai.pipelines.training.nano.model import build_model, build_processor, save_checkpoint

__all__ = ["build_model", "build_processor", "save_checkpoint"]

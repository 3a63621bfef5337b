"""Training: of a head on a PaliGemma 2 (``finetune``), and of the embedded checkpoint (``nano``)."""

"""PaliGemma 2: heads, checkpoints and adapters, engines, decoding, and the embedded checkpoint."""

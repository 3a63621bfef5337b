"""The model's answer to the crops of a region: parsed, tiles joined, confidence from its tokens."""

"""The model's answer to the crops of a region: asked again where it must be, tiles joined, confidence."""

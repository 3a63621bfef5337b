"""Tables of born-digital pages: a grid from rules and words, a second reader beside the model."""

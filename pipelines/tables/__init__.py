"""Tables of born-digital pages: a grid from rules and words, a witness beside the model."""

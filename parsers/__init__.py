"""From the text that a model writes to typed content. Pure and total: no torch, no input or output, no error
on any string."""

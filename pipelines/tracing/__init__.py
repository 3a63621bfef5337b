"""Pictures of drawings traced: strokes, letters and symbols, as the readers of drawings take them."""

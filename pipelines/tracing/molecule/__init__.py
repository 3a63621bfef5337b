"""Structure drawings of a picture: thinned to strokes and letters."""

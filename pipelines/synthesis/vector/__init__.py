"""Born-digital drawings with truth: molecules, scores and decoys as vectors in a PDF."""

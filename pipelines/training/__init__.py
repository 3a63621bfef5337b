"""Training: the embedded checkpoint's architecture, its data feed, and the loop in resumable slices."""

"""Programs and child processes that docai runs: isolated workers, the engraver, command-line readers."""

"""The reference metric of each task, and how a case of it is scored."""

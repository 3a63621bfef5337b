"""A region as 896 px squares: one crop, or tiles where it is too dense; invertible to page points."""

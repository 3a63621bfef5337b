"""How sure the grid of a born-digital table is: what speaks for and against its rows, columns and spans."""

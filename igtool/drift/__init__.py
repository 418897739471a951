"""How the answers of the platforms change: their fields by week, and the columns that are filled from them."""

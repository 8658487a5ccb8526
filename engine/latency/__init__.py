"""From hardware facts to the integer coefficients of the core."""

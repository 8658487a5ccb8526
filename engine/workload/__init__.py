"""Sessions as columns: drawn, assembled, or read from traces."""

"""One HTML page about recordings, which opens without a network."""

"""Who asks: the behaviour of simulated agents."""

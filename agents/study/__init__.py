"""Studies: questions that take many runs of one scenario."""

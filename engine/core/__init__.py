"""The simulation: no clock, no I/O, integer time."""

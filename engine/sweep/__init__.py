"""Results of sweeps: many runs of one scenario, with other settings and seeds, kept as tables in a folder."""

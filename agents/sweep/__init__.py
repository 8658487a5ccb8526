"""Sweeps: grids and random designs of points, on the threads of this machine or on a cluster, with equal results."""

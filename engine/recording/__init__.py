"""Recordings of runs: written while a run goes on, read and searched at any time, even while they are written."""

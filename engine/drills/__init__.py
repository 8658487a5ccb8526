"""Drills: something breaks on purpose, and what that does to the turns is measured."""

"""Lanes of recordings held against each other: what differs, by how much, and whether it may be chance."""

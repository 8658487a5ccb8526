"""The live driver: the core at the pace of the wall clock."""

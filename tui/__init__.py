"""What you see: the command line."""

"""The command line: `subsecond run`, `validate`, `catalog`."""

from subsecond.tui.cli.app import main

__all__ = ["main"]

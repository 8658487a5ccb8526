"""The commands of studies: questions that take many runs of a scenario."""

from __future__ import annotations

import typer

__all__ = ["add_commands"]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to those of `subsecond`."""

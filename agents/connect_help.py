"""Lines that connect known clients to the gateway, ready to be copied."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Final

__all__ = ["Client", "clients", "connect_lines"]

#: The port in the programs as they are kept.
KEPT_PORT: Final = "8765"


@dataclass(frozen=True, slots=True)
class Client:
    """A client, and a complete program that connects it.

    Attributes:
        language: `python`, `js` or `sh`.
        packages: that the program needs, of the language's registry.
        protocol: `realtime`, `responses` or `chat`.
    """

    name: str
    title: str
    language: str
    packages: tuple[str, ...]
    protocol: str
    program: str


def clients(port: int = int(KEPT_PORT)) -> list[Client]:
    """All that are known, for a gateway at this port of this machine."""
    text = resources.files("subsecond.agents").joinpath("data/connect.toml").read_text(encoding="utf-8")
    return [
        Client(
            name=table["name"],
            title=table["title"],
            language=table["language"],
            packages=tuple(table["packages"]),
            protocol=table["protocol"],
            program=table["program"].replace(KEPT_PORT, str(port)),
        )
        for table in tomllib.loads(text)["clients"]
    ]


def connect_lines(port: int) -> list[tuple[str, list[str]]]:
    """Titles and programs, line by line, for people to read and copy."""
    return [(client.title, client.program.splitlines()) for client in clients(port)]

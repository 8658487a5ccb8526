"""How an agent connects to the service that is shown: its address, and lines to copy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from subsecond.agents.connect_help import connect_lines
from subsecond.tui.widgets.snippets import Snippet

__all__ = ["Address", "address_of", "snippets"]

#: The model in the programs as they are kept.
KEPT_MODEL: Final = "gpt-oss-120b@gpu"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(place: str) -> Address | None:
    """The address in the URL of a feed (`Source.place`); None: it is no URL, a recording's path, say."""
    try:
        parts = urlsplit(place)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            return None
        return Address(parts.hostname, parts.port or (443 if parts.scheme == "wss" else 80))
    except ValueError:
        return None


@lru_cache(8)
def snippets(address: Address, models: tuple[str, ...]) -> tuple[Snippet, ...]:
    """Programs to copy, client by client.

    Args:
        models: names that the service has, `model@pipeline`; programs that name none of them get the first one.
    """
    found = []
    for title, lines in connect_lines(address.port):
        text = "\n".join(lines)
        if models and KEPT_MODEL not in models:
            text = text.replace(KEPT_MODEL, models[0])
        found.append(Snippet(title, tuple(text.split("\n"))))
    return tuple(found)

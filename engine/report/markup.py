"""HTML from elements, in which every text is escaped: names in a recording may hold anything."""

from __future__ import annotations

import html
import json
from typing import Any

__all__ = ["Html", "element", "embedded", "joined"]


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """An element; children that are no `Html` are escaped, and so are values of attributes.

    A name of an attribute may end in `_` (`class_`) and have `_` for `-`.
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for name, value in attributes.items()
    )
    return Html(f"<{tag}{shown}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Elements one after the other."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def embedded(value: Any) -> Html:
    """A JSON value inside a `script` element, which it cannot end."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Html(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))

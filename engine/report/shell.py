"""A page around what a report says: one file that opens in any browser and asks for nothing outside itself.

A policy in the page forbids every request, and lets no script run but ours, whatever names the reported things hold.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from subsecond.engine.errors import InputError

from .markup import Html, element, embedded, joined

__all__ = ["Figures", "page_of", "plot_script"]


def plot_script() -> str:
    """The script that draws the figures.

    Raises:
        InputError: there is no plotly.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        expected = "plotly, which draws its figures: pip install 'subsecond[report]', or pip install plotly"
        raise InputError("report", "", "no plotly", expected) from None
    return str(get_plotlyjs())


class Figures:
    """The figures of a page, as plotly takes them: `data`, `layout` and `height` in pixels."""

    def __init__(self) -> None:
        self.drawn: dict[str, Any] = {}

    def add(self, drawn: dict[str, Any], caption: str) -> Html:
        """The place of a figure on the page, with its caption below."""
        key = f"figure-{len(self.drawn)}"
        self.drawn[key] = drawn
        style = f"height:{drawn['height']}px"
        plot = element("div", class_="plot", id=key, role="img", aria_label=caption, style=style)
        return element("figure", plot, element("figcaption", caption))


def page_of(title: str, body: Sequence[Html], figures: Figures, plotting: str) -> str:
    """A whole page.

    Args:
        title: in the window's frame.
        body: from the headline on.
        plotting: as of `plot_script`.
    """
    footer = element("footer", f"Made by subsecond {version('subsecond')}. Times are virtual, of a simulated run.")
    scripts = [plotting, (files(__package__) / "page.js").read_text(encoding="utf-8")]
    style = (files(__package__) / "page.css").read_text(encoding="utf-8")
    head = joined(
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'),
        element("title", f"Subsecond: {title}"),
        element("style", Html(style)),
    )
    data = element("script", embedded(figures.drawn), type="application/json", id="figures")
    ending = joined(data, *(element("script", Html(script)) for script in scripts))
    whole = element("html", element("head", head), element("body", element("main", *body, footer), ending), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _policy(scripts: Sequence[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    ours = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {ours}"

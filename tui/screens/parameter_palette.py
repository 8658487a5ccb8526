"""The parameters of all pipelines in the command palette, by name: `pipeline.key`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from subsecond.engine.feed import LaneInfo, ParameterInfo
from subsecond.tui.screens.knob_dialog import KnobDialog

if TYPE_CHECKING:
    from subsecond.tui.app import SubsecondApp

__all__ = ["ParameterCommands", "ParameterPalette"]


class ParameterCommands(Provider):
    """One command for each parameter of the run: it opens the dialog that sets it."""

    def _commands(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        snapshot = cast("SubsecondApp", self.app).snapshot
        for lane in () if snapshot is None else snapshot.lanes:
            for parameter in lane.info.parameters:
                yield (
                    f"{lane.info.name}.{parameter.key}",
                    f"{parameter.value}: {parameter.source}",
                    partial(self._open, lane.info, parameter),
                )

    def _open(self, lane: LaneInfo, parameter: ParameterInfo) -> None:
        self.app.push_screen(KnobDialog(lane, parameter))

    async def discover(self) -> Hits:
        """All of them, while nothing is typed."""
        for name, words, run in self._commands():
            yield DiscoveryHit(name, run, help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, words, run in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, text=name, help=words)


class ParameterPalette(CommandPalette):
    """A palette of parameters alone."""

    def __init__(self) -> None:
        super().__init__([ParameterCommands], placeholder="pipeline.parameter, such as gpu.network_ms")

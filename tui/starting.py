"""A service of our own, watched from before it is ready: the first frame need not wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from subsecond.engine.commands import Command
from subsecond.engine.errors import SubsecondError
from subsecond.tui.owned import OwnedService
from subsecond.tui.source import Item, LiveSource

__all__ = ["StartingSource"]


class StartingSource:
    """The feed of a service that has begun to start.

    Args:
        give_up: called if it does not start.

    Attributes:
        failure: why it did not start; None: it did, or may yet.
    """

    def __init__(self, service: OwnedService, give_up: Callable[[], None]) -> None:
        self._service = service
        self._give_up = give_up
        self._live: LiveSource | None = None
        self.failure: SubsecondError | None = None

    @property
    def place(self) -> str:
        return self._service.url if self._live is None else self._live.place

    async def items(self) -> AsyncIterator[Item]:
        """Messages, once it is ready."""
        try:
            self._live = LiveSource(await self._service.ready(), token=self._service.token)
        except SubsecondError as error:
            self.failure = error
            self._give_up()
            return
        async for item in self._live.items():
            yield item

    async def send(self, command: Command) -> bool:
        return self._live is not None and await self._live.send(command)

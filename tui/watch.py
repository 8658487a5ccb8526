"""Listens to one source: the model of its run, whether there is a connection, and what was not understood."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Annotation, Hello, Message, Notice, OutsideAgent
from subsecond.tui.model import Model
from subsecond.tui.open_turns import OpenTurns
from subsecond.tui.replay import ReplaySource
from subsecond.tui.source import Gone, Item, Refused, Source
from subsecond.tui.verdict import clock_words

__all__ = ["Severity", "Tell", "Watch", "Word"]

Severity = Literal["information", "warning", "error"]
_SEVERITY: Final[dict[str, Severity]] = {"warning": "warning", "error": "error"}


@dataclass(frozen=True, slots=True)
class Word:
    """Something that the user should read now."""

    text: str
    severity: Severity = "information"
    title: str = ""


Tell = Callable[[Word], None]


class Watch:
    """What a source has said so far; nothing that it says raises.

    Args:
        tell: called with what the user should read.

    Attributes:
        model: None until the source has said what it runs.
        gone: why there is no connection; empty while there is one.
        refused: how many messages were not understood.
        has_news: whether anything has come; whoever draws sets it back.
        is_over: set when the source has nothing more to say.
    """

    def __init__(self, source: Source, tell: Tell) -> None:
        self.source = source
        self._tell = tell
        self.model: Model | None = None
        self.gone = ""
        self.refused = 0
        self.has_news = False
        self.is_over = asyncio.Event()
        self._is_recording = isinstance(source, ReplaySource)

    @property
    def is_jumping(self) -> bool:
        """Whether the model is on its way to an instant of a recording: a picture would show half of it."""
        return isinstance(self.source, ReplaySource) and self.source.is_jumping and not self.gone

    @property
    def jump(self) -> int:
        """Number of the jump that the model has come from."""
        return self.source.arrived if isinstance(self.source, ReplaySource) else 0

    async def listen(self) -> None:
        """Take what the source says until it ends."""
        count = 0
        try:
            async for item in self.source.items():
                self.take(item)
                count += 1
                if count % 500 == 0:  # the past comes all at once: let keys and frames through
                    await asyncio.sleep(0)
        except InputError as error:  # a recording that turns out to be damaged
            self.take(Gone(str(error)))
        self.is_over.set()

    def take(self, item: Item) -> None:
        """Take one item."""
        self.has_news = True
        if isinstance(item, Gone):
            if not self.gone:
                self._tell(Word(item.reason, "error", "Nothing to read" if self._is_recording else "No service"))
            self.gone = item.reason
        elif isinstance(item, Refused):
            self._refuse(item.reason)
        elif isinstance(item, Hello):
            self._begin(item)
        else:
            self._add(item)

    def _begin(self, hello: Hello) -> None:
        self.gone = ""
        former = self.model if self.model is not None and self.model.hello.run != hello.run else None
        if former is not None:
            self._tell(Word("A new run begins."))
        self.model = Model(hello, former=former)

    def _add(self, item: Message | OpenTurns) -> None:
        if self.model is None:
            self._refuse("a message before the first one")
            return
        if isinstance(item, Notice) and not self.is_jumping:
            self._tell(Word(item.text, _SEVERITY.get(item.level, "information")))
        if isinstance(item, Annotation) and not self.is_jumping:
            self._tell(Word(item.text, title=f"Noted at {clock_words(item.at_ps)}"))
        is_first = isinstance(item, OutsideAgent) and self.model.agents.is_first(item)
        try:
            self.model.add(item)
        except ValueError as error:
            self._refuse(str(error))
            return
        if isinstance(item, OutsideAgent) and is_first and not self.is_jumping:
            agent = self.model.agents.table().agents[item.agent]
            self._tell(Word(f"{agent.name} connected over {agent.protocol}: 7 shows it"))

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        if self.refused == 1:  # the header counts the others
            self._tell(Word(reason, "warning", "A message was not understood"))

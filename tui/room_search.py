"""The search for room in a process of its own: started when something is asked, ended with whoever asks."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final, Protocol

import msgspec

from subsecond.agents.study.room_messages import RoomAnswer, RoomQuestion

__all__ = ["ChildSearch", "Search"]

#: Seconds after which a search is given up: the machine is busy, or the load is large.
LIMIT_S: Final = 300.0
_MODULE: Final = "subsecond.agents.study.room"


class Search(Protocol):
    """Answers questions one at a time; cancelling `answer` stops the search."""

    async def answer(self, question: RoomQuestion) -> RoomAnswer:
        """The answer; it says itself if there is none."""

    async def close(self) -> None:
        """End what runs."""


class ChildSearch:
    """Asks a child process, which stays for the next question.

    Args:
        command: that starts it.
        limit_s: seconds after which a search is given up.
    """

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", _MODULE), limit_s: float = LIMIT_S) -> None:
        self._command = command
        self._limit_s = limit_s
        self.process: Process | None = None

    async def answer(self, question: RoomQuestion) -> RoomAnswer:
        is_whole = False
        try:
            line = await asyncio.wait_for(self._ask(msgspec.json.encode(question)), self._limit_s)
            answer = msgspec.json.decode(line, type=RoomAnswer)
            is_whole = True
        except TimeoutError:
            answer = RoomAnswer(error=f"the search took more than {self._limit_s:g} s")
        except (OSError, ValueError, msgspec.DecodeError):
            answer = RoomAnswer(error="the search ended by itself")
        finally:
            if not is_whole:  # given up, dead, or not wanted any more
                await self.close()
        return answer

    async def _ask(self, question: bytes) -> bytes:
        if self.process is None or self.process.returncode is not None:
            self.process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(question + b"\n")
        await self.process.stdin.drain()
        return await self.process.stdout.readline()

    async def close(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # closes its pipes, too

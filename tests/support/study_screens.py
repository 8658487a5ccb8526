"""Studies on the dashboard, driven by keys, and documents that their commands wrote."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from subsecond.tui.studies.opening import OpenStudy, open_study
from subsecond.tui.study_app import StudyApp

__all__ = ["document", "press", "read", "show"]

DOCUMENTS = Path(__file__).with_name("studies")
Body = Callable[[StudyApp, Pilot[None]], Awaitable[None]]


def document(folder: Path, kind: str) -> Path:
    """A document that the study's command wrote, small."""
    path = folder / f"{kind}.json"
    path.write_bytes(gzip.decompress((DOCUMENTS / f"{kind}.json.gz").read_bytes()))
    return path


def show(opened: OpenStudy | Path, body: Body, size: tuple[int, int] = (120, 40)) -> None:
    """The dashboard of a study, driven by keys."""

    async def main() -> None:
        app = StudyApp(opened if isinstance(opened, OpenStudy) else open_study(opened), fps=None)
        async with app.run_test(size=size) as pilot:
            await read(app, pilot)
            await body(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 120))


async def read(app: StudyApp, pilot: Pilot[None]) -> None:
    """Wait for all threads that read or make rows, and draw."""
    await pilot.pause()
    for worker in [worker for worker in app.workers if worker.group in ("look", "table", "open")]:
        await worker.wait()
    app.redraw()
    await pilot.pause()


async def press(app: StudyApp, pilot: Pilot[None], *keys: str) -> None:
    """Press keys one by one, and wait after each."""
    for key in keys:
        await pilot.press(key)
        await read(app, pilot)

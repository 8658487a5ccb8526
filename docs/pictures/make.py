"""Draws the pictures of the README: two minutes of the default scenario, as the dashboard shows them.

python docs/pictures/make.py
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.feeds import live

from subsecond.engine.feed import Hello
from subsecond.engine.recording.writer import Recorder
from subsecond.tui.picture import save_picture

HERE = Path(__file__).parent
SECONDS = 120
PICTURES = {"race": (120, 40), "turn": (120, 40), "pipelines": (120, 36), "economics": (120, 40)}


def main() -> None:
    hello, *messages = live(SECONDS)
    assert isinstance(hello, Hello)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.subsecond"
        with Recorder(path, hello) as recorder:
            for message in messages:
                recorder.put(message)
        for view, size in PICTURES.items():
            asyncio.run(save_picture(path, None, size, view, HERE / f"{view}.svg"))


if __name__ == "__main__":
    main()

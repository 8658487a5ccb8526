"""A service in a process of its own, for tests that come from outside."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

__all__ = ["served"]

#: Sessions of the scenario beside the agents of the test: few, so that nothing waits for them.
QUIET = ("--set", "coding.sessions=1", "--set", "voice.sessions=1")


@contextlib.contextmanager
def served(*options: str) -> Iterator[str]:
    """Host and port of a service; it ends with the test."""
    command = [sys.executable, "-m", "subsecond.tui.cli", "serve", "playground", "--port", "0", "--owned"]
    service = subprocess.Popen([*command, *QUIET, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert service.stdin is not None
    assert service.stdout is not None
    try:
        line = service.stdout.readline()
        assert line, "the service has not started"
        yield urlsplit(json.loads(line)["url"]).netloc
    finally:
        service.stdin.close()
        service.wait(60)
        service.stdout.close()

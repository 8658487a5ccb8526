"""`subsecond tui` from the outside: what it refuses, in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest


def refused(*arguments: str) -> str:
    command = [sys.executable, "-m", "subsecond.tui.cli", "tui", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_address_is_needed() -> None:
    assert "--attach" in refused()


def test_what_is_no_address_is_refused() -> None:
    error = refused("--attach", "http://127.0.0.1:1")
    assert error.count("\n") == 1
    assert "ws://127.0.0.1" in error


def test_a_terminal_is_needed() -> None:
    error = refused("--attach", "ws://127.0.0.1:1/v1/observe")
    assert error.count("\n") == 1
    assert "terminal" in error


@pytest.mark.parametrize(
    "arguments",
    [(), ("--attach", "ws://127.0.0.1:1/v1/observe", "--mqtt", "mqtt://127.0.0.1"), ("--mqtt", "embedded")],
    ids=["neither", "both", "embedded"],
)
def test_either_a_service_or_a_broker_is_watched(arguments: tuple[str, ...]) -> None:
    error = refused(*arguments)
    assert "either --attach URL of a service or --mqtt URL of a broker" in error
    assert error.count("\n") == 1

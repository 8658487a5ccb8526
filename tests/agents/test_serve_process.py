"""`subsecond serve` in a process of its own: it ends with its owner, and refuses in one line."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from support.live_service import WAIT_S


def test_an_owned_service_ends_with_its_owner() -> None:
    arguments = [sys.executable, "-m", "subsecond.tui.cli", "serve", "--owned", "--port", "0", "--set", "seed=2"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert json.loads(process.stdout.readline())["url"].startswith("ws://127.0.0.1:")
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


def test_an_owned_service_that_cannot_listen_says_so_and_ends_in_order() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "subsecond.tui.cli", "serve", "--owned", "--port", port]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            words = process.stderr.read().decode()
            assert process.wait(WAIT_S) == 2
    assert words.startswith("subsecond: --port")
    assert words.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--speed", "0"],
        ["--head-start", "-1"],
        ["--host", "10.0.0.1"],
        ["nowhere"],
        ["--limit", "connections=0"],
        ["--limit", "everything"],
        ["--token", "a\nb"],
        ["--tls-key", "key.pem"],
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "subsecond.tui.cli", "serve", *options], capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 2
    assert done.stderr.startswith("subsecond: ")
    assert done.stderr.count("\n") == 1

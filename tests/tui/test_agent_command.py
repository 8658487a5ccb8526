"""`subsecond agent` from the outside: what it prints, writes and refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from support.processes import until
from support.small_gateway import SmallGateway, in_a_thread

Command = Callable[..., tuple[int, str, str]]

SHORT = ("--turns", "3", "--pace", "100000", "--sessions", "2")


def test_the_report_sets_the_servers_times_beside_the_clients(command: Command) -> None:
    with in_a_thread(SmallGateway()) as gateway:
        code, out, _ = command("agent", "coding", "--url", gateway.url, *SHORT)
    assert code == 0
    for words in ("6 turns", "first token, client", "whole turn, server", "difference", "prefill", "late", "seed 1"):
        assert words in out


def test_the_report_is_there_as_json(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    with in_a_thread(SmallGateway()) as gateway:
        assert command("agent", "coding", "--url", gateway.url, *SHORT, "--json", out)[0] == 0
        code, printed, _ = command("agent", "coding", "--url", gateway.url, *SHORT, "--json", "-")
    assert code == 0
    for report in (json.loads(out.read_text()), json.loads(printed)):
        assert report["schema"] == "subsecond.agent/1"
        assert report["turns"] == 6
        assert report["server"]["latency_ms"]["p50"] == 120.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nurse",), "expected coding or voice"),
        (("coding", "--url", "http://127.0.0.1:1"), "ws://127.0.0.1:8765"),
        (("coding", "--url", "ws://127.0.0.1:9"), "a gateway that answers (Connection refused)"),
        (("voice", "--url", "ws://127.0.0.1:9"), "a gateway that answers (Connection refused)"),
        (("coding", "--sessions", "0"), "--sessions"),
        (("coding", "--json", "/nowhere/at/all.json"), "--json"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(command: Command, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = command("agent", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_a_gateway_that_asks_for_a_key_is_named(command: Command) -> None:
    gateway = SmallGateway()
    gateway.refuse = HTTPStatus.UNAUTHORIZED
    with in_a_thread(gateway):
        code, _, err = command("agent", "voice", "--url", gateway.url)
    assert code == 2
    assert "--token" in err


def test_ctrl_c_ends_with_the_report() -> None:
    with in_a_thread(SmallGateway()) as gateway:
        agents = subprocess.Popen(
            [sys.executable, "-m", "subsecond.tui.cli", "agent", "coding", "--url", gateway.url, "--sessions", "3"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: len(gateway.requests) >= 3, "first requests of all sessions")
        agents.send_signal(signal.SIGINT)
        out, err = agents.communicate(timeout=60)
    assert agents.returncode == 0, err
    assert "whole turn, client" in out

"""What holds for every test: none is left out unless the machine lacks what it needs."""

from __future__ import annotations

import os

import pytest

#: What a machine may lack. Any other reason for skipping a test fails the run.
MAY_LACK = (
    "numba is not installed",
    "numba is missing",
    "splintr-rs has no build for this Python",
    "tmux is not installed",
    "no package index can be reached",
    "needs a device that is always full",
    "no folder here that nobody can write to",
    "needs SIGKILL and resource limits",
    "not a git checkout",
    "without setuptools",
    "the environment of the openai SDK is not set up",
    "chromium is not installed",
    "mosquitto is not installed",
    "openssl is not installed",
    "the environment of the embedded broker is not set up",
)


#: Of these, what `.ci/run` sees to.
CI_HAS = (
    "tmux is not installed",
    "openssl is not installed",
    "chromium is not installed",
    "mosquitto is not installed",
    "no package index can be reached",
    "the environment of the openai SDK is not set up",
    "the environment of the embedded broker is not set up",
)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])}
    may_lack = [words for words in MAY_LACK if words not in CI_HAS or "SUBSECOND_CI" not in os.environ]
    unexpected = sorted(reason for reason in reasons if not any(words in reason for words in may_lack))
    if unexpected:
        reporter.write_line(f"tests were skipped for no known reason: {'; '.join(unexpected)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the tests that take many minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes many minutes, unless it is asked for."""
    if config.getoption("--nightly") or os.environ.get("SUBSECOND_NIGHTLY") == "1":
        return
    slow = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]

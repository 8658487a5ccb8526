"""What happens where the output cannot go, and after Ctrl-C: no traceback, and the exit code that shells expect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from subsecond.tui.cli import app as application
from subsecond.tui.cli import main

COMMANDS = (["scenarios"], ["catalog", "list"], ["run", "--set", "duration_s=5", "--json", "-"])


def _code_and_error(
    arguments: list[str], redirection: str, home: Path, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Runs the command with its standard output redirected by a shell."""
    script = f'"$0" -c "from subsecond.tui.cli import main; main()" "$@" {redirection}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script, sys.executable, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_reader_that_goes_early_ends_it_quietly(arguments: list[str], tmp_path: Path) -> None:
    assert _code_and_error(arguments, "| true", tmp_path) == (0, "")


@pytest.mark.parametrize("arguments", COMMANDS)
def test_closed_output_is_no_mistake(arguments: list[str], tmp_path: Path) -> None:
    assert _code_and_error(arguments, ">&-", tmp_path) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", COMMANDS)
def test_full_output_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    code, error = _code_and_error(arguments, "> /dev/full", tmp_path)
    assert code == 2
    assert error.startswith("subsecond: standard output: got 'No space left")
    assert error.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_locale_that_lacks_characters_is_no_mistake(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "\xf6.toml").write_text('[pipelines.gpu]\n[[agents]]\nkind = "voice"\nsessions = 1\nmax_turns = 1\n')
    environment = {"PYTHONIOENCODING": encoding}
    run = ["run", "\xf6.toml"]
    assert _code_and_error(run, "> tables", tmp_path, environment) == (0, "")
    assert "whole turn" in (tmp_path / "tables").read_text(encoding=encoding)
    assert _code_and_error([*run, "--json", "-"], "> json", tmp_path, environment) == (0, "")
    assert json.loads((tmp_path / "json").read_text(encoding="utf-8"))["scenario"] == "\xf6"


def test_an_interrupt_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("subsecond.tui.cli.run.run_command", interrupt)
    monkeypatch.setattr(sys, "argv", ["subsecond", "run"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == "subsecond: interrupted\n"


@pytest.mark.parametrize(("option", "text"), [("--seed", "x"), ("--sample", "1.5"), ("--time-scale", "fast")])
def test_options_that_are_no_numbers_are_one_line(
    option: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["subsecond", "run", option, text])
    with pytest.raises(SystemExit) as caught:
        application.main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"subsecond: {option}: got '{text}', expected a")
    assert error.count("\n") == 1


@pytest.mark.parametrize("group", [[], ["catalog"]])
def test_help_cuts_no_sentence(
    group: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["subsecond", *group, "--help"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands

"""Arguments that no command takes: one line that says what and where help is, and exit code 2."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from subsecond.tui.cli.examples import EXAMPLES

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "place", "words"),
    [
        (["--nope"], "", "no such option: --nope"),
        (["nope"], "", "no such command 'nope'"),
        (["run", "--nope"], "run: ", "no such option: --nope"),
        (["run", "a", "b"], "run: ", "unexpected extra argument"),
        (["record"], "record: ", "missing option '--mqtt'"),
        (["replay"], "replay: ", "missing argument 'recording'"),
        (["catalog", "nope"], "catalog: ", "no such command 'nope'"),
        (["catalog", "show"], "catalog show: ", "missing argument 'name'"),
    ],
)
def test_arguments_that_no_command_takes_are_one_line(
    command: Command, arguments: list[str], place: str, words: str
) -> None:
    code, out, error = command(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"subsecond: {place}")
    assert words in error
    assert error.endswith(f"`{' '.join(['subsecond', *place[:-2].split()])} --help` shows what it takes\n")
    assert error.count("\n") == 1


def test_an_option_without_its_value_is_one_line(command: Command) -> None:
    code, out, error = command("run", "--seed")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "'--seed' requires an argument" in error


@pytest.mark.parametrize(
    ("arguments", "option", "value"),
    [
        (["serve", "--port", "x"], "--port", "x"),
        (["serve", "--port", "65536"], "--port", "65536"),
        (["serve", "--port", "-1"], "--port", "-1"),
        (["serve", "--speed", "fast"], "--speed", "fast"),
        (["serve", "--speed", "nan"], "--speed", "nan"),
        (["serve", "--head-start", "inf"], "--head-start", "inf"),
        (["live", "--speed", "fast"], "--speed", "fast"),
    ],
)
def test_a_number_that_an_option_cannot_take_is_named(
    command: Command, arguments: list[str], option: str, value: str
) -> None:
    code, out, error = command(*arguments)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"subsecond: {option}: got '{value}', expected a")


@pytest.mark.parametrize("words", EXAMPLES)
def test_the_help_of_every_command_shows_examples_with_options_that_it_has(command: Command, words: str) -> None:
    code, out, error = command(*words.split(), "--help")
    assert (code, error) == (0, "")
    for line in EXAMPLES[words]:
        assert line in map(str.strip, out.splitlines())
        _, found, arguments = line.partition(f"subsecond {words}")
        assert found
        assert all(word in out.partition("Examples:")[0] for word in arguments.split() if word.startswith("-"))


def test_every_command_has_examples(command: Command) -> None:
    for group in ("", "catalog", "recordings"):
        listed = command(*group.split(), "--help")[1].partition("Commands:\n")[2].splitlines()
        names = [line.split()[0] for line in listed if line.startswith("  ") and line[2:3].strip()]
        assert {f"{group} {name}".strip() for name in names} <= {*EXAMPLES, "catalog", "recordings"}


def test_the_version_is_shown(command: Command) -> None:
    code, out, error = command("--version")
    assert (code, error) == (0, "")
    assert out.count(".") == 2

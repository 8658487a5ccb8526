"""`subsecond catalog`: what it prints to a pipe, to a terminal of 80 columns and as JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from subsecond.engine.catalog import KINDS, PROVENANCES, Catalog
from subsecond.engine.errors import InputError
from subsecond.tui.cli.catalog import app, print_entries, print_list


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def lines(*words: str) -> list[str]:
    result = ask(*words)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def refusal(*words: str) -> InputError:
    error = ask(*words).exception
    assert isinstance(error, InputError)
    return error


def on_terminal(*names: str) -> list[str]:
    """What a terminal of 80 columns without colours would show."""
    catalog = Catalog()
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_entries([entry for name in names for entry in catalog.lookup(name)], catalog, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_list_has_a_line_for_every_entry() -> None:
    catalog = Catalog()
    everything = [(kind, name) for kind in KINDS for name in catalog.names(kind)]
    assert [tuple(line.split()[:2]) for line in lines("list")] == everything
    assert lines() == lines("list")


@pytest.mark.parametrize("kind", ["devices", "device", "Devices"])
def test_the_list_of_a_kind_has_that_kind_alone(kind: str) -> None:
    shown = lines("list", kind)
    assert {line.split()[0] for line in shown} == {"devices"}
    assert any("wse-3" in line and "Cerebras WSE-3 (CS-3)" in line for line in shown)


@pytest.mark.parametrize(
    ("alias", "name"), [("cs-3", "wse-3"), ("CS3", "wse-3"), ("h100", "h100-sxm"), ("trn2", "trainium2")]
)
def test_an_alias_shows_its_entry(alias: str, name: str) -> None:
    assert lines("show", alias) == lines("show", name)
    assert lines("show", alias)[0].startswith(f"{name} (devices")


def test_a_value_is_one_line_with_all_that_is_known_about_it() -> None:
    (line,) = [line for line in lines("show", "cs-3") if line.startswith("mem_bandwidth")]
    assert line.split("  ")[0] == "mem_bandwidth"
    for part in ("21 PB/s", "vendor", "2024", "argonne-lcf AIaccelerators SC24 tutorial", "one blog says 27 PB/s"):
        assert part in line


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_shown_in_full_and_without_colour(kind: str) -> None:
    catalog = Catalog()
    for name in catalog.names(kind):
        output = ask("show", f"{kind}/{name}").output
        entry = catalog.entry(kind, name)
        assert "\x1b" not in output
        assert len(output.splitlines()) == 1 + len(entry.fields) + len(entry.values)
        for value in entry.values.values():
            assert all(part in output for part in (value.shown, value.provenance, value.date, value.source, value.note))


def test_a_key_shows_one_value() -> None:
    heading, line = lines("show", "h100", "mem_bandwidth")
    assert heading.startswith("h100-sxm (devices, also h100)")
    assert line.startswith("mem_bandwidth  3.35 TB/s  vendor  2026-08-21  NVIDIA aiconfigurator")
    assert len(lines("show", "agent-step", "use")) == 2


def test_a_name_of_two_kinds_shows_both_and_a_kind_chooses() -> None:
    headings = [line for line in lines("show", "p5-48xlarge") if line.startswith("p5-48xlarge (")]
    assert [heading.split()[1] for heading in headings] == ["(devices):", "(links):"]
    assert lines("show", "links/p5-48xlarge")[0].startswith("p5-48xlarge (links)")


def test_a_pipeline_labels_what_is_not_public() -> None:
    shown = lines("show", "trn-cs3")
    (ingest,) = [line for line in shown if line.startswith("ingest_gb_s ")]
    assert "150 GB/s" in ingest
    assert "not public" in ingest
    assert sum("  not public  " in line for line in shown) > 5


def test_a_value_without_a_number_is_unknown() -> None:
    (line,) = [line for line in lines("show", "trn3", "prefill_mfu") if line.startswith("prefill_mfu")]
    assert line.split()[1:4] == ["unknown", "not", "public"]


def test_json_holds_the_same_values() -> None:
    document = json.loads(ask("show", "cs-3", "--json", "-").output)
    (entry,) = document["entries"]
    assert document["schema"] == "subsecond.catalog/1"
    assert (entry["kind"], entry["name"], entry["aliases"]) == ("devices", "wse-3", ["cs-3", "cerebras"])
    assert set(entry["values"]) == set(Catalog().entry("devices", "wse-3").values)
    assert entry["values"]["io_bw"]["number"] == 1.2
    assert set(entry["values"]["io_bw"]) == {"number", "text", "unit", "provenance", "source", "date", "note"}


def test_json_goes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    assert lines("list", "models", "--json", str(path)) == []
    names = [entry["name"] for entry in json.loads(path.read_text())["entries"]]
    assert names == Catalog().names("models")


@pytest.mark.parametrize("text", ["[devices.cs-3]\nmem_capacity = 50\n", "[catalog.devices.cs-3]\nmem_capacity = 50\n"])
def test_a_users_own_values_are_shown_as_such(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    line = lines("show", "cs-3", "mem_capacity", "--changes", str(path))[1]
    assert all(part in line for part in ("50 GB", "assumed", str(path), "instead of 44 GB"))


@pytest.mark.parametrize(
    ("words", "field", "value", "expected"),
    [
        (("show", "cs-33"), "NAME", "cs-33", "cs-3, "),
        (("show", "qqqqqqqq"), "NAME", "qqqqqqqq", "`subsecond catalog list`"),
        (("show", "devices"), "NAME", "devices", "`subsecond catalog list devices`"),
        (("show", "devices/h1000"), "devices", "h1000", "h100"),
        (("show", "h100", "mem_bandwith"), "h100 KEY", "mem_bandwith", "mem_bandwidth"),
        (("list", "gadgets"), "KIND", "gadgets", "one of devices, models"),
        (("list", "--json", "no/such/folder/x.json"), "", "no/such/folder/x.json", "a folder that exists"),
        (("show", "h100", "--changes", "no-such.toml"), "", "No such file or directory", "a readable TOML file"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(
    words: tuple[str, ...], field: str, value: str, expected: str
) -> None:
    error = refusal(*words)
    assert (error.field, error.value) == (field, value)
    assert expected in error.expected


def test_a_terminal_of_80_columns_shows_source_and_note_under_each_value() -> None:
    shown = on_terminal("cs-3", "trn-cs3", "coding-agent", "gpt-oss-120b")
    assert max(map(len, shown)) <= 80
    at = next(i for i, line in enumerate(shown) if line.startswith("mem_bandwidth"))
    assert shown[at].split() == ["mem_bandwidth", "21", "PB/s", "vendor", "2024"]
    assert shown[at + 1].strip() == "argonne-lcf AIaccelerators SC24 tutorial; on-wafer SRAM aggregate; one blog"
    assert shown[at + 2].strip() == "says 27 PB/s"


@pytest.mark.parametrize("name", ["cs-3", "trn-cs3", "coding-agent", "gpt-oss-120b"])
def test_a_terminal_loses_no_word(name: str) -> None:
    words = " ".join(" ".join(on_terminal(name)).split())
    for entry in Catalog().lookup(name):
        for value in entry.values.values():
            details = "; ".join(filter(None, (value.source, value.note)))
            assert " ".join(details.split()) in words
            assert value.shown in words
            assert value.provenance in PROVENANCES


def test_a_list_on_a_terminal_keeps_names_whole_in_80_columns() -> None:
    catalog = Catalog()
    entries = [catalog.entry(kind, name) for kind in KINDS for name in catalog.names(kind)]
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_list(entries, console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue().splitlines()
    assert max(map(len, shown)) <= 80
    assert [tuple(line.split()[:2]) for line in shown[1:-1]] == [(entry.kind, entry.name) for entry in entries]


def test_words_in_brackets_are_no_markup() -> None:
    catalog = Catalog({"voice": {"mine": {"label": "[bold]x[/bold]", "note": "[red]"}}})
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_entries([catalog.entry("voice", "mine")], catalog, console)
    print_list([catalog.entry("voice", "mine")], console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("[bold]x[/bold]") == 2


def test_a_pipe_needs_no_rich() -> None:
    code = "import sys; from subsecond.tui.cli.catalog import app; app(['show', 'h100'], standalone_mode=False)"
    check = "; assert 'rich' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code + check], check=True, stdout=subprocess.DEVNULL)

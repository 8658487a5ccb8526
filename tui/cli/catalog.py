"""`subsecond catalog`: lists the facts behind every prediction and explains each with its source."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # the catalog and rich load when a command runs: `subsecond --help` needs neither
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from subsecond.engine.catalog import Catalog, Entry, Value

__all__ = ["app", "print_entries", "print_list"]

SCHEMA = "subsecond.catalog/1"
_STYLES = {"measured": "green", "vendor": "cyan", "derived": "blue", "assumed": "yellow", "not public": "bold red"}
_TRUST_WIDTH = len("not public")
_DATE_WIDTH = len("2026-06..08")

app = typer.Typer(help="List and explain the facts: devices, models, links, pipelines, budgets, prices, voice stages.")

Changes = Annotated[
    Path | None,
    typer.Option(
        "--changes", metavar="FILE", help="TOML with your own values; or a scenario, for its table `catalog`."
    ),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="Write JSON to this file; - for standard output.")
]


@app.callback(invoke_without_command=True)
def _catalog(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_command()


@app.command("list")
def list_command(
    kind: Annotated[str | None, typer.Argument(help="Only entries of this kind, such as devices.")] = None,
    changes: Changes = None,
    json: Json = None,
) -> None:
    """List kinds and names."""
    catalog = _load(changes)
    entries = [catalog.entry(k, name) for k in _kinds(kind) for name in catalog.names(k)]
    if json is not None:
        _write(json, [{"kind": e.kind, "name": e.name, "label": e.label} for e in entries])
    else:
        print_list(entries, _terminal())


@app.command("show", short_help="Show the values of an entry and their sources.")
def show_command(
    name: Annotated[str, typer.Argument(help="Name or alias: cs-3, h100, gpt-oss-120b; or KIND/NAME.")],
    key: Annotated[str | None, typer.Argument(help="Only this value.")] = None,
    changes: Changes = None,
    json: Json = None,
) -> None:
    """Show the values of an entry: number, unit, how far to trust it, source, date, note."""
    catalog = _load(changes)
    entries = _find(catalog, name)
    if key is not None:
        entries = _only(entries, name, key)
    if json is not None:
        _write(json, [_document(catalog, entry) for entry in entries])
    else:
        print_entries(entries, catalog, _terminal())


def _load(changes: Path | None) -> Catalog:
    from subsecond.engine.catalog import Catalog
    from subsecond.engine.catalog.reading import read_toml

    if changes is None:
        return Catalog()
    tables = read_toml(changes)
    own = tables.get("catalog")
    return Catalog(own if isinstance(own, dict) else tables, str(changes))


def _kinds(kind: str | None) -> Sequence[str]:
    from subsecond.engine.catalog import KINDS
    from subsecond.engine.errors import InputError

    if kind is None:
        return KINDS
    found = [k for k in KINDS if k == kind.lower() or k == kind.lower() + "s"]
    if not found:
        raise InputError("catalog list", "KIND", kind, "one of " + ", ".join(KINDS))
    return found


def _find(catalog: Catalog, name: str) -> list[Entry]:
    """Every entry of that name; `KIND/NAME` means one kind.

    Raises:
        InputError: there is none.
    """
    from subsecond.engine.catalog import KINDS
    from subsecond.engine.errors import InputError

    kind, slash, bare = name.partition("/")
    if slash and kind in KINDS:
        return [catalog.entry(kind, bare)]
    entries = catalog.lookup(name)
    if not entries:
        if name.lower() in KINDS:
            expected = f"the name of an entry; `subsecond catalog list {name.lower()}` lists them"
        else:
            names = catalog.names_near(name)
            expected = f"one of {', '.join(names)}" if names else "a name that `subsecond catalog list` shows"
        raise InputError("catalog show", "NAME", name, expected)
    return entries


def _only(entries: list[Entry], name: str, key: str) -> list[Entry]:
    """The entries reduced to one value or word.

    Raises:
        InputError: no entry has it.
    """
    from dataclasses import replace

    from subsecond.engine.catalog.reading import near
    from subsecond.engine.errors import InputError

    found = [
        replace(
            entry,
            values={key: entry.values[key]} if key in entry.values else {},
            fields={key: entry.fields[key]} if key in entry.fields else {},
        )
        for entry in entries
        if key in entry.values or key in entry.fields
    ]
    if not found:
        keys = [known for entry in entries for known in (*entry.values, *entry.fields)]
        raise InputError("catalog show", f"{name} KEY", key, "one of " + ", ".join(near(key, keys) or keys))
    return found


def _document(catalog: Catalog, entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "label": entry.label,
        "aliases": catalog.aliases(entry.kind, entry.name),
        "fields": dict(entry.fields),
        "values": dict(entry.values),
    }


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    from subsecond.tui.cli.output import check_writable, write_json

    check_writable(path)
    write_json(path, {"schema": SCHEMA, "entries": entries})


def _terminal() -> Console | None:
    """Where tables are drawn; None if a program or a file reads the output: it gets one line per fact."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console(highlight=False)


def print_list(entries: Iterable[Entry], console: Console | None) -> None:
    """One line per entry: kind, name, label."""
    rows = [(entry.kind, entry.name, entry.label) for entry in entries]
    if console is None:
        _print_lines(rows)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, expand=True, pad_edge=False, header_style="bold")
    table.add_column("kind", no_wrap=True, style="dim")
    table.add_column("name", no_wrap=True)
    table.add_column("label", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print("`subsecond catalog show NAME` explains one of them.", style="dim", markup=False)


def print_entries(entries: Iterable[Entry], catalog: Catalog, console: Console | None) -> None:
    """Per entry a heading, its words, and its values with all that is known about them.

    A terminal shows source and note wrapped under each value; without one a value takes one line of columns:
    key, value, provenance, date, source, note.
    """
    for number, entry in enumerate(entries):
        aliases = catalog.aliases(entry.kind, entry.name)
        also = f", also {', '.join(aliases)}" if aliases else ""
        heading = f"{entry.name} ({entry.kind}{also}): {entry.label}"
        if console is None:
            typer.echo(("\n" if number else "") + heading)
            _print_lines(entry.fields.items())
            _print_lines((key, v.shown, v.provenance, v.date, v.source, v.note) for key, v in entry.values.items())
            continue
        if number:
            console.print()
        console.print(heading, style="bold", markup=False)
        for key, word in entry.fields.items():
            console.print(f"{key}: {word}", style="dim", markup=False)
        _print_values(entry.values, console)


def _print_values(values: Mapping[str, Value], console: Console) -> None:
    """A row per value, and under it what does not fit: long words, source, note."""
    from rich.padding import Padding
    from rich.text import Text

    key_width = max(map(len, values), default=0)
    room = max(console.width - key_width - _TRUST_WIDTH - _DATE_WIDTH - 6, 10)
    shown_width = min(max((len(value.shown) for value in values.values()), default=0), room)
    for key, value in values.items():
        fits = len(value.shown) <= shown_width
        row = Text(f"{key:<{key_width}}  {value.shown if fits else '':<{shown_width}}  ", no_wrap=True)
        row.append(f"{value.provenance:<{_TRUST_WIDTH}}", _STYLES[value.provenance])
        row.append(f"  {value.date}", "dim")
        details = Text("" if fits else f"{value.shown}\n")
        details.append("; ".join(filter(None, (value.source, value.note))), "dim")
        console.print(row, Padding(details, (0, 0, 0, 4)))


def _print_lines(rows: Iterable[Sequence[str]]) -> None:
    """Rows as aligned columns, two spaces apart, never wrapped."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

"""Finds entries of the catalog by kind and name; reads a file only when something in it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from subsecond.engine.catalog.reading import entry_from_table, near, read_toml
from subsecond.engine.catalog.values import Entry
from subsecond.engine.errors import InputError

__all__ = ["KINDS", "MEASUREMENTS", "Catalog", "catalog", "plain_name"]

HERE: Final = Path(__file__).parent
#: Kinds of entries.
KINDS: Final = (
    "devices",
    "models",
    "links",
    "pipelines",
    "engines",
    "budgets",
    "prices",
    "voice",
    "workloads",
    "speculation",
    "datasets",
)
#: Kinds with a file per entry, so that a run reads only what its pipelines need; the others have one file each.
_FOLDERS: Final = ("devices", "models", "links", "pipelines", "engines")
#: Published measurements that `subsecond validate` predicts by default.
MEASUREMENTS: Final = HERE / "measurements.csv"


def plain_name(name: str) -> str:
    """Letters and digits only, lower case: `CS-3` and `cs3` are one name."""
    return "".join(c for c in name.lower() if c.isalnum())


class Catalog:
    """The shipped facts, and what a user put over them.

    Args:
        changes: a TOML file, or the same as tables: kind -> name -> values. An entry that exists is changed value by
            value; a new one stands alone or starts as a copy of the entry named in `base`.
        where: what messages call the changes; the file's path unless given.

    Raises:
        InputError: the file cannot be read, or names a kind that does not exist, or one entry twice, or an entry's
            table is faulty.
    """

    def __init__(self, changes: Path | Mapping[str, object] | None = None, where: str | None = None) -> None:
        self._where = where or (str(changes) if isinstance(changes, Path) else "catalog changes")
        tables = read_toml(changes) if isinstance(changes, Path) else changes or {}
        self._changes: dict[str, dict[str, object]] = {}
        self._entries: dict[tuple[str, str], Entry] = {}
        for kind, table in tables.items():
            if kind not in KINDS:
                raise InputError(self._where, kind, kind, "one of " + ", ".join(KINDS))
            if not isinstance(table, Mapping):
                raise InputError(self._where, kind, table, "a table of entries")
            changed = self._changes[kind] = {}
            for word, change in table.items():
                # Without `base` the entry we have is meant, by whatever name; with it, a new one of that very name.
                is_new = isinstance(change, Mapping) and "base" in change
                name = word.lower() if is_new else self.find(kind, word) or word.lower()
                if name in changed:
                    raise InputError(self._where, f"{kind}.{word}", word, f"one table for {name}, which has another")
                changed[name] = change
        # Faults must not lie in wait until something asks for the entry, least of all in one that nothing asks for.
        for kind, changed in self._changes.items():
            for name in changed:
                self.entry(kind, name)

    def names(self, kind: str) -> list[str]:
        """All names of a kind, sorted.

        Raises:
            InputError: no such kind.
        """
        return sorted({*_shipped_names(kind), *self._changes.get(kind, {})})

    def find(self, kind: str, name: str) -> str | None:
        """The catalog's name for `name` (an alias, another spelling), None if there is none.

        Raises:
            InputError: no such kind.
        """
        if name in _shipped_names(kind) or name in self._changes.get(kind, {}):
            return name
        wanted = plain_name(name)
        for known in self.names(kind):
            if plain_name(known) == wanted:
                return known
        return {plain_name(alias): target for alias, target in _aliases(kind).items()}.get(wanted)

    def entry(self, kind: str, name: str) -> Entry:
        """The entry of that name.

        Raises:
            InputError: unknown kind or name (the message lists the nearest), or a faulty file.
        """
        found = self.find(kind, name)
        if found is None:
            raise InputError("catalog", kind, name, self._names_like(kind, name))
        if (kind, found) not in self._entries:
            self._entries[kind, found] = self._load(kind, found, ())
        return self._entries[kind, found]

    def lookup(self, name: str) -> list[Entry]:
        """Every entry of that name in any kind."""
        return [self.entry(kind, name) for kind in KINDS if self.find(kind, name) is not None]

    def aliases(self, kind: str, name: str) -> list[str]:
        """Other names of the entry `name`."""
        return [alias for alias, target in _aliases(kind).items() if target == name and self.find(kind, alias) == name]

    def names_near(self, name: str) -> list[str]:
        """Names and aliases of any kind that are most like `name`, for a message."""
        return near(name, [known for kind in KINDS for known in (*self.names(kind), *_aliases(kind))], 8)

    def _names_like(self, kind: str, name: str) -> str:
        names = self.names(kind)
        return "one of " + ", ".join(near(name, [*names, *_aliases(kind)]) or names)

    def _load(self, kind: str, name: str, copies: tuple[str, ...]) -> Entry:
        """The entry with what the user changed; `copies` are the new entries that start from this one."""
        change = self._changes.get(kind, {}).get(name)
        shipped = _shipped_entry(kind, name) if name in _shipped_names(kind) else None
        if change is None and shipped is not None:
            return shipped
        start = shipped
        if isinstance(change, Mapping) and "base" in change:
            start = self._base(kind, name, change["base"], copies)
        try:
            return entry_from_table(kind, name, change, self._where, start, is_change=True)
        except InputError as error:
            alike = near(name, [*_shipped_names(kind), *_aliases(kind)]) if start is None else []
            if not alike:
                raise
            meant = f"{error.expected}; or is {' or '.join(alike)} meant, not {name}?"
            raise InputError(error.where, error.field, error.value, meant) from None

    def _base(self, kind: str, name: str, base: object, copies: tuple[str, ...]) -> Entry:
        """What the new entry `name` starts as: a copy under its own name."""
        field, found = f"{kind}.{name}.base", self.find(kind, base) if isinstance(base, str) else None
        if name in _shipped_names(kind):
            raise InputError(self._where, field, base, f"no base: the catalog has {name}, change its values")
        if found is None:
            raise InputError(self._where, field, base, self._names_like(kind, str(base)))
        if found in (name, *copies):
            raise InputError(self._where, field, base, "an entry that is not copied from this one")
        return replace(self._load(kind, found, (*copies, name)), name=name, label=name)


@cache
def _shipped_file(file: str) -> dict[str, Any]:
    return read_toml(HERE / file)


@cache
def _shipped_names(kind: str) -> frozenset[str]:
    if kind not in KINDS:
        raise InputError("catalog", "kind", kind, "one of " + ", ".join(KINDS))
    if kind in _FOLDERS:
        return frozenset(path.stem for path in (HERE / kind).glob("*.toml"))
    return frozenset(_shipped_file(f"{kind}.toml"))


@cache
def _shipped_entry(kind: str, name: str) -> Entry:
    if kind in _FOLDERS:
        return entry_from_table(kind, name, _shipped_file(f"{kind}/{name}.toml"), f"{kind}/{name}.toml")
    return entry_from_table(kind, name, _shipped_file(f"{kind}.toml")[name], f"{kind}.toml")


def _aliases(kind: str) -> dict[str, str]:
    aliases: dict[str, str] = _shipped_file("aliases.toml").get(kind, {})
    return aliases


@cache
def catalog() -> Catalog:
    """The catalog as shipped."""
    return Catalog()

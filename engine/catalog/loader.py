"""Finds entries of the catalog by kind and name; reads a file only when something in it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from subsecond.engine.catalog.reading import entry_from_table, read_toml
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


@cache
def _shipped(path: Path) -> dict[str, Any]:
    return read_toml(path)


class Catalog:
    """The shipped facts, and what a user put over them.

    Args:
        changes: a TOML file, or the same as tables: kind -> name -> values. An entry that exists is changed value by
            value; a new one stands alone or starts as a copy of the entry named in `base`.

    Raises:
        InputError: the file cannot be read, or names a kind that does not exist.
    """

    def __init__(self, changes: Path | Mapping[str, object] | None = None) -> None:
        self._where = str(changes) if isinstance(changes, Path) else "catalog changes"
        tables = read_toml(changes) if isinstance(changes, Path) else dict(changes or {})
        self._changes: dict[str, dict[str, object]] = {}
        for kind, table in tables.items():
            if kind not in KINDS:
                raise InputError(self._where, kind, kind, "one of " + ", ".join(KINDS))
            if not isinstance(table, Mapping):
                raise InputError(self._where, kind, table, "a table of entries")
            self._changes[kind] = {str(name).lower(): value for name, value in table.items()}
        self._entries: dict[tuple[str, str], Entry] = {}

    def names(self, kind: str) -> list[str]:
        """All names of a kind, sorted.

        Raises:
            InputError: no such kind.
        """
        return sorted({*self._shipped_names(kind), *self._changes.get(kind, {})})

    def find(self, kind: str, name: str) -> str | None:
        """The catalog's name for `name` (an alias, another spelling), None if there is none."""
        names = self.names(kind)
        if name in names:
            return name
        wanted = plain_name(name)
        spelled = {plain_name(alias): target for alias, target in _aliases(kind).items()}
        spelled.update({plain_name(known): known for known in names})
        return spelled.get(wanted)

    def entry(self, kind: str, name: str) -> Entry:
        """The entry of that name.

        Raises:
            InputError: unknown kind or name (the message lists the nearest), or a faulty file.
        """
        found = self.find(kind, name)
        if found is None:
            raise InputError("catalog", kind, name, self._nearest(kind, name))
        if (kind, found) not in self._entries:
            self._entries[kind, found] = self._load(kind, found)
        return self._entries[kind, found]

    def lookup(self, name: str) -> list[Entry]:
        """Every entry of that name in any kind."""
        return [self.entry(kind, name) for kind in KINDS if self.find(kind, name) is not None]

    def _nearest(self, kind: str, name: str) -> str:
        import difflib  # only a mistake needs it

        names = self.names(kind)
        near = difflib.get_close_matches(name.lower(), names, 5, 0.4)
        return f"one of {', '.join(near)}" if near else f"one of {', '.join(names)}"

    def _shipped_names(self, kind: str) -> list[str]:
        if kind not in KINDS:
            raise InputError("catalog", "kind", kind, "one of " + ", ".join(KINDS))
        if kind in _FOLDERS:
            return [path.stem if path.suffix == ".toml" else path.name for path in (HERE / kind).glob("*.toml")]
        return list(_shipped(HERE / f"{kind}.toml"))

    def _load(self, kind: str, name: str) -> Entry:
        entry = None
        if name in self._shipped_names(kind):
            if kind in _FOLDERS:
                entry = entry_from_table(kind, name, _shipped(HERE / kind / f"{name}.toml"), f"{kind}/{name}.toml")
            else:
                entry = entry_from_table(kind, name, _shipped(HERE / f"{kind}.toml")[name], f"{kind}.toml")
        change = self._changes.get(kind, {}).get(name)
        if change is None:
            assert entry is not None  # names() lists shipped and changed entries only
            return entry
        if entry is None and isinstance(change, Mapping) and "base" in change:
            base = change["base"]
            if not isinstance(base, str) or self.find(kind, base) in (None, name):
                raise InputError(self._where, f"{kind}.{name}.base", base, self._nearest(kind, str(base)))
            entry = self.entry(kind, base)
        return entry_from_table(kind, name, change, self._where, entry)


def _aliases(kind: str) -> dict[str, str]:
    return dict(_shipped(HERE / "aliases.toml").get(kind, {}))


@cache
def catalog() -> Catalog:
    """The catalog as shipped."""
    return Catalog()

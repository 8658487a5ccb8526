"""Changes of a pipeline that `subsecond gap` tries: what ships, and what each makes of a scenario.

They are data (`agents/data/changes.toml`; `docs/gap.md`), so that a user's own file can stand in their place.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.catalog.reading import read_toml
from subsecond.engine.catalog.values import PROVENANCES
from subsecond.engine.errors import InputError

from .points import Base

__all__ = ["EFFORTS", "ROLES", "Change", "applied", "base_of", "load_changes"]

#: From the smallest to the largest.
EFFORTS = ("setting", "software", "model", "machines", "other machines")
ROLES = ("change", "worth", "bound", "unknown")
#: Longest name: a picture shows it beside its bar.
MOST_NAME = 30


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change.

    Attributes:
        pipelines: of the catalog, that it can be made to.
        settings: parameters of the pipeline with their new values; `base` puts another pipeline in its place.
        times: parameters multiplied by a factor.
        facts_times: numbers of the catalog (`kind.entry.key`) multiplied by a factor, for this pipeline alone.
        role: `change`: can be made. `worth`: takes something away. `bound`: better than can be had. `unknown`: another
            guess at what is not public.
        sort: two changes of one sort are not combined.
    """

    name: str
    pipelines: tuple[str, ...]
    effort: str
    sort: str
    stands_for: str
    source: str
    provenance: str
    role: str = "change"
    settings: dict[str, Any] = {}
    times: dict[str, float] = {}
    facts_times: dict[str, float] = {}

    @property
    def rank(self) -> int:
        """Place of its effort."""
        return EFFORTS.index(self.effort)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    changes: list[Change]


def load_changes(path: Path | None = None) -> tuple[Change, ...]:
    """Changes of a file, in its order; None: those that ship.

    Raises:
        InputError: no such file, or something in it cannot be used.
    """
    with resources.as_file(resources.files("subsecond.agents").joinpath("data/changes.toml")) as shipped:
        tables = read_toml(path or shipped)
    where = "changes" if path is None else str(path)
    try:
        changes = msgspec.convert(tables, _File).changes
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise InputError(where, place.strip("`").lstrip("."), message, "a table as docs/gap.md says") from None
    for number, change in enumerate(changes):
        _check(change, f"changes.{number}", where)
    return tuple(changes)


def _check(change: Change, field: str, where: str) -> None:
    if not 0 < len(change.name) <= MOST_NAME or not change.name.isprintable():
        raise InputError(where, f"{field}.name", change.name, f"a name of 1 to {MOST_NAME} printable characters")
    for key, value, choices in (
        ("effort", change.effort, EFFORTS),
        ("role", change.role, ROLES),
        ("provenance", change.provenance, PROVENANCES),
    ):
        if value not in choices:
            raise InputError(where, f"{field}.{key}", value, "one of " + ", ".join(choices))
    if not (change.settings or change.times or change.facts_times):
        raise InputError(where, field, change.name, "settings, times or facts_times")
    for key, factor in {**change.times, **change.facts_times}.items():
        if not 0 < factor < 1e6:
            raise InputError(where, f"{field}.{key}", factor, "a factor above 0")


def base_of(base: Base, lane: str) -> str:
    """Name of the catalog's pipeline that a lane is made from."""
    return str(base.scenario.pipelines[lane].get("base", lane))


def applied(base: Base, lane: str, changes: Sequence[Change]) -> Base:
    """The scenario with changes made to one of its lanes.

    Raises:
        InputError: a parameter that the pipeline or a number that the catalog does not have.
    """
    tables = copy.deepcopy(base.tables)
    overrides = tables["pipelines"][lane]
    facts = _facts(base)
    for change in changes:
        overrides |= change.settings
        for key, factor in change.times.items():
            overrides[key] = _scaled(_parameter(facts, base_of(base, lane), overrides, key), factor)
        for key, factor in change.facts_times.items():
            _multiply_fact(facts, tables.setdefault("catalog", {}), key, factor)
    return replace(base, tables=tables)


def _facts(base: Base) -> Catalog:
    scenario = base.scenario
    return Catalog(scenario.catalog, scenario.where) if scenario.catalog else catalog()


def _parameter(facts: Catalog, name: str, overrides: Mapping[str, Any], key: str) -> Any:
    """What a parameter is so far."""
    if key in overrides:
        return overrides[key]
    return facts.entry("pipelines", str(overrides.get("base", name))).number(key)


def _scaled(value: Any, factor: float) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError("changes", "times", value, "a number to multiply")
    product = value * factor
    return int(product) if product == int(product) else product


def _multiply_fact(facts: Catalog, own: dict[str, Any], key: str, factor: float) -> None:
    """Change a number of the catalog in a scenario's own tables of facts."""
    kind, _, rest = key.partition(".")
    entry, _, name = rest.rpartition(".")
    value = facts.entry(kind, entry).get(name)
    if value.number is None:
        raise InputError("changes", f"facts_times.{key}", value.shown, "a number of the catalog")
    values = own.setdefault(kind, {}).setdefault(entry, {}).setdefault("values", {})
    values[name] = value.number * factor

"""A sweep's TOML file: which scenario, what is set, what is varied, how often each point runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.catalog.reading import read_toml
from subsecond.engine.errors import InputError
from subsecond.engine.sweep.manifest import Value

__all__ = ["MOST_RUNS", "AxisSpec", "Range", "Spec", "load_spec", "shipped_sweeps"]

_SHIPPED = Path(__file__).parent / "shipped"
#: Most runs of a sweep: points times replicas.
MOST_RUNS = 20_000
#: Most values of one axis.
MOST_VALUES = 10_000
#: What says a range; any other table holds settings below its key.
_RANGE_KEYS = ("from", "to", "steps", "scale")
_SCALES = ("linear", "log")
#: Keys of `[random]` that are no axes.
_DESIGN_KEYS = ("points", "seed")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scenario: str
    title: str = ""
    pipelines: list[str] | None = None
    model: str | None = None
    seed: int | None = None
    replicas: int = 1
    set: dict[str, Any] = {}
    grid: dict[str, Any] = {}
    random: dict[str, Any] = {}
    budgets: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Values from one number to another; whole ones if both are.

    Attributes:
        steps: how many, both ends included; None in a random design.
        is_log: equal factors between them, not equal distances.
    """

    first: float
    last: float
    steps: int | None
    is_log: bool

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.first, int) and isinstance(self.last, int)

    def at(self, share: float) -> float:
        """The value at a share of the way, from 0 to 1; other than whole ones have six digits."""
        if self.is_log:
            value = math.exp(math.log(self.first) + share * (math.log(self.last) - math.log(self.first)))
        else:
            value = self.first + share * (self.last - self.first)
        return round(value) if self.is_whole else float(f"{value:.6g}")


@dataclass(frozen=True, slots=True)
class AxisSpec:
    """A setting that is varied, over values or in a range."""

    key: str
    values: tuple[Value, ...] | Range


@dataclass(frozen=True, slots=True)
class Spec:
    """A checked sweep file.

    Attributes:
        name: of the shipped sweep, or the file's name without its ending.
        scenario: name of a shipped one, or a path from here.
        seed: of the first replica; None: the scenario's.
        fixed: what is set at every point.
        random_points, random_seed: size of the random design, and the seed of its draws.
        text: the file as it stands.
    """

    name: str
    title: str
    where: str
    scenario: str
    pipelines: tuple[str, ...] | None
    model: str | None
    seed: int | None
    replicas: int
    budgets: dict[str, Any] | None
    fixed: dict[str, Value]
    grid: tuple[AxisSpec, ...]
    random: tuple[AxisSpec, ...]
    random_points: int
    random_seed: int
    text: str


def shipped_sweeps() -> dict[str, str]:
    """Name -> title of the sweeps that ship."""
    return {path.stem: str(read_toml(path).get("title", "")) for path in sorted(_SHIPPED.glob("*.toml"))}


def load_spec(name: str) -> Spec:
    """A sweep, by the name of a shipped one or the path of a file.

    Raises:
        InputError: no such sweep, or something in it cannot be used.
    """
    path, shipped = Path(name), _SHIPPED / f"{name}.toml"
    is_shipped = shipped.is_file() and not path.is_file()
    if is_shipped:
        path = shipped
    elif not path.is_file():
        raise InputError("sweep", "", name, "a sweep file, the folder of one, or one of " + ", ".join(shipped_sweeps()))
    tables = read_toml(path)
    where = path.stem if is_shipped else str(path)
    try:
        file = msgspec.convert(tables, _File)
    except msgspec.ValidationError as error:
        raise _explained(error, tables, where) from None
    return _checked(file, path, where)


def _explained(error: msgspec.ValidationError, tables: Mapping[str, Any], where: str) -> InputError:
    """msgspec says `Expected ..., got ... - at `$.replicas``: turn it into key, value and expectation."""
    message, _, place = str(error).partition(" - at `$")
    key = place.strip("`").lstrip(".")
    name = message.rpartition("`")[0].rpartition("`")[2]
    if "unknown field" in message:
        return InputError(where, name, name, "one of " + ", ".join(_File.__struct_fields__))
    if "missing required field" in message:
        return InputError(where, name, "nothing", "a value: it is required")
    words = {"int": "a whole number", "str": "a text", "object": "a table", "array": "a list"}
    expected = message.replace("`", "").removeprefix("Expected ").partition(", got")[0].split(" | ")
    field = key.partition("[")[0]
    return InputError(where, field, tables.get(field), " or ".join(words.get(w, w) for w in expected if w != "null"))


def _checked(file: _File, path: Path, where: str) -> Spec:
    _whole(where, "replicas", file.replicas, 1, MOST_RUNS)
    if file.seed is not None:
        _whole(where, "seed", file.seed, 0, 2**31 - 1 - file.replicas)
    if file.pipelines is not None and (not file.pipelines or len(set(file.pipelines)) != len(file.pipelines)):
        raise InputError(where, "pipelines", file.pipelines, "names of pipelines, each once")
    fixed = {key: _scalar(where, f"set.{key}", value) for key, value in _flat(where, "set", file.set)}
    grid = [_axis(where, "grid", key, value) for key, value in _flat(where, "grid", file.grid)]
    design = {key: value for key, value in file.random.items() if key in _DESIGN_KEYS}
    axes = {key: value for key, value in file.random.items() if key not in _DESIGN_KEYS}
    random = [_axis(where, "random", key, value) for key, value in _flat(where, "random", axes)]
    points, seed = _design(where, design, bool(random))
    _check_keys(where, fixed, grid, random)
    return Spec(
        name=path.stem,
        title=file.title,
        where=where,
        scenario=_scenario_path(file.scenario, path),
        pipelines=None if file.pipelines is None else tuple(file.pipelines),
        model=file.model,
        seed=file.seed,
        replicas=file.replicas,
        budgets=file.budgets,
        fixed=fixed,
        grid=tuple(grid),
        random=tuple(random),
        random_points=points,
        random_seed=seed,
        text=path.read_text("utf-8-sig"),
    )


def _scenario_path(name: str, path: Path) -> str:
    """A scenario file beside the sweep, or a name as it is."""
    beside = path.parent / name
    return str(beside) if beside.is_file() else name


def _design(where: str, design: Mapping[str, Any], has_axes: bool) -> tuple[int, int]:
    points, seed = design.get("points", 1), design.get("seed", 1)
    _whole(where, "random.points", points, 1, MOST_RUNS)
    _whole(where, "random.seed", seed, 0, 2**63 - 1)
    if has_axes and "points" not in design:
        raise InputError(where, "random.points", "nothing", "how many points to draw")
    if design and not has_axes:
        raise InputError(where, "random", design, 'settings to draw, such as "coding.sessions" = { from = 8, to = 64 }')
    return points, seed


def _check_keys(where: str, fixed: Mapping[str, Value], grid: list[AxisSpec], random: list[AxisSpec]) -> None:
    seen = dict.fromkeys(fixed, "set")
    for table, axes in (("grid", grid), ("random", random)):
        for axis in axes:
            if axis.key in seen:
                raise InputError(
                    where, f"{table}.{axis.key}", axis.key, f"a setting that is not in [{seen[axis.key]}], too"
                )
            if axis.key == "seed":
                raise InputError(where, f"{table}.seed", axis.key, "`replicas`, which takes one seed after the other")
            seen[axis.key] = table


def _flat(where: str, table: str, values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted key, whether it stands in quotes or as tables in tables."""
    for key, value in values.items():
        full = f"{before}{key}"
        if not key or not all(key.split(".")):
            raise InputError(where, f"{table}.{full}", key, "a setting such as coding.sessions")
        if isinstance(value, Mapping) and not any(word in value for word in _RANGE_KEYS):
            if not value:
                raise InputError(where, f"{table}.{full}", value, "something that is set")
            yield from _flat(where, table, value, f"{full}.")
        else:
            yield full, value


def _axis(where: str, table: str, key: str, given: Any) -> AxisSpec:
    place = f"{table}.{key}"
    if isinstance(given, Mapping):
        return AxisSpec(key, _range(where, place, given, has_steps=table == "grid"))
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_VALUES:
        steps = ", steps = 5" if table == "grid" else ""
        raise InputError(where, place, given, f"a list of values, or {{ from = 1, to = 16{steps} }}")
    values = tuple(_scalar(where, f"{place}.{i}", value) for i, value in enumerate(given))
    for i, value in enumerate(values):
        if any(type(value) is type(other) and value == other for other in values[:i]):
            raise InputError(where, f"{place}.{i}", value, "each value once")
    return AxisSpec(key, values)


def _range(where: str, place: str, given: Mapping[str, Any], *, has_steps: bool) -> Range:
    allowed = [key for key in _RANGE_KEYS if has_steps or key != "steps"]
    for key in given:
        if key not in allowed:
            raise InputError(where, f"{place}.{key}", key, "one of " + ", ".join(allowed))
    for key in allowed:
        if key != "scale" and key not in given:
            raise InputError(where, f"{place}.{key}", "nothing", "a value: it is required")
    scale = given.get("scale", "linear")
    if scale not in _SCALES:
        raise InputError(where, f"{place}.scale", scale, "one of " + ", ".join(_SCALES))
    first, last = (_number(where, f"{place}.{key}", given[key]) for key in ("from", "to"))
    if last <= first:
        raise InputError(where, f"{place}.to", last, f"a number above {first:g}")
    if scale == "log" and first <= 0:
        raise InputError(where, f"{place}.from", first, "a number above 0, for equal factors")
    if has_steps:
        _whole(where, f"{place}.steps", given["steps"], 2, MOST_VALUES)
    return Range(first, last, given.get("steps"), scale == "log")


def _scalar(where: str, field: str, value: object) -> Value:
    if not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(where, field, value, "a number, a word, true or false")
    return value


def _number(where: str, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e15:
        raise InputError(where, field, value, "a number")
    return value


def _whole(where: str, field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(where, field, value, f"a whole number from {low} to {high}")

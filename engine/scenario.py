"""A scenario: pipelines, workload, budgets, faults, length and seed of a run, from one TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.catalog.reading import read_toml
from subsecond.engine.errors import InputError

__all__ = [
    "AgentsTable",
    "BudgetTable",
    "FaultTable",
    "Scenario",
    "TraceTable",
    "apply_settings",
    "load_tables",
    "parse_scenario",
    "scenario_names",
    "setting",
]

_SHIPPED = Path(__file__).parent / "scenarios"
#: Longest run that the core's picoseconds are checked for.
MAX_DURATION_S = 1_000_000.0
#: Longest name of a pipeline: tables show it beside the numbers.
MAX_NAME = 40


class AgentsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Simulated agents of one kind; `parameters` are overrides by dotted key (`docs/agents.md`).

    `steady`: so many sessions are at work all the time (`engine/workload/steady.py`).
    """

    kind: str
    sessions: int
    arrival_rate_per_s: float | None = None
    ramp_s: float = 0.0
    max_turns: int | None = None
    steady: bool = False
    profile: str | None = None
    parameters: dict[str, Any] = {}


class TraceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recorded sessions or requests; relative paths start at the scenario's folder."""

    files: list[str]
    format: str | None = None
    time_scale: float = 1.0
    sample: int | None = None


class FaultTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that breaks at `at_s` and, with `duration_s`, is mended after it (`engine/faults.py`)."""

    kind: str
    at_s: float
    duration_s: float | None = None
    pipeline: str | None = None
    target: int = 0
    value: float | None = None


class BudgetTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit of the user's own. `percentile`: the share of turns, in percent, that shall keep it."""

    agents: str
    turn_ms: float | None = None
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    percentile: float = 95.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str = ""
    seed: int = 1
    model: str | None = None
    duration_s: float | None = None
    warm_up_s: float = 0.0
    turns: int | None = None
    pipelines: dict[str, dict[str, Any]] = {}
    agents: list[AgentsTable] = []
    traces: list[TraceTable] = []
    faults: list[FaultTable] = []
    budgets: dict[str, list[str] | BudgetTable] = {}
    catalog: dict[str, Any] = {}
    replies: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario file.

    Attributes:
        name: of the shipped scenario, or the file's name without its ending.
        folder: where relative paths of traces start.
        model: for all pipelines that do not name their own.
        duration_s: the run stops here; None: it ends with the workload.
        warm_up_s: turns that begin before do not count in what the run comes to.
        turns: most turns of all sessions together; sessions are cut evenly.
        pipelines: name -> overrides; `base` in the overrides names the pipeline of the catalog that is meant.
        budgets: agent kind -> names of budgets, or name -> a budget of the user's own.
        catalog: changes to the catalog, as `Catalog` takes them.
        replies: what simulated models say to agents from outside, unchecked: `agents` knows what they may hold.
        tables: the file as read, with all settings, for messages and recordings.
    """

    name: str
    title: str
    folder: Path
    seed: int
    model: str | None
    duration_s: float | None
    warm_up_s: float
    turns: int | None
    pipelines: dict[str, dict[str, Any]]
    agents: tuple[AgentsTable, ...]
    traces: tuple[TraceTable, ...]
    faults: tuple[FaultTable, ...]
    budgets: dict[str, list[str] | BudgetTable]
    catalog: dict[str, Any]
    replies: tuple[dict[str, Any], ...]
    tables: dict[str, Any]
    where: str


def scenario_names() -> list[str]:
    """Names of the scenarios that ship."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def load_tables(name: str) -> tuple[dict[str, Any], Path]:
    """Tables of a scenario, by the name of a shipped one or the path of a file, and where they stand.

    Raises:
        InputError: no such scenario, or no TOML.
    """
    shipped = _SHIPPED / f"{name}.toml"
    path = Path(name)
    if shipped.is_file() and not path.is_file():
        path = shipped
    elif not path.exists():
        expected = "a scenario file, or one of " + ", ".join(scenario_names())
        raise InputError("scenario", "", name, expected)
    return read_toml(path), path


def apply_settings(tables: dict[str, Any], settings: Iterable[str]) -> None:
    """Change tables in place by settings `KEY=VALUE`.

    KEY is a dotted path (`duration_s`, `pipelines.gpu.replicas`, `agents.0.sessions`). A pipeline's name or an
    agent kind may stand first: `gpu.replicas`, `coding.sessions`, `voice.parameters.barge_in.share`. VALUE is a TOML
    value, or else a word.

    Raises:
        InputError: no `=`, or the path leads through something that is no table.
    """
    for given in settings:
        key, sign, text = given.partition("=")
        key = key.strip()
        if not sign or not key or not all(key.split(".")):
            raise InputError("--set", "", given, "KEY=VALUE such as gpu.replicas=2 or duration_s=60")
        path = _full_path(tables, key)
        if "parameters" in path[:-1]:  # what follows is one dotted key of the agents' parameters
            cut = path.index("parameters") + 1
            path = [*path[:cut], ".".join(path[cut:])]
        place: Any = tables
        for i, part in enumerate(path[:-1]):
            place = _step(place, part, given, ".".join(path[: i + 1]))
        if isinstance(place, list):
            index = _index(place, path[-1], given)
            place[index] = _value_of(text)
        else:
            place[path[-1]] = _value_of(text)


def setting(value: float | str | bool) -> str:
    """A value as a setting has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value)
    return str(int(value)) if value.is_integer() else repr(value)


def _full_path(tables: dict[str, Any], key: str) -> list[str]:
    path = key.split(".")
    first = path[0]
    pipelines = tables.get("pipelines")
    if len(path) > 1 and first not in _File.__struct_fields__:
        if isinstance(pipelines, Mapping) and first in pipelines:
            return ["pipelines", *path]
        agents = tables.get("agents")
        for i, table in enumerate(agents if isinstance(agents, list) else []):
            if isinstance(table, Mapping) and table.get("kind") == first:
                return ["agents", str(i), *path[1:]]
    return path


def _step(place: Any, part: str, setting: str, so_far: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, part, setting)]
    below = place.setdefault(part, {})
    if not isinstance(below, dict | list):
        raise InputError("--set", so_far, setting, "a key that is no plain value")
    return below


def _index(place: list[Any], part: str, setting: str) -> int:
    if not part.isdigit() or int(part) >= len(place):
        raise InputError("--set", part, setting, f"a number from 0 to {len(place) - 1}")
    return int(part)


def _value_of(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, digits by the thousand, brackets without end
        return text.strip()


def parse_scenario(tables: dict[str, Any], path: Path) -> Scenario:
    """Check a scenario's tables; what names a pipeline, budget or file is looked up later.

    Raises:
        InputError: a key that does not exist, a wrong type, or a value out of range.
    """
    where = str(path) if _SHIPPED not in path.parents else path.stem
    try:
        file = msgspec.convert(tables, _File)
    except msgspec.ValidationError as error:
        raise _explained(error, tables, where) from None
    _check(file, where)
    return Scenario(
        name=path.stem,
        title=file.title,
        folder=path.parent,
        seed=file.seed,
        model=file.model,
        duration_s=file.duration_s,
        warm_up_s=file.warm_up_s,
        turns=file.turns,
        pipelines=file.pipelines,
        agents=tuple(file.agents),
        traces=tuple(file.traces),
        faults=tuple(file.faults),
        budgets=file.budgets,
        catalog=file.catalog,
        replies=tuple(file.replies),
        tables=tables,
        where=where,
    )


#: Tables whose keys are the user's names, and what each of them holds.
_NAMED: dict[str, Any] = {"pipelines": dict[str, Any], "budgets": list[str] | BudgetTable}
#: msgspec's words for types, for people.
_WORDS = {"int": "a whole number", "float": "a number", "str": "a text", "object": "a table", "array": "a list"}


def _explained(error: msgspec.ValidationError, tables: Mapping[str, Any], where: str) -> InputError:
    """msgspec says `Expected ..., got ... - at `$.agents[0].sessions``: turn the path into key and value."""
    message, _, place = str(error).partition(" - at `$")
    field = place.strip("`").lstrip(".").replace("[...]", ".*").replace("[", ".").replace("]", "")
    table, _, below = field.partition(".")
    if below.startswith("*") and table in _NAMED:
        field = ".".join([table, _wrong_name(tables[table], _NAMED[table]), *below.split(".")[1:]])
    value: object = tables
    for part in _parts(field, tables):
        value = value[int(part) if isinstance(value, list) else part]  # type: ignore[index]  # `_parts` has been there
    if "unknown field" in message or "missing required field" in message:
        name = message.rpartition("`")[0].rpartition("`")[2]
        key = f"{field}.{name}".lstrip(".")
        if "missing" in message:
            return InputError(where, key, "nothing", "a value: it is required")
        fields = {"agents": AgentsTable, "traces": TraceTable, "faults": FaultTable, "budgets": BudgetTable}
        struct = fields.get(table, _File)
        return InputError(where, key, name, "one of " + ", ".join(struct.__struct_fields__))
    expected = message.replace("`", "").removeprefix("Expected ").partition(", got")[0].split(" | ")
    words = [_WORDS.get(word, word) for word in expected if word != "null"]
    return InputError(where, field, value, " or ".join(words))


def _wrong_name(table: Mapping[str, Any], kind: Any) -> str:
    """The first key whose value is not of a kind."""
    for name, value in table.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return name
    return "*"


def _parts(field: str, tables: object) -> list[str]:
    """A dotted path as keys that lead somewhere; names of pipelines and budgets may hold dots themselves."""
    parts: list[str] = []
    words = [word for word in field.split(".") if word]
    while words:
        for end in range(1, len(words) + 1):
            key = ".".join(words[:end])
            if isinstance(tables, Mapping) and key in tables:
                tables = tables[key]
            elif isinstance(tables, list) and key.isdigit() and int(key) < len(tables):
                tables = tables[int(key)]
            else:
                continue
            parts.append(key)
            words = words[end:]
            break
        else:
            break
    return parts


def _check(file: _File, where: str) -> None:
    _whole(where, "seed", file.seed, 0, 2**31 - 1)
    if file.turns is not None:
        _whole(where, "turns", file.turns, 1, 10**8)
    if file.duration_s is not None:
        _number(where, "duration_s", file.duration_s, 1e-6, MAX_DURATION_S)
    _number(where, "warm_up_s", file.warm_up_s, 0, MAX_DURATION_S)
    if file.duration_s is not None and file.warm_up_s >= file.duration_s:
        raise InputError(where, "warm_up_s", file.warm_up_s, f"less than duration_s = {file.duration_s:g}")
    for i, agents in enumerate(file.agents):
        _check_steady(file, agents, f"agents.{i}", where)
    for i, trace in enumerate(file.traces):
        if not trace.files:
            raise InputError(where, f"traces.{i}.files", trace.files, "at least one file")
    for i, fault in enumerate(file.faults):
        _number(where, f"faults.{i}.at_s", fault.at_s, 0, MAX_DURATION_S)
        if fault.duration_s is not None:
            _number(where, f"faults.{i}.duration_s", fault.duration_s, 1e-6, MAX_DURATION_S)
    if not file.pipelines:
        raise InputError(where, "pipelines", "nothing", "at least one pipeline, such as [pipelines.gpu]")
    for name in file.pipelines:
        if not (0 < len(name) <= MAX_NAME and name.isprintable() and name == name.strip()):
            raise InputError(where, "pipelines", name, f"a name of 1 to {MAX_NAME} printable characters")
    if not file.agents and not file.traces:
        raise InputError(where, "agents", "nothing", "at least one [[agents]] or [[traces]] table")


def _check_steady(file: _File, agents: AgentsTable, field: str, where: str) -> None:
    if agents.steady and file.duration_s is None:
        raise InputError(
            where, "duration_s", "nothing", f"how long the run lasts: {field}.steady keeps sessions at work"
        )
    if agents.steady and agents.arrival_rate_per_s is not None:
        expected = "no rate where steady keeps a number of sessions at work"
        raise InputError(where, f"{field}.arrival_rate_per_s", agents.arrival_rate_per_s, expected)


def _whole(where: str, field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(where, field, value, f"a whole number from {low} to {high}")


def _number(where: str, field: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(where, field, value, f"a number from {low:g} to {high:g}")

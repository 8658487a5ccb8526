"""The command that runs a point of a sweep again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from subsecond.engine.errors import InputError
from subsecond.engine.scenario import load_tables, scenario_names
from subsecond.engine.sweep.manifest import Value

from .sweep_points import SweepPoint, SweepSeen

__all__ = ["run_again"]


def run_again(sweep: SweepSeen, point: SweepPoint, seed: int | None) -> str:
    """`subsecond run …` with all that the point sets, quoted for a shell.

    Of a scenario that ships, what the sweep's own tables have otherwise is set, too; of another one, what the sweep's
    file sets at every point.
    """
    words = ["subsecond", "run", sweep.base if sweep.base in scenario_names() else f"{sweep.base}.toml"]
    tables = _shipped(sweep.base)
    settings: dict[str, str] = {}
    if tables is None:
        settings.update((key, _shown(value)) for key, value in sweep.fixed.items())
    else:
        pipelines = sweep.scenario.get("pipelines")
        if isinstance(pipelines, dict) and list(pipelines) != list(tables.get("pipelines", {})):
            words += ["--pipelines", ",".join(map(str, pipelines))]
        settings.update(_differences(tables, dict(sweep.scenario), ()))
    settings.update((key, _shown(value)) for key, value in point.settings.items())
    for key, text in settings.items():
        words += ["--set", f"{key}={text}"]
    if seed is not None:
        words += ["--seed", str(seed)]
    return shlex.join(words)


def _shipped(name: str) -> dict[str, Any] | None:
    """Tables of a scenario that ships."""
    if name not in scenario_names():
        return None
    try:
        return load_tables(name)[0]
    except InputError:
        return None


def _differences(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Path and value of what new tables have otherwise."""
    if isinstance(new, dict) and isinstance(old, dict | None):
        for key, value in new.items():
            before = None if old is None else old.get(key)
            if before != value and (path, key) != ((), "seed"):
                yield from _differences(before, value, (*path, str(key)))
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old) and _holds_tables(new):
        for place, (before, value) in enumerate(zip(old, new, strict=True)):
            if before != value:
                yield from _differences(before, value, (*path, str(place)))
    elif not _holds_tables(new):
        yield ".".join(path), _shown(new)


def _holds_tables(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))


def _shown(value: Value | Mapping[str, Any] | list[Any]) -> str:
    """A value as TOML has it; a plain word needs no quotes."""
    if isinstance(value, str) and value.replace("-", "").replace(".", "").replace("_", "").isalnum():
        return value if not value[:1].isdigit() and value not in ("true", "false", "inf", "nan") else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)

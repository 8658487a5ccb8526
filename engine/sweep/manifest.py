"""What a sweep's folder says about itself: the question, what it was asked of, and how the work is cut.

Two folders with equal manifests hold equal results when they are finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from subsecond.engine.errors import InputError

__all__ = ["MANIFEST", "SCHEMA", "Axis", "Manifest", "Value", "differences", "read_manifest"]

#: Name and version; the number goes up when a key changes its meaning or goes away.
SCHEMA = "subsecond.sweep/1"
#: The file of the manifest in a sweep's folder.
MANIFEST = "manifest.json"

#: What a setting may be set to.
Value = bool | int | float | str


class Axis(msgspec.Struct, frozen=True):
    """A setting that the sweep varies.

    Attributes:
        key: as `--set` takes it.
        design: `grid` or `random`.
        values: of a grid, in order; empty for a random axis.
    """

    key: str
    design: str
    values: list[Value] = []


class Manifest(msgspec.Struct, frozen=True):
    """A sweep, fixed.

    Attributes:
        version, code, catalog: of the package; hashes over the code that results depend on and over the facts.
        scenario: tables of the scenario, with what the sweep sets at every point.
        traces: file -> hash of its content.
        fixed: settings that are equal at all points.
        points: number -> settings that differ, one per axis.
        tasks: task -> runs in it, each as point and replica.
    """

    schema: str
    name: str
    title: str
    version: str
    code: str
    catalog: str
    base: str
    scenario: dict[str, Any]
    traces: dict[str, str]
    fixed: dict[str, Value]
    axes: list[Axis]
    seeds: list[int]
    points: list[list[Value]]
    tasks: list[list[tuple[int, int]]]

    @property
    def digest(self) -> str:
        """Hash over all of it."""
        return blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()

    @property
    def runs(self) -> int:
        """Runs in all."""
        return len(self.points) * len(self.seeds)

    def settings(self, point: int) -> tuple[tuple[str, Value], ...]:
        """Key and value of what a point sets."""
        return tuple(zip((axis.key for axis in self.axes), self.points[point], strict=True))


#: Parts of a manifest in words, for those who changed one.
_WORDS = {
    "version": "the version of Subsecond",
    "code": "the code of Subsecond",
    "catalog": "the catalog",
    "base": "the scenario's name",
    "scenario": "the scenario or what is set at every point",
    "traces": "the traces",
    "fixed": "what is set at every point",
    "axes": "the axes",
    "seeds": "the seeds of the replicas",
    "points": "the points",
    "tasks": "how the work is cut",
    "title": "the title",
    "name": "the name",
    "schema": "the format",
}


def differences(old: Manifest, new: Manifest) -> Iterator[str]:
    """What makes two manifests differ, in words, the plainest first."""
    for part, words in _WORDS.items():
        before, after = getattr(old, part), getattr(new, part)
        if before == after:
            continue
        if part == "axes":
            keys = [axis.key for axis in new.axes if axis not in old.axes]
            keys += [axis.key for axis in old.axes if axis not in new.axes and axis.key not in keys]
            yield f"{words} ({', '.join(keys) or 'their order'})"
        elif part in ("scenario", "fixed", "traces"):
            keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
            yield f"{words} ({', '.join(keys)})"
        elif part == "version":
            yield f"{words} ({before}, {after} now)"
        else:
            yield words


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a sweep's folder.

    Raises:
        InputError: there is none, or it is damaged or of another version.
    """
    where = str(folder / MANIFEST)
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise InputError(str(folder), "", error.strerror or "unreadable", "a folder that a sweep has written") from None
    try:
        schema = msgspec.json.decode(content, type=dict[str, Any]).get("schema")
        if schema != SCHEMA:
            raise InputError(where, "schema", schema, SCHEMA)
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(where, "", str(error), "what `subsecond sweep` writes") from None

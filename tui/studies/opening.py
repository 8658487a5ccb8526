"""Finds and opens studies: the folder of a sweep, or a document that a study wrote with `--json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from subsecond.engine.errors import InputError
from subsecond.engine.sweep.folder import is_sweep

from .documents import MOST_BYTES, schema_of, sniffed
from .study import Study
from .sweep import SweepStudy
from .sweep_folder import SweepReader

__all__ = ["KINDS", "FoundStudy", "OpenStudy", "is_study", "list_studies", "open_study"]

#: Studies with a screen, and the version of their documents. Each has a module here with `study_of(content, where)`;
#: that of a sweep lies here.
KINDS = {"availability": "1", "capacity": "1", "drill": "1", "gap": "1", "map": "1", "price": "1", "sweep": "1"}
#: Entries of a folder that are looked at.
_MOST_ENTRIES = 5000


@dataclass(slots=True)
class OpenStudy:
    """A study that is shown; `reader` reads on while its folder grows, None: it does not."""

    path: Path
    study: Study
    reader: SweepReader | None = None

    @property
    def is_growing(self) -> bool:
        """Whether there may be more to read."""
        return self.reader is not None and not self.reader.is_finished

    def look(self, told: Callable[[], bool] = lambda: True) -> bool:
        """Read what has come since, or part of it; whether there was anything. `told`: whether to go on."""
        if self.reader is None or not self.reader.look(told):
            return False
        self.study = SweepStudy(self.reader.seen())
        return True


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that lies in a folder."""

    path: Path
    kind: str
    changed_unix_s: float
    size_bytes: int | None


def is_study(path: Path) -> bool:
    """Whether a path looks like a study, and not like a recording."""
    try:
        return path.suffix == ".json" or (path.is_dir() and is_sweep(path))
    except (OSError, ValueError):
        return False


def open_study(path: Path) -> OpenStudy:
    """Read a study; of a sweep's folder the first part.

    Raises:
        InputError: it cannot be read, or is no study.
    """
    if path.is_dir():
        reader = SweepReader(path)
        reader.look()
        return OpenStudy(path, SweepStudy(reader.seen()), reader)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(str(path), "", f"{size:,} bytes", f"at most {MOST_BYTES:,}")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(str(path), "", reason, "a file that can be read") from None
    kind, version = schema_of(content, str(path))
    if KINDS.get(kind) != version:
        known = ", ".join(f"subsecond.{name}/{number}" for name, number in KINDS.items())
        raise InputError(str(path), "schema", f"subsecond.{kind}/{version}", f"one of {known}")
    if kind == "sweep":
        from .sweep_document import sweep_of

        return OpenStudy(path, SweepStudy(sweep_of(content, str(path))))
    study: Study = import_module(f".{kind}", __package__).study_of(content, str(path))
    return OpenStudy(path, study)


def list_studies(folder: Path) -> list[FoundStudy]:
    """Studies that lie in a folder, by name; what cannot be read is left out."""
    try:
        entries = sorted(folder.iterdir())[:_MOST_ENTRIES]
    except OSError:
        return []
    return list(_found(entries))


def _found(entries: list[Path]) -> Iterator[FoundStudy]:
    for path in entries:
        try:
            if path.suffix == ".json":
                kind, stat = sniffed(path), path.stat()
                if kind in KINDS:
                    yield FoundStudy(path, kind, stat.st_mtime, stat.st_size)
            elif path.is_dir() and is_sweep(path):
                yield FoundStudy(path, "sweep", path.stat().st_mtime, None)
        except OSError:
            continue

"""What results depend on beside the question: version, code, facts and traces of the package that answers it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import msgspec

import subsecond.agents
import subsecond.engine
from subsecond.engine.recording.schema import catalog_digest
from subsecond.engine.workload.traces import SAMPLE_PREFIX

__all__ = ["Identity", "differing_traces", "file_digest", "identity", "trace_digests"]

#: Folders of the package whose code decides what comes out; of the others nothing does.
_ENGINE = (".", "catalog", "core", "core/kernel", "latency", "sweep", "workload", "workload/traces")
_AGENTS = (".", "data", "study", "sweep")
_CHUNK = 1 << 20


class Identity(msgspec.Struct, frozen=True):
    """A package as far as results depend on it.

    Attributes:
        code, catalog: hashes over its code and over its facts.
    """

    version: str
    code: str
    catalog: str


@cache
def identity() -> Identity:
    """That of the package which runs."""
    digest = blake2b(digest_size=16)
    for path, name in _code():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return Identity(version("subsecond"), digest.hexdigest(), catalog_digest())


def _code() -> Iterator[tuple[Path, str]]:
    for package, folders in ((subsecond.engine, _ENGINE), (subsecond.agents, _AGENTS)):
        root = Path(str(package.__file__)).parent
        for folder in folders:
            for path in sorted((root / folder).glob("*.py")) + sorted((root / folder).glob("*.toml")):
                yield path, f"{package.__name__}/{path.relative_to(root).as_posix()}"


def trace_digests(files: Iterable[str]) -> dict[str, str]:
    """Hash of the content of each trace that is a file; samples that ship belong to the package."""
    return {file: file_digest(file) for file in files if not file.startswith(SAMPLE_PREFIX)}


def file_digest(file: str) -> str:
    """Hash of a file's content, or of all files in a folder; why there is none, if it cannot be read."""
    digest = blake2b(digest_size=16)
    path = Path(file)
    try:
        paths = sorted(own for own in path.rglob("*") if own.is_file()) if path.is_dir() else [path]
        for own in paths:
            digest.update(own.relative_to(path).as_posix().encode() + b"\0")
            with own.open("rb") as opened:
                while chunk := opened.read(_CHUNK):
                    digest.update(chunk)
    except OSError as error:
        return error.strerror or "unreadable"
    return digest.hexdigest()


@cache
def _known_digest(file: str) -> str:
    return file_digest(file)


def differing_traces(expected: Mapping[str, str]) -> list[str]:
    """Traces that are missing here, or others than expected; each is read once in the life of a process."""
    return [file for file, digest in expected.items() if _known_digest(file) != digest]

"""Small traces that ship with the package, by name.

They are cut from public data sets; `samples/README.md` names the source and licence of each.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from subsecond.engine.errors import InputError

__all__ = ["SAMPLE_PREFIX", "sample_names", "sample_path"]

#: What turns a path into the name of a sample.
SAMPLE_PREFIX = "sample:"

_FILES = {
    "azure": "azure_code.csv.gz",
    "eva": "eva_session.jsonl.gz",
    "eva-lengths": "eva_lengths.csv.gz",
    "harpervalley": "harpervalley_calls.csv",
    "mooncake": "mooncake_conversation.jsonl.gz",
    "openhands": "openhands_sessions.csv",
    "subsecond": "subsecond.jsonl",
    "tau2-ticks": "tau2_ticks.jsonl.gz",
    "taubench": "taubench_messages.csv.gz",
    "tracelab": "tracelab_rounds.jsonl.gz",
    "weka": "weka_sessions.csv.gz",
    "weka-raw": "weka_raw.json.gz",
}


def sample_names() -> tuple[str, ...]:
    """Names of the shipped traces."""
    return tuple(_FILES)


def sample_path(name: str) -> Path:
    """Where a shipped trace lies.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _FILES:
        raise InputError("sample trace", "", name, f"one of {', '.join(_FILES)}")
    # packages are installed as files: setuptools unpacks wheels, and scripts/run installs an editable one
    return Path(str(resources.files(__package__) / "samples" / _FILES[name]))

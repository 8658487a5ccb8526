"""`docs/agents.md` says what the parameters are."""

from __future__ import annotations

from pathlib import Path

import pytest

from subsecond.agents.coding import coding_parameters
from subsecond.agents.parameters import Parameter, Parameters, load_document
from subsecond.agents.voice import voice_parameters
from subsecond.agents.voice_stages import profile_names, stage_names

TEXT = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")


def row(entry: Parameter) -> str:
    note = f"; {entry.note}" if entry.note else ""
    return f"| `{entry.key}` | {entry.shown} | {entry.source} ({entry.date}, {entry.provenance}){note} |"


@pytest.mark.parametrize("parameters", [coding_parameters(), voice_parameters()], ids=lambda p: p.name)
def test_every_parameter_stands_in_the_document_as_it_is(parameters: Parameters) -> None:
    missing = [row(entry) for entry in parameters if row(entry) not in TEXT]
    assert not missing, "rows that docs/agents.md lacks:\n" + "\n".join(missing)


def test_every_profile_and_stage_stands_in_the_document() -> None:
    document = load_document("subsecond.agents", "data/voice.toml")
    for name in profile_names(document):
        assert f"| {name} |" in TEXT
    for name in stage_names(document):
        assert f"| `{name}` |" in TEXT

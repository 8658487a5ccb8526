"""Scenario files: what is accepted, what is refused and how the message reads, and --set."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsecond.engine.errors import InputError
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario, scenario_names

PLACE = Path("mine.toml")


def tables(**changes: Any) -> dict[str, Any]:
    """A scenario that is accepted, with changes."""
    base: dict[str, Any] = {
        "pipelines": {"gpu": {}, "trn-cs3": {}},
        "agents": [{"kind": "coding", "sessions": 3}, {"kind": "voice", "sessions": 2}],
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_is_accepted(name: str) -> None:
    found, path = load_tables(name)
    scenario = parse_scenario(found, path)
    assert scenario.name == name
    assert scenario.title
    assert scenario.pipelines


def test_the_default_scenario_ships() -> None:
    assert "playground" in scenario_names()


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"seed": -1}, "seed", "-1"),
        ({"seed": "one"}, "seed", "one"),
        ({"duration_s": float("nan")}, "duration_s", "nan"),
        ({"duration_s": 0.0}, "duration_s", "0.0"),
        ({"turns": 0}, "turns", "0"),
        ({"piplines": {}}, "piplines", "piplines"),
        ({"pipelines": {}}, "pipelines", "nothing"),
        ({"agents": []}, "agents", "nothing"),
        ({"agents": [{"kind": "coding"}]}, "agents.0.sessions", "nothing"),
        ({"agents": [{"kind": "coding", "sessions": 2.5}]}, "agents.0.sessions", "2.5"),
        ({"agents": [{"kind": "coding", "sessions": 2, "size": 1}]}, "agents.0.size", "size"),
        ({"traces": [{"files": []}]}, "traces.0.files", "[]"),
        ({"faults": [{"kind": "stall", "at_s": -1.0}]}, "faults.0.at_s", "-1.0"),
        ({"faults": [{"kind": "stall", "at_s": 1.0, "duration_s": 0.0}]}, "faults.0.duration_s", "0.0"),
    ],
)
def test_a_refusal_names_file_field_and_value(changes: dict[str, Any], field: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_scenario(tables(**changes), PLACE)
    assert caught.value.where == "mine.toml"
    assert caught.value.field == field
    assert str(caught.value.value) == value
    assert caught.value.expected


def test_a_missing_scenario_lists_those_that_ship() -> None:
    with pytest.raises(InputError, match="playground"):
        load_tables("no-such-scenario")


def test_broken_toml_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("seed = = 1")
    with pytest.raises(InputError, match=r"broken\.toml.*line 1"):
        load_tables(str(path))


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("duration_s=60", ["duration_s"], 60),
        ("pipelines.gpu.replicas=2", ["pipelines", "gpu", "replicas"], 2),
        ("gpu.replicas=2", ["pipelines", "gpu", "replicas"], 2),
        ("trn-cs3.decode.overlap=false", ["pipelines", "trn-cs3", "decode", "overlap"], False),
        ("agents.1.sessions=7", ["agents", 1, "sessions"], 7),
        ("voice.sessions=7", ["agents", 1, "sessions"], 7),
        ("coding.parameters.tools.time.scale=2.5", ["agents", 0, "parameters", "tools.time.scale"], 2.5),
        ("model=gpt-oss-120b", ["model"], "gpt-oss-120b"),
        ("title='a = b'", ["title"], "a = b"),
        (f"title={'[' * 3000}{']' * 3000}", ["title"], "[" * 3000 + "]" * 3000),
        (f"title={'9' * 5000}", ["title"], "9" * 5000),
    ],
)
def test_a_setting_reaches_its_place(setting: str, path: list[Any], value: object) -> None:
    changed = tables()
    apply_settings(changed, [setting])
    place: Any = changed
    for part in path:
        place = place[part]
    assert place == value


@pytest.mark.parametrize("setting", ["", "seed", "=3", ".=3", "agents.9.sessions=1", "agents.x.sessions=1", "seed.x=1"])
def test_a_setting_that_leads_nowhere_is_refused(setting: str) -> None:
    with pytest.raises(InputError):
        apply_settings(tables(seed=1), [setting])


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.floats() | st.text() | st.lists(st.text())))
def test_whatever_stands_in_a_file_is_accepted_or_refused_in_words(found: dict[str, Any]) -> None:
    with contextlib.suppress(InputError):  # any other error fails
        parse_scenario(tables(**found), PLACE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": True}, "small.toml: seed: got 'True', expected a whole number"),
        ({"pipelines": {"": {}}}, "small.toml: pipelines: got '', expected a name of 1 to 40"),
        ({"pipelines": {"a" * 41: {}}}, "small.toml: pipelines: got 'aaa"),
        ({"pipelines": {"two\nlines": {}}}, "small.toml: pipelines: got 'two\\nlines'"),
        ({"turns": "all"}, "small.toml: turns: got 'all', expected a whole number"),
        ({"agents": 3}, "small.toml: agents: got '3', expected a list"),
        ({"pipelines": {"gpu": {}, "v1.2": 3}}, "small.toml: pipelines.v1.2: got '3', expected a table"),
        ({"budgets": {"coding": ["a"], "x": 3}}, "small.toml: budgets.x: got '3', expected a table or a list"),
        (
            {"budgets": {"coding": ["a"], "x": {"agents": "coding", "turn_ms": "9"}}},
            "small.toml: budgets.x.turn_ms: got '9', expected a number",
        ),
        ({"budgets": {"x": {"turn_ms": 9}}}, "small.toml: budgets.x.agents: got 'nothing', expected a value"),
    ],
)
def test_messages_name_key_and_value_in_plain_words(changes: dict[str, object], message: str) -> None:
    tables = {"pipelines": {"gpu": {}}, "agents": [{"kind": "coding", "sessions": 1}], **changes}
    with pytest.raises(InputError) as caught:
        parse_scenario(tables, Path("small.toml"))
    assert str(caught.value).startswith(message)

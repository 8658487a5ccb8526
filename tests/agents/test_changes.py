"""Changes as data: what ships can be made and changes something; what is wrong in a file of one's own is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from subsecond.agents.study.changes import EFFORTS, Change, applied, base_of, load_changes
from subsecond.agents.study.points import Base, Point, lane_turns, load_base, plan_point
from subsecond.engine.catalog import catalog
from subsecond.engine.errors import InputError

CHANGES = load_changes()
SHORT = ("duration_s=60", "coding.sessions=6", "coding.ramp_s=5", "voice.sessions=6", "voice.ramp_s=5")
#: In what a change may show itself: plain; where there are two servers; a model that is published in 16 bits; with so
#: many sessions that batches and memory fill.
SETTINGS = (
    (),
    ("x.replicas=2",),
    ("x.model=llama-3.3-70b",),
    ("coding.sessions=200", "voice.sessions=200", "duration_s=40"),
)


def one(name: str, *settings: str) -> Base:
    tables = dict(load_base("playground").tables)
    tables["pipelines"] = {"x": {"base": name}}
    return Base(tables, Path("one.toml")).changed([*SHORT, *settings])


def digest(base: Base) -> str:
    return lane_turns(plan_point(base, Point()), "x").results.digest()


@pytest.fixture(scope="module")
def plain() -> Callable[[str, tuple[str, ...]], str]:
    known: dict[tuple[str, tuple[str, ...]], str] = {}

    def run(name: str, settings: tuple[str, ...]) -> str:
        if (name, settings) not in known:
            known[name, settings] = digest(one(name, *settings))
        return known[name, settings]

    return run


@pytest.mark.parametrize(
    ("change", "name"),
    [(change, name) for change in CHANGES for name in change.pipelines],
    ids=lambda value: value.name if isinstance(value, Change) else value,
)
def test_every_change_can_be_made_and_changes_something(
    change: Change, name: str, plain: Callable[[str, tuple[str, ...]], str]
) -> None:
    for settings in SETTINGS:
        try:
            before = plain(name, settings)
        except InputError:  # `trn-cs3` has no `replicas`
            continue
        try:
            changed = applied(one(name, *settings), "x", [change])
            if digest(changed) != before:
                return
        except InputError:
            assert settings, f"{change.name} cannot be made to {name} as it is"
    pytest.fail(f"{change.name} changes nothing on {name}")


def test_changes_of_a_pipeline_have_names_and_go_from_small_to_large() -> None:
    pipelines = dict.fromkeys(name for change in CHANGES for name in change.pipelines)
    for name in pipelines:
        assert catalog().find("pipelines", name) == name
        own = [change for change in CHANGES if name in change.pipelines]
        assert len({change.name for change in own}) == len(own)
        made = [change.rank for change in own if change.role == "change"]
        assert made == sorted(made)
    assert {change.effort for change in CHANGES} == set(EFFORTS)


def test_factors_multiply_what_a_scenario_says() -> None:
    double = next(change for change in CHANGES if change.times == {"replicas": 2})
    base = one("gpu", "x.replicas=3")
    assert applied(base, "x", [double]).tables["pipelines"]["x"]["replicas"] == 6
    assert applied(one("gpu"), "x", [double]).tables["pipelines"]["x"]["replicas"] == 2
    assert base.tables["pipelines"]["x"]["replicas"] == 3
    assert base_of(base, "x") == "gpu"


def test_factors_on_facts_multiply_a_scenarios_own_facts() -> None:
    half = next(change for change in CHANGES if "engines.gpu.layer_us" in change.facts_times)
    base = one("gpu", "catalog.engines.gpu.values.layer_us=50")
    values = applied(base, "x", [half]).tables["catalog"]["engines"]["gpu"]["values"]
    assert values["layer_us"] == 25
    assert base.tables["catalog"]["engines"]["gpu"]["values"]["layer_us"] == 50


GOOD = """
[[changes]]
name = "own"
pipelines = ["gpu"]
effort = "setting"
sort = "own"
settings = { max_seqs = 8 }
stands_for = "a test"
source = "a test"
provenance = "assumed"
"""


def test_changes_of_ones_own_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD)
    (change,) = load_changes(path)
    assert (change.name, change.role, change.settings) == ("own", "change", {"max_seqs": 8})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('effort = "setting"', 'effort = "none"', "changes.0.effort: got 'none', expected one of setting"),
        ('provenance = "assumed"', 'provenance = "true"', "changes.0.provenance"),
        ('name = "own"', f'name = "{"x" * 99}"', "changes.0.name"),
        ("settings = { max_seqs = 8 }", "", "settings, times or facts_times"),
        ("settings = { max_seqs = 8 }", "times = { replicas = 0 }", "a factor above 0"),
        ("settings = { max_seqs = 8 }", 'times = { replicas = "two" }', "Expected `float`"),
        ('sort = "own"', 'kind = "own"', "unknown field `kind`"),
        ("[[changes]]", "[[changes", "TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_changes(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "times", "facts"),
    [({"model": "x"}, {"model": 2.0}, {}), ({}, {"abacus": 2.0}, {}), ({}, {}, {"engines.abacus.layer_us": 2.0})],
)
def test_what_cannot_be_multiplied_is_an_input_error(
    settings: dict[str, object], times: dict[str, float], facts: dict[str, float]
) -> None:
    change = Change("own", ("gpu",), "setting", "own", "", "", "assumed", "change", settings, times, facts)
    with pytest.raises(InputError):
        applied(one("gpu"), "x", [change])

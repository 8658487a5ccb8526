"""Drills of the catalog on every pipeline that ships: they strike it in the way that it has, or say why not."""

from __future__ import annotations

import pytest
from support.small import colocated, disaggregated

from subsecond.engine.catalog import catalog
from subsecond.engine.core.config import FaultKind, Pipeline, Role
from subsecond.engine.drills.catalog import EACH, Drill, Step, drill_named, own_drill, shipped_drills
from subsecond.engine.drills.striking import strike
from subsecond.engine.errors import InputError
from subsecond.engine.faults import FAULT_KINDS, changes
from subsecond.engine.latency.pipelines import build_pipeline

S = 10**12
SMALL = {"gpu": colocated(servers=2), "split": disaggregated(decoders=2)}


@pytest.fixture(scope="module")
def cores() -> dict[str, Pipeline]:
    facts = catalog()
    return {name: build_pipeline(name).core for name in facts.names("pipelines")}


@pytest.mark.parametrize("name", shipped_drills())
def test_each_drill_strikes_each_pipeline_or_says_why_not(name: str, cores: dict[str, Pipeline]) -> None:
    drill = drill_named(name)
    found = strike(drill, cores, 300.0, "test")
    assert list(found) == list(cores)
    for lane, core in cores.items():
        own = [step.disaggregated if core.entry.role is Role.PREFILL else step.colocated for step in drill.steps]
        assert bool(found[lane].spells) == any(own)
        assert found[lane].spells or found[lane].reason.startswith("it has no ")
        assert all(spell.begin_ps >= 300 * S for spell in found[lane].spells)
        assert all(spell.end_ps is not None and spell.end_ps > spell.begin_ps for spell in found[lane].spells)
        changes(found[lane].spells)  # the core takes them


def test_the_catalog_has_what_was_promised() -> None:
    drills = shipped_drills()
    kinds = {k for drill in drills.values() for step in drill.steps for k in (step.disaggregated, step.colocated) if k}
    assert kinds <= set(FAULT_KINDS)
    assert kinds == set(FAULT_KINDS) - {"link_cut"}
    for name, drill in drills.items():
        assert drill.name == name
        assert drill.title
        assert drill.look
        assert drill.source.startswith(("assumed", "measured"))


def test_each_in_turn_strikes_one_server_after_the_other() -> None:
    found = strike(drill_named("rolling-restart"), SMALL, 100.0, "test")
    servers = [(spell.target, spell.begin_ps // S, (spell.end_ps or 0) // S) for spell in found["split"].spells]
    assert servers == [(0, 100, 160), (1, 190, 250), (2, 280, 340), (3, 370, 430)]  # prefill first, then decode
    assert [(s.target, s.begin_ps // S) for s in found["gpu"].spells] == [(0, 100), (1, 190)]
    assert found["gpu"].reason == ""
    assert (found["split"].begin_ps, found["split"].last_begin_ps, found["split"].end_ps) == (100 * S, 370 * S, 430 * S)


def test_both_at_once_are_both_or_the_only_one(cores: dict[str, Pipeline]) -> None:
    found = strike(drill_named("both-lost"), {**SMALL, "one": cores["gpu"]}, 100.0, "test")
    assert [(s.target, s.kind) for s in found["split"].spells] == [
        (0, FaultKind.SERVER_DOWN),
        (2, FaultKind.SERVER_DOWN),
    ]
    assert [s.target for s in found["gpu"].spells] == [0, 1]
    assert [s.target for s in found["one"].spells] == [0]
    assert found["one"].reason == "it has only one that gpu_down can strike"


def test_a_slow_server_is_one_of_the_pool_that_the_step_names() -> None:
    found = strike(drill_named("slow-server"), SMALL, 100.0, "test")
    assert [s.target for s in found["split"].spells] == [2]  # the first decode server, behind two for prefill
    assert [s.target for s in found["gpu"].spells] == [0]
    each = Drill("t", (Step("slow", "slow", value=2.0, duration_s=1.0, target=EACH, pool="entry"),))
    assert [s.target for s in strike(each, SMALL, 0.0, "test")["split"].spells] == [0, 1]
    own = own_drill("t", [Step("slow", "slow", value=2.0, duration_s=1.0, target=3, pool="all", after_s=7.0)])
    found = strike(own, SMALL, 7.0, "test")
    assert [s.target for s in found["split"].spells] == [3]
    assert found["gpu"].reason == "it has only 2 that slow can strike"


def test_own_faults_begin_when_they_were_told_to() -> None:
    steps = [
        Step("stall", "stall", after_s=40.0, duration_s=5.0),
        Step("gpu_down", "gpu_down", pipeline="gpu", after_s=50.0, duration_s=5.0),
    ]
    drill = own_drill("mine", steps)
    assert drill.begin_s == 40.0
    found = strike(drill, SMALL, 40.0, "test")
    assert [s.begin_ps // S for s in found["gpu"].spells] == [40, 50]
    assert [s.begin_ps // S for s in found["split"].spells] == [40]
    alone = own_drill("mine", steps[1:])
    assert strike(alone, SMALL, 50.0, "test")["split"].reason == "it is for other pipelines"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step("fire", "fire", duration_s=1.0), "'fire', expected one of prefill_down"),
        (Step("stall", "stall", "cpu", duration_s=1.0), "'cpu', expected one of gpu, split"),
        (Step("slow", "slow", duration_s=1.0), "how many times slower"),
        (Step("stall", "stall", duration_s=1.0, value=2.0), "no value for stall"),
        (Step("stall", "stall"), "how long the router stalls"),
        (Step("decode_down", None, target=-1, duration_s=1.0), "a number from 0 to 1"),
        (Step("decode_down", None, "split", target=2, duration_s=1.0), "a number from 0 to 1"),
    ],
)
def test_what_cannot_be_is_said(step: Step, words: str) -> None:
    with pytest.raises(InputError, match="test: faults") as caught:
        strike(own_drill("mine", [step]), SMALL, 0.0, "test")
    assert words in str(caught.value)


def test_a_drill_that_does_not_ship_is_said_with_those_like_it() -> None:
    with pytest.raises(InputError, match=r"--drill: got 'server-lots', expected one of server-lost"):
        drill_named("server-lots")

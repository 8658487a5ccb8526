"""`subsecond drill`: what may be asked for, and that tables and document say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.courses import S

from subsecond.engine.drills.catalog import EACH, shipped_drills
from subsecond.engine.drills.windows import FOREVER, Strip
from subsecond.engine.errors import InputError
from subsecond.tui.cli.drill_pictures import picture_of
from subsecond.tui.cli.drill_words import drills_of, read_fault

Command = Callable[..., tuple[int, str, str]]
QUICK = ("--set", "coding.sessions=6", "--set", "voice.sessions=8", "--replicas", "1")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("decode_down@300s:60s", ("decode_down", 300.0, 60.0, None, 0)),
        ("link_degraded@5m:2m=0.25/1", ("link_degraded", 300.0, 120.0, 0.25, 1)),
        ("stall@1:30:10s", ("stall", 90.0, 10.0, None, 0)),
        ("slow@1:00:00:1:30=3", ("slow", 3600.0, 90.0, 3.0, 0)),
        ("gpu_down@240", ("gpu_down", 240.0, None, None, 0)),
        ("prefill_down@90s:1m/each", ("prefill_down", 90.0, 60.0, None, EACH)),
    ],
)
def test_faults_are_read(text: str, wanted: tuple[object, ...]) -> None:
    step = read_fault(text)
    assert (step.disaggregated, step.after_s, step.duration_s, step.value, step.target) == wanted
    assert (step.colocated, step.pool) == (step.disaggregated, "all")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("decode_down", "expected NAME@TIME:DURATION"),
        ("decode_dwon@5m:60s", "expected one of decode_down"),
        ("decode_down@soon:60s", "expected NAME@TIME:DURATION"),
        ("decode_down@5m:0s", "a duration above 0 s"),
        ("slow@5m:60s=fast", "a number behind ="),
        ("slow@5m:60s=2/first", "the number of a server"),
        ("slow@5m:60s=2/1.5", "the number of a server"),
        ("slow@5m:60s/1/2", "expected NAME@TIME:DURATION"),
        ("", "expected NAME@TIME:DURATION"),
    ],
)
def test_what_is_no_fault_is_said(text: str, words: str) -> None:
    with pytest.raises(InputError, match="--fault: got") as caught:
        read_fault(text)
    assert words in str(caught.value)


def test_drills_are_found_by_name_and_time() -> None:
    (drill,) = drills_of(["router-stall@10m"], [])
    assert (drill.name, drill.begin_s) == ("router-stall", 600.0)
    assert [d.name for d in drills_of(["all"], [])] == list(shipped_drills())
    (own,) = drills_of([], ["stall@4m:5s", "gpu_down@5m:60s"])
    assert (own.begin_s, [step.after_s for step in own.steps]) == (240.0, [0.0, 60.0])
    with pytest.raises(InputError, match="each drill once"):
        drills_of(["router-stall", "all"], [])
    with pytest.raises(InputError, match="an instant, as in"):
        drills_of(["router-stall@noon"], [])


def test_a_drill_is_shown_and_written(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "drill.json"
    code, shown, err = command("drill", *QUICK, "--policies", "--json", out)
    assert (code, err) == (0, "")
    for words in (
        "server-lost · The server that writes the answers is lost for a minute",
        "trn-cs3, coding: p95 of the turns that begin in each",
        "policies side by side",
        "The load is constant",
        "Loops are closed",
    ):
        assert words in " ".join(shown.split())
    document = json.loads(out.read_text())
    assert document["schema"] == "subsecond.drill/1"
    (drill,) = document["drills"]
    assert drill["begin_s"] == 300.0
    for lane in drill["pipelines"].values():
        for kind in lane["by_agents"].values():
            fates = [sum(row.values()) for row in kind["fates"].values()]
            assert sum(fates) == sum(sum(row.values()) for row in kind["runs"][0]["fates"].values())
            assert kind["turns"][0] - kind["turns"][1] == kind["put_off"] - kind["brought_forward"]
            assert f"{kind['turns'][0]:,}" in shown
            assert len(kind["over_time"][0]["p95_ms"]) == len(kind["over_time"][1]["begin_s"])
    policies = {found["policy"]: found for found in document["policies"]}
    assert list(policies) == ["retry", "reprefill", "fallback", "fail"]
    assert policies["fallback"]["left_out"] == {"gpu": "it has nothing to fall back to"}
    for found in policies.values():
        for name, lane in found["drills"][0]["pipelines"].items():
            before = drill["pipelines"][name]["by_agents"]
            for kind, own in lane["by_agents"].items():  # no policy matters where nothing is lost
                assert own["met"][0] == before[kind]["met"][0]
                assert own["longest_turn_ms"][0] == before[kind]["longest_turn_ms"][0]
    failing = policies["fail"]["drills"][0]["pipelines"]["gpu"]["by_agents"]["voice"]
    assert failing["lost"] > 0


def test_the_same_command_gives_the_same_bytes(command: Command) -> None:
    asked = ("drill", *QUICK, "--drill", "router-stall", "--json", "-")
    assert command(*asked)[1] == command(*asked)[1] != ""


def test_a_scenarios_own_faults_are_its_drill(command: Command) -> None:
    small = ("--set", "coding.sessions=4", "--set", "voice.sessions=4", "--replicas", "1")
    code, shown, _ = command("drill", "wafer-down", *small, "--policies")
    assert code == 0
    assert "wafer-down · The faults of wafer-down" in shown
    assert "begins at 400 s" in shown
    code, shown, _ = command("drill", "wafer-down", *small, "--as-written", "--drill", "router-stall@5m")
    assert "The scenario's own faults strike in both runs." in shown
    assert "not constant" in shown


def test_the_drills_that_ship_are_listed(command: Command) -> None:
    code, shown, _ = command("drill", "--list")
    assert code == 0
    for name, drill in shipped_drills().items():
        assert name in shown
        assert drill.title in shown
    assert json.loads(command("drill", "--list", "--json", "-")[1]).keys() == shipped_drills().keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--drill", "server-lots"), "--drill: got 'server-lots', expected one of server-lost"),
        (("--replicas", "0"), "--replicas: got '0', expected a whole number from 1"),
        (("--budget", "none"), "expected one of"),
        (("--drill", "gpu-lost", "--pipelines", "trn-cs3"), "it has no servers that do prefill and decode"),
        (
            (
                "--fault",
                "gpu_down@5m:60s/7",
            ),
            "it has only one that gpu_down can strike",
        ),
        (("--fault", "slow@5m:60s"), "--fault: got 'slow@5m:60s', expected how many times slower"),
        (
            ("--fault", "stall@5m:9s", "--fault", "decode_down@5m:1m=3"),
            "--fault: got 'decode_down@5m:1m=3', expected no value for decode_down",
        ),
        (("--fault", "stall@5m"), "--fault: got 'stall@5m', expected how long the router stalls"),
        (("--drill", "server-lost@2d"), "an instant, as in server-lost@5m"),
        (("--drill", "server-lost@5s"), "a drill that begins between warm_up_s = 120"),
        (("--fault", "stall@300000:5s", "--set", "duration_s=600"), "a drill that begins between"),
        (("--json", "/nowhere/x.json"), "a file in a folder that exists"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_one_line(command: Command, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = command("drill", *QUICK, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_pictures_show_failure_and_silence_apart_from_bars() -> None:
    begins = tuple(range(0, 50 * S, 10 * S))
    calm = Strip(10 * S, begins, (1,) * 5, (S, S, S, S, S), (1.0,) * 5)
    bad = Strip(10 * S, begins, (1, 1, 1, 0, 1), (S, 8 * S, FOREVER, None, S), (1.0, 0.5, 0.0, None, 1.0))
    spell = SimpleNamespace(begin_ps=15 * S, end_ps=25 * S)
    lane = SimpleNamespace(lane="gpu", strike=SimpleNamespace(spells=(spell,)))
    found = SimpleNamespace(kind="coding", strips=(calm, bad))
    lines = [line.plain for line in picture_of(lane, found)]  # type: ignore[arg-type]  # what it reads of them
    assert [line[12:] for line in lines[1:5]] == ["▁▁▁▁▁", "▁█x ▁", "█▅▁ █", " ━━"]


def test_weeks_of_failures_are_shown_and_written(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "weeks.json"
    asked = ("--weeks", "0.05", "--mtbf", "gpu=2h,trn-cs3.decode=3h", "--mttr", "5m", "--direct", "--json", out)
    code, shown, err = command("drill", *QUICK, *asked)
    assert (code, err) == (0, "")
    words = " ".join(shown.split())
    assert "turns in budget over 0.05 weeks in which servers stop by chance" in words
    assert "nothing is published about trainium2" in words
    assert "Repair takes 5 min." in words
    assert "Minutes below a week: those in which a smaller share" in words
    document = json.loads(out.read_text())
    assert document["schema"] == "subsecond.availability/1"
    split, gpu = (document["pipelines"][name] for name in ("trn-cs3", "gpu"))
    assert [part["mtbf_h"] for part in split["parts"]] == [pytest.approx(50_677 / 8), 3.0]
    assert [part["provenance"] for part in split["parts"]] == ["not public", "assumed"]
    assert {row["pool"] for row in split["by_agents"]["voice"]["sensitivity"]} == {"prefill"}
    assert gpu["simulated_incidents"] > 0
    for kind in gpu["by_agents"].values():
        calm, struck = kind["simulated"]
        assert calm["judged"] > 0
        assert calm["span_s"] == struck["span_s"]
        assert kind["long_run"]["lost"] == pytest.approx(
            1 - kind["long_run"]["share"] / kind["without_failures"]["attainment"]
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mtbf", "gpu=5h"), "--mtbf: got 'gpu=5h', expected --weeks that it belongs to"),
        (("--direct",), "--direct: got 'given', expected --weeks"),
        (("--weeks", "0"), "--weeks: got '0.0', expected a number from 0.001"),
        (("--weeks", "nan"), "--weeks: got 'nan'"),
        (("--weeks", "1000", "--direct"), "expected a number from 0.001 to 104"),
        (("--weeks", "1", "--mtbf", "gpu=5"), "expected PART=TIME"),
        (("--weeks", "1", "--mtbf", "gpu=0h"), "expected PART=TIME"),
        (("--weeks", "1", "--mtbf", "rack=5h"), "parts are prefill, decode, gpu"),
        (("--weeks", "1", "--mtbf", "cpu.gpu=5h"), "a pipeline of trn-cs3, gpu"),
        (("--weeks", "1", "--mttr", "0s"), "a time from 1 s to a day"),
        (("--weeks", "1", "--drill", "all"), "no drill beside --weeks"),
        (("--weeks", "1", "--policies"), "--policies: got 'given', expected no --weeks beside it"),
        (("--weeks", "1", "--as-written"), "--as-written: got 'given', expected no --weeks beside it"),
        (("--weeks", "1", "--brief"), "--brief: got 'given', expected no --weeks beside it"),
    ],
)
def test_what_weeks_cannot_be_asked_is_said(command: Command, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = command("drill", *QUICK, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--weeks", "4"), "--weeks: got '4.0', expected no --list beside it"),
        (("--policies",), "--policies: got 'given', expected no --list beside it"),
        (("--drill", "all"), "--drill: got 'all', expected no --list beside it"),
        (("--replicas", "2"), "--replicas: got '2', expected no --list beside it"),
    ],
)
def test_nothing_is_asked_of_a_list(command: Command, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = command("drill", "--list", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_requests_that_come_by_themselves_are_no_closed_loop(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "trace.toml"
    path.write_text('[pipelines.gpu]\n[[traces]]\nfiles = ["sample:mooncake"]\n')
    code, shown, _ = command("drill", path, "--drill", "router-stall@1s")
    words = " ".join(shown.split())
    assert code == 0
    assert "Every request comes at a time of its own" in words
    assert "Loops are closed" not in words
    agents = '[[agents]]\nkind = "voice"\nsessions = 3\n'
    path.write_text("duration_s = 30\n" + agents + path.read_text())
    code, shown, _ = command("drill", path, "--drill", "router-stall@10s", "--as-written", "--replicas", "1")
    words = " ".join(shown.split())
    assert code == 0
    assert "Requests of request come at times of their own" in words
    assert "The other loops are closed" in words


def test_a_trace_is_drilled_as_it_is_and_once(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "trace.toml"
    path.write_text('[pipelines.gpu]\n[[traces]]\nfiles = ["sample:tracelab"]\n')
    code, shown, _ = command("drill", path, "--drill", "router-stall@30s")
    assert code == 0
    assert "1 run of" in shown
    assert "The load is what the scenario says" in " ".join(shown.split())
    assert "Loops are closed" in " ".join(shown.split())
    assert command("drill", path, "--drill", "router-stall@30s", "--replicas", "1")[1] == shown
    code, _, err = command("drill", path, "--replicas", "3")
    assert code == 2
    assert "--replicas: got '3', expected 1 or nothing: a trace is the same whatever the seed" in err
    code, _, err = command("drill", path, "--drill", "router-stall@1h")
    assert code == 2
    assert "router-stall: got '3600 s', expected a drill that begins before all is over, at 1" in err
    code, _, err = command("drill", path, "--weeks", "1")
    assert code == 2
    assert "sessions of a trace cannot be kept at work" in err


def test_a_row_for_each_drill(command: Command) -> None:
    code, shown, _ = command("drill", *QUICK, "--drill", "router-stall", "--drill", "link-quarter", "--brief")
    assert code == 0
    rows = [line.split() for line in shown.splitlines()]
    names = [row for row in rows if "trn-cs3" in row or "gpu" in row]
    assert len([row for row in names if "->" in row]) == 6  # two kinds; the stall strikes both lanes, the link one
    assert "p95 of the turns" not in shown
    assert "left alone" not in shown


def test_a_budget_out_of_reach_is_told(command: Command) -> None:
    never = ("--set", "budgets.never.agents=voice", "--set", "budgets.never.turn_ms=1", "--budget", "never")
    code, shown, _ = command("drill", *QUICK, *never)
    assert code == 0
    assert "voice: hardly a turn keeps never even without the fault, so that it shows little" in " ".join(shown.split())

"""Room beside a live run: the same answer as the capacity search, by a process that never outlives who asks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest

from subsecond.agents.study import room
from subsecond.agents.study.capacity import CapacityStudy, Question, capacity_study
from subsecond.agents.study.points import Base
from subsecond.agents.study.room import MOST_SESSIONS, answer_of
from subsecond.agents.study.room_messages import RoomAnswer, RoomQuestion
from subsecond.engine.scenario import load_tables

#: Small, so that a search takes a fraction of a second.
TABLES = {
    "model": "gpt-oss-120b",
    "pipelines": {"gpu": {}},
    "agents": [
        {"kind": "coding", "sessions": 3, "arrival_rate_per_s": 0.1},
        {"kind": "voice", "sessions": 5, "parameters": {}},
    ],
    "budgets": {"short": {"agents": "coding", "turn_ms": 900.0, "percentile": 80.0}},
    "faults": [{"kind": "server_down", "at_s": 1.0}],
    "duration_s": 9.0,
    "turns": 7,
}


def question(**changes: object) -> RoomQuestion:
    base = RoomQuestion("small", TABLES, "coding", {"coding": 2, "voice": 1})
    return msgspec.structs.replace(base, **changes)


def test_it_is_the_capacity_at_the_present_load_with_nothing_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def study(base: Base, question: Question, **_: object) -> CapacityStudy:
        asked.append((base.tables, question.kind, question.others))
        return capacity_study(base, replace(question, replicas=1), threads=1)

    monkeypatch.setattr(room, "capacity_study", study)
    found = answer_of(question())
    assert asked == [
        (
            {
                "model": "gpt-oss-120b",
                "pipelines": {"gpu": {}},
                "agents": [{"kind": "coding", "sessions": 2}, {"kind": "voice", "sessions": 1, "parameters": {}}],
                "budgets": TABLES["budgets"],
            },
            "coding",
            "held",
        )
    ]
    (lane,) = found.lanes
    assert (found.error, found.budget, found.percentile, lane.lane) == ("", "short", 80.0, "gpu")
    assert not lane.is_least


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tables": {}}, "agents"),
        ({"tables": {**TABLES, "traces": [{"files": ["/etc/passwd"]}]}}, "trace"),
        ({"tables": {**TABLES, "agents": "all of them"}}, "agents"),
        ({"tables": {**TABLES, "agents": [{"kind": "robots", "sessions": 1}]}}, "[[agents]]"),
        ({"tables": {**TABLES, "agents": [*TABLES["agents"], TABLES["agents"][0]]}}, "one [[agents]] table"),
        ({"tables": {**TABLES, "pipelines": {"abacus": {}}}}, "abacus"),
        ({"tables": {**TABLES, "budgets": {"coding": ["no-such"]}}}, "no-such"),
        ({"tables": {**TABLES, "budgets": "none"}}, "budgets"),
        ({"kind": "robots"}, "robots"),
        ({"sessions": {"coding": MOST_SESSIONS + 1}}, "sessions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_searched_says_why(changes: dict[str, object], words: str) -> None:
    found = answer_of(question(**changes))
    assert found.lanes == ()
    assert words in found.error


def test_kinds_that_are_not_at_work_have_no_budget_that_counts() -> None:
    budgets = {"coding": ["agent-step"], "voice": ["voice-sub-second"]}
    found = answer_of(question(tables={**TABLES, "budgets": budgets}, sessions={"coding": 1, "voice": 0}))
    assert (found.error, found.budget) == ("", "agent-step")


def test_the_question_stays_as_it_was() -> None:
    asked = question(tables={"agents": [{"kind": "coding", "sessions": 9}], "turns": 3})
    answer_of(asked)
    assert asked.tables == {"agents": [{"kind": "coding", "sessions": 9}], "turns": 3}


def test_the_process_answers_line_by_line_at_the_lowest_priority_and_ends_with_its_input() -> None:
    tables, _ = load_tables("playground")
    unknown = RoomQuestion("a", tables, "robots", {"coding": 1, "voice": 1})
    with subprocess.Popen(
        [sys.executable, "-m", "subsecond.agents.study.room"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(msgspec.json.encode(unknown) + b"\n")
            process.stdin.flush()
            answer = msgspec.json.decode(process.stdout.readline(), type=RoomAnswer)
            assert "robots" in answer.error
        with open(f"/proc/{process.pid}/stat") as stat:
            assert stat.read().rpartition(")")[2].split()[16] == "19"
        long = RoomQuestion("a", tables, "coding", {"coding": 500, "voice": 500})
        process.stdin.write(msgspec.json.encode(long) + b"\n")
        process.stdin.close()  # in the middle of a search
        assert process.wait(30) == 0

"""What a service records: a file for every run, what is written down, and what can run again."""

from __future__ import annotations

from pathlib import Path

from support.live_service import ask, connect, served, until

from subsecond.agents.rerun import Changes, rerun
from subsecond.engine.commands import (
    Annotate,
    InjectFault,
    SetKnob,
    SetLoad,
    SetSpeed,
)
from subsecond.engine.feed import (
    Annotation,
    Gauges,
    Hello,
    Notice,
    TurnEnd,
)
from subsecond.engine.recording.reader import Recording


def test_every_run_of_a_service_that_records_has_a_file_of_its_own(tmp_path: Path) -> None:
    async def test(url: str) -> None:
        async with connect(url) as socket:
            first = await until(socket, Hello)
            await until(socket, TurnEnd)
            await ask(socket, SetKnob("gpu", "network_ms", 9.0))
            second = await until(socket, Hello)
            await until(socket, TurnEnd)
            assert [Path(hello.recording).name for hello in (first, second)] == ["a.subsecond", "a-2.subsecond"]

    served(test, record=tmp_path / "a.subsecond")
    for name in ("a.subsecond", "a-2.subsecond"):
        with Recording.open(tmp_path / name) as recording:
            assert recording.metadata().is_finished
            assert recording.num_turns > 0


def test_what_is_written_down_reaches_everybody_and_the_recording(tmp_path: Path) -> None:
    past = Annotation(30 * 10**12, "cut off here: \u200b\x1b[31m")
    told: list[Annotation] = []

    async def test(url: str) -> None:
        async with connect(url) as one, connect(url) as other:
            await ask(one, Annotate("  cut off\nhere: \u200b\x1b[31m ", past.at_ps))
            assert await until(other, Annotation) == past
            await ask(other, Annotate("now"))
            told.append(await until(one, Annotation, lambda note: note.text == "now"))
            async with connect(url) as late:
                assert [await until(late, Annotation) for _ in range(2)] == [past, *told]

    served(test, record=tmp_path / "a.subsecond")
    assert told[0].at_ps > 60 * 10**12
    with Recording.open(tmp_path / "a.subsecond") as recording:
        assert recording.annotations() == [past, *told]


def test_what_a_service_has_recorded_runs_again(tmp_path: Path) -> None:
    """With a load that somebody set and a knob that somebody turned, under a clock that nobody steps."""

    async def test(url: str) -> None:
        async with connect(url) as socket:
            await until(socket, TurnEnd)
            await ask(socket, SetLoad("coding", sessions=30))
            await ask(socket, SetKnob("gpu", "utilisation_factor", 0.5))
            await ask(socket, InjectFault("gpu_down", "gpu", 0, None, 5.0))
            await ask(socket, SetSpeed(50.0))
            await until(socket, Gauges, lambda gauges: gauges.at_ps > 150 * 10**12)

    served(test, record=tmp_path / "a.subsecond")
    with Recording.open(tmp_path / "a.subsecond") as recording:
        again = rerun(recording, Changes())
        assert again.remarks == ()
        for lane, table in enumerate(again.tables):
            latency = dict(zip(table[1].tolist(), table[8].tolist(), strict=True))
            was = recording.turns(lane)
            assert len(was) > 30
            assert {turn: latency[turn] for turn in was.turn.tolist()} == dict(
                zip(was.turn.tolist(), was.latency_ps.tolist(), strict=True)
            )


def test_why_a_run_is_not_recorded_is_told_to_observers_and_to_who_started_it(tmp_path: Path) -> None:
    told: list[str] = []

    async def test(url: str) -> None:
        async with connect(url) as socket:
            notice = await until(socket, Notice, lambda n: n.level == "error")
            assert told == [notice.text]
            assert "not recorded" in notice.text

    served(test, record=tmp_path / "nowhere" / "run.subsecond", on_trouble=told.append)

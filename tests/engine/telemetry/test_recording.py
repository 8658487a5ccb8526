"""Recordings of what was told over a broker: as good as one made beside the engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.feeds import playground

from subsecond.engine.errors import InputError
from subsecond.engine.feed import Clock, FaultNote, Gauges, Load, Message, Notice, TurnEnd, encode
from subsecond.engine.recording.reader import Recording
from subsecond.engine.telemetry.recording import FleetRecorder
from subsecond.engine.telemetry.topics import KnobTurned

NUMBERED = TurnEnd | Notice | FaultNote


class Recorders:
    """An ear whose events a recorder takes, too."""

    def __init__(self, kit: SimpleNamespace, broker: object, out: Path, *, only: str | None = None) -> None:
        self.said: list[str] = []
        self.recorder = FleetRecorder(out, only=only, say=self.said.append)
        self.ear = kit.Ear(broker, only=only, past_batches=None, also=self.recorder.take)

    async def until_turns(self, turns: int) -> None:
        await self.ear.until(lambda: self.recorder.turns >= turns, f"{turns} turns")

    async def close(self) -> None:
        await self.ear.close()
        self.recorder.close()


def turns_in(path: Path) -> list[int]:
    with Recording.open(path) as recording:
        return [m.turn for m in recording.messages() if isinstance(m, TurnEnd)]


def sorted_of(kind: type, messages: list[Message]) -> list[bytes]:
    return sorted(encode(one) for one in messages if isinstance(one, kind))


def test_everything_is_in_the_file(mqtt: SimpleNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        voice = mqtt.Voice(mqtt.broker)
        told = [one for one in playground()[1:] if isinstance(one, NUMBERED)]
        latest = {type(one): one for one in playground() if isinstance(one, Clock | Load | Gauges)}
        told += [FaultNote(10**12, 0, "slow", 0, 2.0, None), Notice("info", "read me", at_ps=2 * 10**12)]
        voice.put([*told, KnobTurned(3 * 10**12, "gpu", "network_ms", 7.0), *latest.values()])
        recorders = Recorders(mqtt, mqtt.broker, tmp_path / "a.subsecond")
        await recorders.until_turns(sum(isinstance(one, TurnEnd) for one in told))
        await recorders.ear.until(
            lambda: all(recorders.ear.all(kind) for kind in (Clock, Load, Gauges, FaultNote, Notice, KnobTurned)), "all"
        )
        await voice.close()
        await recorders.close()
        with Recording.open(tmp_path / "a.subsecond") as recording:
            found = list(recording.messages())
            assert recording.hello().run == "run-1"
            assert recording.metadata().tables == {"name": "playground"}
        for kind in (TurnEnd, FaultNote, Notice):
            assert sorted_of(kind, found) == sorted_of(kind, told)
        for kind, one in latest.items():
            assert one in found, kind

    asyncio.run(run())


def test_a_broker_that_is_killed_costs_no_turn_and_doubles_none(mqtt: SimpleNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        voice, recorders = mqtt.Voice(mqtt.broker), Recorders(mqtt, mqtt.broker, tmp_path / "a.subsecond")
        for kill in range(3):
            voice.say(2000)
            await recorders.until_turns(kill * 2000 + 1)
            mqtt.mosquitto.kill()
            mqtt.mosquitto.start()
        await recorders.until_turns(6000)
        await voice.close()
        await recorders.close()
        assert turns_in(tmp_path / "a.subsecond") == list(range(6000))

    asyncio.run(run())


def test_each_run_has_its_file(mqtt: SimpleNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        folder = tmp_path / "out"
        folder.mkdir()
        voices = [mqtt.Voice(mqtt.broker, name) for name in ("aaa", "bbb")]
        everything = Recorders(mqtt, mqtt.broker, folder)
        one = Recorders(mqtt, mqtt.broker, tmp_path / "one.subsecond", only="bbb")
        for turns, voice in enumerate(voices, start=3):
            voice.say(turns)
        await everything.until_turns(7)
        await one.until_turns(4)
        for each in (*voices, everything, one):
            await each.close()
        assert turns_in(folder / "playground-aaa.subsecond") == [0, 1, 2]
        assert turns_in(folder / "playground-bbb.subsecond") == [0, 1, 2, 3]
        assert turns_in(tmp_path / "one.subsecond") == [0, 1, 2, 3]
        assert len(everything.said) == 2

    asyncio.run(run())


def test_runs_that_were_over_before_are_left_alone(mqtt: SimpleNamespace, tmp_path: Path) -> None:
    async def run() -> None:
        first = mqtt.Voice(mqtt.broker, "first")
        first.say(2)
        await first.until_delivered()
        await first.close()
        second, recorders = mqtt.Voice(mqtt.broker, "second"), Recorders(mqtt, mqtt.broker, tmp_path / "a.subsecond")
        second.say(3)
        await recorders.until_turns(3)
        await second.close()
        await recorders.close()
        assert [path.name for path in recorders.recorder.files] == ["a.subsecond"]
        assert turns_in(tmp_path / "a.subsecond") == [0, 1, 2]

    asyncio.run(run())


def test_places_where_nothing_can_be_written_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "none" / "a.subsecond", tmp_path / "file"):
        with pytest.raises(InputError, match="--out"):
            FleetRecorder(out, only=None, say=print)

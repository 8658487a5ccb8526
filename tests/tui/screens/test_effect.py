"""What an event did, on the pipelines screen and in the race, at three sizes."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.pilot import Pilot

from subsecond.engine.feed import FaultNote, Hello, Notice, TurnEnd
from subsecond.tui.app import SubsecondApp
from subsecond.tui.screens.effect_panel import EffectPanel
from subsecond.tui.screens.panel import Panel
from subsecond.tui.widgets.chart import LineChart

SIZES = ((80, 24), (120, 40), (200, 60))
S = 10**12
MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)
DOWN = FaultNote(30 * S, 0, "decode_down", 0, None, 40 * S)
NOTHING = "No fault, no drill, no parameter turned since this dashboard watches."
TURNED = Notice("info", "gpu: network_ms is 9.0 from now on", at_ps=45 * S)


def title(app: SubsecondApp) -> str:
    """The event that is looked at; empty: none is."""
    panel = app.screen.query_one(EffectPanel)
    return str(panel.query_one("#effect", Panel).border_title) if panel.display else ""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_last_event_is_shown_by_itself(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        text = kit.text_of(app)
        lines = text.splitlines()
        assert len(lines) <= size[1]
        assert max(map(len, lines)) <= size[0]
        kit.check_golden(f"effect-{size[0]}x{size[1]}", text)
        app.clear_notifications()
        await kit.press(app, pilot, "O")
        kit.check_golden(f"effect-first-{size[0]}x{size[1]}", kit.text_of(app))
        await kit.press(app, pilot, "1")
        kit.check_golden(f"effect-race-{size[0]}x{size[1]}", kit.text_of(app))

    kit.run(body, [*MESSAGES, DOWN, TURNED], size=size)


def test_o_goes_from_one_event_to_the_one_before_and_to_none(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        seen = [title(app)]
        for _ in range(3):
            await kit.press(app, pilot, "o")
            seen.append(title(app))
        last, cut = "Since 0:45.0: gpu.network_ms is 9 ms", "(on gpu to 0:45.0, the next event)"
        assert seen == [last, f"Since 0:30.0 {cut}: decode 0 down on trn-cs3", "", last]

    kit.run(body, [*MESSAGES, DOWN, TURNED])


def test_keys_say_why_they_do_nothing(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "o", "O")
        assert [n.message for n in app._notifications] == [NOTHING] * 2
        assert not app.screen.query_one(EffectPanel).display

    kit.run(body)

    async def frozen(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "f", "o")
        assert title(app)
        assert any("stands still" in n.message for n in app._notifications)

    kit.run(frozen, [*MESSAGES, DOWN])


def test_lanes_that_an_event_leaves_alone_are_told_apart(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        lines = kit.text_of(app).splitlines()
        struck = [line for line in lines if line.startswith(("A trn-cs3 ", "B gpu "))]
        assert ["not struck" in line for line in struck] == [False, True, False, True]

    kit.run(body, [*MESSAGES, DOWN])


def test_the_help_says_what_is_paired_and_what_is_not(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        app.screen.query_one("#effect", Panel).focus()
        await kit.press(app, pilot, "question_mark")
        assert "after, not with and without" in kit.text_of(app)

    kit.run(body, [*MESSAGES, DOWN], size=(200, 60))


def test_a_cold_start_is_said_and_nothing_is_marked(kit: SimpleNamespace) -> None:
    anew = msgspec.structs.replace(HELLO, run="again")
    notice = Notice("info", "gpu: network_ms is 9.0; the run starts anew")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        text = kit.text_of(app)
        assert "since a cold start, against the last" in text
        (struck, *_) = [line for line in text.splitlines() if line.startswith("B gpu ") and "cold start" in line]
        assert "!" not in struck

    slow = [msgspec.structs.replace(m, latency_ps=60 * S) if isinstance(m, TurnEnd) else m for m in MESSAGES[1:]]
    kit.run(body, [*MESSAGES, anew, notice, *slow], size=(120, 40))


def test_the_race_marks_what_happened_in_the_time_it_shows(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for event in ("0:30.0 decode 0 down", "", "0:45.0 gpu.network_ms", "0:30.0 decode 0 down"):
            await kit.press(app, pilot, "o")
            head = str(app.screen.query_one("#chart", LineChart).border_title)
            assert (event or "0:45.0 gpu.network_ms") in head
            chart = app.screen.query_one("#chart", LineChart)
            rows = chart.draw(80, 12)
            assert rows is not None
            assert max("".join(text for text, _ in line).count("│") for line in rows) == 2

    kit.run(body, [*MESSAGES, DOWN, TURNED])

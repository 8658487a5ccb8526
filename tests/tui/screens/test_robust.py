"""What must never end the dashboard: no data, wrong data, no service, too little room, several runs."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import live, playground
from support.outside_agents import outside_agents
from textual.pilot import Pilot

from subsecond.engine.feed import Gauges, Hello, Notice, TurnEnd, decode_message, encode
from subsecond.tui.app import SubsecondApp
from subsecond.tui.source import Gone, Refused

MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)
EVERY_SCREEN = ("1", "2", "3", "4", "5", "7", "8")
SIZES = ((80, 24), (120, 40), (200, 60))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("messages", [[], [HELLO]], ids=["nothing", "hello"])
def test_without_turns_every_screen_says_what_it_waits_for(
    kit: SimpleNamespace, messages: list[object], size: tuple[int, int]
) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for key in (*EVERY_SCREEN, "6", "k", "space", "f", "f", "l", "escape", "4", "x", "escape", "enter", "escape"):
            await kit.press(app, pilot, key)
            words = kit.text_of(app).lower()
            assert any(
                word in words for word in ("waiting", "no ", "begins", "nothing", "show", "parameter", "at work")
            )
        await kit.press(app, pilot, "1")
        assert ("waiting for the service" in kit.text_of(app)) == (not messages)

    kit.run(body, messages, size)


def test_what_keeps_a_service_from_being_ready_is_said_until_it_is(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "Compiling the core: about half a minute" in " ".join(kit.text_of(app).split())
        app.travel.home.take(HELLO)
        await kit.settle(app, pilot)
        assert "Compiling" not in kit.text_of(app)

    kit.run(body, [], waiting="compiling the core: about half a minute")


def test_gauges_alone_show_what_is_under_way(kit: SimpleNamespace) -> None:
    gauges = next(m for m in reversed(MESSAGES) if isinstance(m, Gauges) and m.lane == 0)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "the first ones are under way" in kit.text_of(app)
        assert "voice 1247" in " ".join(kit.text_of(app).split())

    kit.run(body, [HELLO, gauges])


def test_a_service_that_goes_is_said_and_one_that_comes_back_is_watched(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "NO SERVICE" in kit.text_of(app)
        assert "Restart service" not in kit.keys_of(app)
        for key in EVERY_SCREEN:
            await kit.press(app, pilot, key)
            assert "NO SERVICE" in kit.text_of(app)
        app.travel.home.take(HELLO)
        await kit.settle(app, pilot)
        assert "NO SERVICE" not in kit.text_of(app)

    kit.run(body, [*MESSAGES, Gone("nobody answers at ws://127.0.0.1:1/v1/observe (Connection refused)")])


def test_a_service_that_has_gone_can_be_started_again(kit: SimpleNamespace) -> None:
    restarted = []

    async def restart() -> None:
        restarted.append(True)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "Restart service" in kit.keys_of(app)
        assert "NO SERVICE, R starts it again: the service has ended" in kit.text_of(app)
        await kit.press(app, pilot, "R")

    kit.run(body, [*MESSAGES, Gone("the service has ended")], restart=restart)
    assert restarted == [True]


def test_commands_without_a_service_say_so(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        async def nobody(_command: object) -> bool:
            return False

        app.source.send = nobody  # type: ignore[method-assign]  # a service that has gone
        await kit.press(app, pilot, "space")
        assert any("no service" in n.message for n in app._notifications)

    kit.run(body)


def test_wrong_messages_are_counted_and_harm_nothing(kit: SimpleNamespace) -> None:
    turn = next(m for m in MESSAGES if isinstance(m, TurnEnd))
    gauges = next(m for m in MESSAGES if isinstance(m, Gauges))
    wrong = [
        Refused("JSON is malformed: invalid character (byte 0)"),
        msgspec.structs.replace(turn, lane=7),
        msgspec.structs.replace(turn, agent=-1),
        msgspec.structs.replace(turn, stages_ps=()),
        msgspec.structs.replace(gauges, servers=()),
        msgspec.structs.replace(gauges, lane=-1),
    ]

    async def right(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        pictures.append(kit.text_of(app))

    async def disturbed(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert f"{len(wrong)} messages not understood" in text
        pictures.append(text)

    pictures: list[str] = []
    kit.run(right)
    kit.run(disturbed, [*MESSAGES, *wrong])
    assert pictures[0].splitlines()[1:10] == pictures[1].splitlines()[1:10]


def test_messages_before_the_first_one_are_refused(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        assert "1 message not understood" in kit.text_of(app)

    kit.run(body, [MESSAGES[1], *MESSAGES])


def test_notices_are_shown_as_they_are_written(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        assert [n.message for n in app._notifications] == ["[b]not[/markup"]

    kit.run(body, [*MESSAGES, Notice("warning", "[b]not[/markup")])


@pytest.mark.parametrize("size", [(59, 24), (80, 15), (20, 5), (1, 1)], ids=str)
def test_too_small_a_terminal_says_what_is_needed(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert "Budgets" not in text
        if size[0] > 30:
            assert "needs 60x16" in text
            assert f"{size[0]}x{size[1]}" in text
        for key in EVERY_SCREEN:
            await kit.press(app, pilot, key)
        await pilot.resize_terminal(120, 40)
        await kit.press(app, pilot, "1")
        assert "Budgets kept" in kit.text_of(app)

    kit.run(body, size=size)


@pytest.mark.parametrize("key", EVERY_SCREEN)
def test_after_many_sizes_a_screen_is_as_if_it_had_been_opened_at_the_last(kit: SimpleNamespace, key: str) -> None:
    pictures = []

    async def straight(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, key)
        pictures.append(kit.text_of(app))

    async def around(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, key)
        for width, height in ((80, 24), (200, 60), (50, 10), (100, 30), (61, 17), (160, 50), (120, 40)):
            await pilot.resize_terminal(width, height)
            app.draw()
            await kit.settle(app, pilot)
        pictures.append(kit.text_of(app))

    kit.run(straight)
    kit.run(around)
    assert pictures[0] == pictures[1]


def test_many_frames_leave_the_same_picture_as_one(kit: SimpleNamespace) -> None:
    pictures = []

    async def in_one(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        pictures.append(kit.text_of(app))

    async def in_many(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for i, message in enumerate(MESSAGES[1:]):
            app.travel.home.take(message)
            if i % 20 == 0:
                await kit.settle(app, pilot)
        await kit.settle(app, pilot)
        pictures.append(kit.text_of(app))

    kit.run(in_one)
    kit.run(in_many, [HELLO])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_five_pipelines_fit(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    names = ("trn-cs3", "gpu", "gpu-b200", "gpu-disagg", "cs3-alone")
    messages = live(20, settings=tuple(f"pipelines.{name}.router_ms=10" for name in names))

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert " ahead of " in text
        for name in names:
            assert name in text
        for key in EVERY_SCREEN:
            await kit.press(app, pilot, key)

    kit.run(body, messages, size)


def test_one_pipeline_alone(kit: SimpleNamespace) -> None:
    hello = msgspec.structs.replace(HELLO, lanes=HELLO.lanes[1:])
    messages = [
        msgspec.structs.replace(m, lane=0) if isinstance(m, TurnEnd | Gauges) else m
        for m in MESSAGES[1:]
        if not (isinstance(m, TurnEnd | Gauges) and m.lane == 0)
    ]

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "gpu misses the budgets" in kit.text_of(app)
        for key in EVERY_SCREEN:
            await kit.press(app, pilot, key)

    kit.run(body, [hello, *messages])


def test_a_new_run_takes_the_place_of_the_old_one_on_every_screen(kit: SimpleNamespace) -> None:
    other = msgspec.structs.replace(HELLO, run="another", agents=("coding",), lanes=HELLO.lanes[:1], budgets=())

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for key in (*EVERY_SCREEN, "k", "3", "enter"):
            await kit.press(app, pilot, key)
        app.travel.home.take(other)
        await kit.settle(app, pilot)
        for key in (*EVERY_SCREEN, "k"):
            await kit.press(app, pilot, key)
        await kit.press(app, pilot, "1")
        assert "gpu" not in kit.text_of(app)

    kit.run(body)


def test_without_colour_what_is_late_has_a_sign(kit: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def body(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        text = kit.text_of(app)
        assert "90 % ! missed" in text
        assert " s !" in text

    kit.run(body)


@pytest.mark.parametrize("seed", range(3))
def test_messages_with_any_numbers_end_no_screen(kit: SimpleNamespace, seed: int) -> None:
    random = Random(seed)
    wild = (0, 1, -1, 2, 63, 1 << 31, -(1 << 31), 10**12, 10**18, -(10**18), 1 << 63, 1 << 70)

    def shaken(value: object) -> object:
        """The value with one number somewhere in it changed."""
        if isinstance(value, bool | str) or value is None:
            return value
        if isinstance(value, int | float):
            return type(value)(random.choice(wild))
        if isinstance(value, tuple):
            place = random.randrange(len(value)) if value else 0
            return tuple(shaken(one) if i == place else one for i, one in enumerate(value))
        name = random.choice(value.__struct_fields__)
        return msgspec.structs.replace(value, **{name: shaken(getattr(value, name))})

    messages = [shaken(random.choice((*MESSAGES[1:], *(8 * outside_agents())))) for _ in range(1500)]

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for i, message in enumerate(messages):
            app.travel.home.take(decode_message(encode(message)) if not _is_beyond(message) else message)
            if i % 100 == 0:
                await kit.press(app, pilot, EVERY_SCREEN[i // 100 % len(EVERY_SCREEN)])
        for key in (*EVERY_SCREEN, "k", "1", "l", "escape", "4", "enter", "escape", "m", "escape", "4", "x", "escape"):
            await kit.press(app, pilot, key)
        for key in ("3", "enter", "enter", "6", "7", "c", "h", "enter", "enter"):
            await kit.press(app, pilot, key)

    kit.run(body, [HELLO, *MESSAGES[1:200]])


def _is_beyond(message: object) -> bool:
    """Whether a message holds a number that JSON of this library does not carry."""
    try:
        encode(message)  # type: ignore[arg-type]  # a message
    except OverflowError:
        return True
    return False

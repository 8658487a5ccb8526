"""Turning a parameter: by slider, by choice, by typing, by name; what it does is said before it is done."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import playground
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from subsecond.engine.commands import SetKnob
from subsecond.engine.feed import Hello, Notice
from subsecond.tui.app import SubsecondApp
from subsecond.tui.screens.base import View
from subsecond.tui.screens.knob_dialog import KnobDialog
from subsecond.tui.screens.parameter_palette import ParameterCommands, ParameterPalette
from subsecond.tui.widgets.slider import Slider
from subsecond.tui.widgets.table import LiveTable

MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)
KEYS = [parameter.key for parameter in HELLO.lanes[0].parameters]


async def open_knob(kit: SimpleNamespace, app: SubsecondApp, pilot: Pilot[None], key: str, lane: int = 0) -> None:
    """Open the dialog of a parameter."""
    await kit.press(app, pilot, "4", *["p"] * lane)
    table = app.screen.query_one("#parameters", LiveTable)
    assert table.move_cursor(key)
    table.focus()
    await kit.press(app, pilot, "enter")
    assert isinstance(app.screen, KnobDialog)


def words(kit: SimpleNamespace, app: SubsecondApp) -> str:
    """The text of the dialog in one line."""
    lines = kit.text_of(app).splitlines()
    return " ".join(" ".join(line.split("│", 1)[1].rsplit("│", 1)[0] for line in lines if line.count("│") > 1).split())


def typed(text: str) -> list[str]:
    return ["full_stop" if letter == "." else letter for letter in text]


def test_the_slider_sets_a_number_and_says_what_that_does(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "network_ms")
        assert isinstance(app.focused, Slider)
        assert "This is the value now." in words(kit, app)
        await kit.press(app, pilot, "right", "right")
        assert "It starts the run anew." in words(kit, app)
        assert app.screen.query_one(Input).value == "8"
        await kit.press(app, pilot, "enter")
        assert isinstance(app.screen, View)

    assert kit.run(body).sent == [SetKnob("trn-cs3", "network_ms", 8.0)]


def test_a_change_of_step_times_is_said_to_act_at_once(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "prefill_utilisation_factor")
        await kit.press(app, pilot, "left")
        assert "The run goes on with it at once." in words(kit, app)

    kit.run(body)


def test_what_cannot_be_is_said_and_not_sent(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "tensor_parallel", lane=1)
        await kit.press(app, pilot, "3")
        assert "Not possible: a divisor of gpus = 8 is expected." in words(kit, app)
        await kit.press(app, pilot, "enter")
        assert isinstance(app.screen, KnobDialog)
        assert app._notifications

    assert kit.run(body).sent == []


@pytest.mark.parametrize(
    ("key", "keys", "value"),
    [
        ("network_ms", typed("12.5"), 12.5),
        ("network_ms", ["tab", "ctrl+u", *typed("7")], 7.0),
        ("kv_dtype", typed("fp8"), "fp8"),
        ("kv_dtype", ["down", "down"], "fp8"),
        ("overlap", ["up"], False),
        ("kv_return", ["down"], True),
        ("kv_return", typed("true"), True),
    ],
)
def test_values_are_typed_or_chosen(kit: SimpleNamespace, key: str, keys: list[str], value: object) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, key)
        await kit.press(app, pilot, *keys, "enter")
        assert isinstance(app.screen, View)

    sent = kit.run(body).sent
    assert sent == [SetKnob("trn-cs3", key, value)]
    assert type(sent[0].value) is type(value)


def test_the_value_now_is_not_sent_again(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for key in ("network_ms", "kv_dtype", "overlap"):
            await open_knob(kit, app, pilot, key)
            await kit.press(app, pilot, "enter")
            assert isinstance(app.screen, View)

    assert kit.run(body).sent == []


def test_keys_that_come_faster_than_the_focus_moves_are_all_typed(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "network_ms")
        for figure in "125":
            app.post_message(Key(figure, figure))
        await kit.settle(app, pilot)
        assert app.screen.query_one(Input).value == "125"

    kit.run(body, [HELLO])


def test_a_number_that_is_typed_moves_the_slider(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "network_ms")
        await kit.press(app, pilot, "4", "2")
        assert app.screen.query_one(Slider).value == 42.0
        await kit.press(app, pilot, "ctrl+u", "-")
        assert "Not possible" in words(kit, app)

    kit.run(body)


def changed(key: str, value: str) -> list[object]:
    """The recorded minute of a run in which one parameter of the first lane was set."""
    lane = HELLO.lanes[0]
    parameters = tuple(
        msgspec.structs.replace(p, value=value, source="set by the user") if p.key == key else p
        for p in lane.parameters
    )
    lanes = (msgspec.structs.replace(lane, parameters=parameters), *HELLO.lanes[1:])
    return [msgspec.structs.replace(HELLO, lanes=lanes), *MESSAGES[1:]]


@pytest.mark.parametrize(
    ("key", "value", "default"), [("network_ms", "9 ms", 5.0), ("kv_dtype", "fp8", "bf16"), ("overlap", "0", True)]
)
def test_d_goes_back_to_the_default(kit: SimpleNamespace, key: str, value: str, default: object) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, key)
        assert "Default" in words(kit, app)
        await kit.press(app, pilot, "d", "enter")

    assert kit.run(body, changed(key, value)).sent == [SetKnob("trn-cs3", key, default)]


def test_a_value_that_is_not_the_catalogs_has_a_sign_in_the_table(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4")
        assert "≠ 9 ms" in kit.text_of(app)
        assert "set by the user; default 5 ms" in kit.text_of(app)
        assert kit.text_of(app).count("≠") == 1

    kit.run(body, changed("network_ms", "9 ms"))


def test_a_change_in_flight_shows_in_the_table_and_in_the_dialog(kit: SimpleNamespace) -> None:
    notice = Notice("info", "trn-cs3: prefill_utilisation_factor is 0.5 from now on")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "slash", *"utilisation", "enter")
        assert "≠ 0.5 ratio" in kit.text_of(app)
        await kit.press(app, pilot, "enter")
        text = words(kit, app)
        assert "Now 0.5 ratio" in text
        assert "Default 1 ratio" in text

    kit.run(body, [*MESSAGES, notice])


def test_the_source_is_shown_in_full(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for parameter in HELLO.lanes[0].parameters:
            await open_knob(kit, app, pilot, parameter.key)
            assert " ".join(parameter.source.split()) in words(kit, app)
            assert app.screen.query(Slider) or app.screen.query(OptionList)
            await kit.press(app, pilot, "escape")

    kit.run(body, [HELLO], size=(80, 24))


def test_a_pipeline_that_the_catalog_does_not_know_can_only_be_typed(kit: SimpleNamespace) -> None:
    lane = msgspec.structs.replace(HELLO.lanes[0], label="Abacus")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "network_ms")
        assert not app.screen.query(Slider)
        assert "if it changes step times alone" in words(kit, app).lower()
        await kit.press(app, pilot, "tab", "d", "ctrl+u", "9", "enter")

    assert kit.run(body, [msgspec.structs.replace(HELLO, lanes=(lane,))]).sent == [
        SetKnob("trn-cs3", "network_ms", 9.0)
    ]


def test_the_filter_narrows_the_parameters_and_escape_drops_it(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "4", "slash", *"wafers", "enter")
        table = app.screen.query_one("#parameters", LiveTable)
        assert [row.key for row in table.shown] == ["decode_wafers", "decode_kv_wafers", "ingest_wafers"]
        assert table.has_focus
        await kit.press(app, pilot, "escape")
        assert len(table.shown) == len(KEYS)
        await kit.press(app, pilot, "escape")
        assert kit.text_of(app).startswith(" subsecond > Race")

    kit.run(body)


def test_a_parameter_is_found_in_the_palette_by_its_name(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        commands = {command.title: command.callback for command in app.get_system_commands(app.screen)}
        commands["Set parameter…"]()
        await pilot.pause()
        assert isinstance(app.screen, ParameterPalette)
        await pilot.press("escape")
        await pilot.pause()
        provider = ParameterCommands(app.screen)
        offered = [hit.text async for hit in provider.discover()]
        assert len(offered) == sum(len(lane.parameters) for lane in HELLO.lanes)
        hits = [hit async for hit in provider.search("gpu.network_ms")]
        max(hits, key=lambda hit: hit.score).command()
        await kit.settle(app, pilot)
        assert isinstance(app.screen, KnobDialog)
        assert "gpu.network_ms" in kit.text_of(app)

    kit.run(body)


def test_help_in_a_dialog_is_about_the_dialog(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await open_knob(kit, app, pilot, "network_ms")
        await kit.press(app, pilot, "question_mark")
        text = words(kit, app)
        assert "A parameter of a pipeline" in text
        assert "The slider in focus" in text
        await kit.press(app, pilot, "escape")
        assert isinstance(app.screen, KnobDialog)

    kit.run(body)

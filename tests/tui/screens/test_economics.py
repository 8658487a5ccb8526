"""The economics screen: prices of one's own, ways of hire, sources, and what it says where nothing is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from support.feeds import live, playground
from textual.pilot import Pilot
from textual.widgets import Input, Static

from subsecond.engine.feed import Hello
from subsecond.tui.app import SubsecondApp
from subsecond.tui.commands import commands_of
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.dialogs import HelpDialog
from subsecond.tui.screens.price_dialog import PriceDialog
from subsecond.tui.screens.source_dialog import SourceDialog
from subsecond.tui.widgets.slider import Slider
from subsecond.tui.widgets.table import LiveTable

S = 10**12
SIZES = ((80, 24), (120, 40), (200, 60))
MESSAGES = playground()
HELLO = MESSAGES[0]
assert isinstance(HELLO, Hello)
#: Name of the picture -> keys that lead to it from the picture before.
WAY = {
    "economics": ("8",),
    "economics-price": ("down", "enter", "right"),
    "economics-own": ("enter",),
    "economics-source": ("tab", "enter"),
    "economics-spot": ("escape", "h", "h", "tab"),
}


def words_of(kit: SimpleNamespace, app: SubsecondApp) -> str:
    """The screen's words, without frames and line breaks."""
    return " ".join(kit.text_of(app).replace("│", " ").split())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    pictures = {}

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for name, keys in WAY.items():
            await kit.press(app, pilot, *keys)
            pictures[name] = kit.text_of(app)

    assert kit.run(body, size=size).sent == [], "prices are no business of the service"
    for name, text in pictures.items():
        assert max(map(len, text.splitlines())) <= size[0]
        kit.check_golden(f"{name}-{size[0]}x{size[1]}", text)


def test_a_price_is_set_by_slider_or_by_typing_and_dropped_again(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        text = words_of(kit, app)
        assert "trn-cs3 is cheaper than gpu below 16.88 USD per CS-3-hour" in text
        assert "No price of a CS-3-hour is public" in text
        await kit.press(app, pilot, "down", "enter")
        assert isinstance(app.screen, PriceDialog)
        assert app.screen.query_one(Slider).value == 16.9, "the break-even, to three figures"
        await kit.press(app, pilot, "right", "enter")
        assert app.prices.own == {"wse-3": 20.0}
        await kit.press(app, pilot, "enter", "1", "0", "enter")
        assert app.prices.own == {"wse-3": 10.0}
        text = words_of(kit, app)
        assert (
            "At your prices a turn in time is 27 % cheaper on trn-cs3 than on gpu: trn-cs3 0.0136, gpu 0.0185" in text
        )
        assert "Before: not known, a price is not public" in text
        assert "yours" in text
        await kit.press(app, pilot, "enter", "d")
        assert app.prices.own == {}

    kit.run(body, size=(200, 60))


def test_the_dialog_says_who_is_cheaper_while_the_slider_moves(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8", "down", "enter", "home")
        effect = app.screen.query_one("#effect", Static)
        assert "cheaper on trn-cs3 than on gpu: trn-cs3 0.00641" in str(effect.render())
        await kit.press(app, pilot, "end")
        assert "cheaper on gpu than on trn-cs3" in str(effect.render())
        assert "Before: not known" in str(effect.render())
        await kit.press(app, pilot, "escape")
        assert app.prices.own == {}

    kit.run(body)


@pytest.mark.parametrize("typed", ["", ".", "1.2.3", "2000000"])
def test_what_is_no_price_is_not_taken(kit: SimpleNamespace, typed: str) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8", "enter")
        field = app.screen.query_one(Input)
        field.focus()
        field.value = typed
        await kit.press(app, pilot, "enter")
        assert isinstance(app.screen, PriceDialog)
        assert "from 0 to 1,000,000" in words_of(kit, app)
        assert app.prices.own == {}

    kit.run(body)


def test_a_listed_price_is_marked_and_one_of_ones_own_stands_beside_it(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8", "end", "enter")
        assert "default" in kit.text_of(app)
        assert app.screen.query_one(Slider).value == pytest.approx(63.296 / 8, abs=0.01)
        await kit.press(app, pilot, "4", "enter")
        text = words_of(kit, app)
        assert "32.00 4.00 yours" in text
        assert "as listed 16.88" in text
        await kit.press(app, pilot, "L")
        assert app.prices.own == {}
        await kit.press(app, pilot, "L")
        assert app._notifications, "there is nothing to drop"

    kit.run(body)


def test_ways_of_hire_go_around_and_say_what_stands_in(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        assert "cap. block *" in kit.text_of(app)
        assert "no price on demand: capacity block" in words_of(kit, app)
        seen = [app.prices.way]
        for _ in range(3):
            await kit.press(app, pilot, "h")
            seen.append(app.prices.way)
        assert seen == ["on-demand", "capacity-block", "spot", "on-demand"]

    kit.run(body)


def test_the_budgets_that_a_turn_in_time_meets_go_around(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        seen = []
        for words in ("every budget", "agent-step, voice-slow-line", "agent-step, voice-sub-second"):
            text = kit.text_of(app)
            assert f"in time: {words} (b)" in text
            seen.append(text.splitlines()[1])
            await kit.press(app, pilot, "b")
        assert seen[0] == seen[1] != seen[2]
        assert "in time: every budget (b)" in kit.text_of(app)

    kit.run(body)


def test_every_number_has_a_source(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        view = app.view
        assert view is not None
        tables = list(view.query(LiveTable))
        for table in tables:
            table.focus()
            await kit.settle(app, pilot)
            for row in table.shown:
                assert table.move_cursor(row.key)
                await kit.press(app, pilot, "o")
                assert isinstance(app.screen, SourceDialog)
                text = words_of(kit, app)
                assert any(word in text for word in ("vendor", "not public", "derived", "no public price")), row
                await kit.press(app, pilot, "escape")
        assert sum(len(table.shown) for table in tables) > 20

    kit.run(body, size=(200, 60))


def test_the_past_has_the_costs_of_its_instant(kit: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "minute.subsecond"
    messages = kit.record(path)
    pictures = []

    async def past(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8", "left_square_bracket", "left_square_bracket")
        await kit.until_at(app, pilot, 40)
        assert isinstance(app.source, ReplaySource)
        pictures.append(kit.text_of(app).splitlines()[1:-8])

    async def then(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        pictures.append(kit.text_of(app).splitlines()[1:-8])

    kit.run(past, messages, size=(200, 60))
    last = max(place for place, m in enumerate(MESSAGES) if 0 < getattr(m, "at_ps", 0) <= 40 * S)
    kit.run(then, MESSAGES[: last + 1], size=(200, 60))
    rows = [[line for line in picture if " A trn-cs3 " in line or " B gpu " in line] for picture in pictures]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 12


def test_a_service_that_tells_no_prices_is_said_to(kit: SimpleNamespace) -> None:
    lanes = tuple(msgspec.structs.replace(lane, parts=()) for lane in HELLO.lanes)
    old = msgspec.structs.replace(HELLO, lanes=lanes, services=(), tables={})

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        assert "does not say what its pipelines are made of" in words_of(kit, app)
        assert "Parts and prices are not told: no break-even" in words_of(kit, app)
        assert "is public" not in words_of(kit, app)
        for key in ("enter", "o", "h", "p", "L", "tab", "enter", "o", "tab", "o"):
            await kit.press(app, pilot, key)
        assert not isinstance(app.screen, PriceDialog | SourceDialog)

    kit.run(body, [old, *MESSAGES[1:]])


def test_without_turns_an_hour_has_a_cost_and_nothing_is_cheaper(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        text = words_of(kit, app)
        assert "No turn was in time on trn-cs3 or gpu" in text
        assert "35.76 + 4.00 X" in text
        await kit.press(app, pilot, "down", "enter")
        assert app.screen.query_one(Slider).value == 10.0
        await kit.press(app, pilot, "enter", "tab", "enter", "escape", "tab", "enter")

    kit.run(body, [HELLO])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_five_pipelines_are_compared_two_by_two(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    names = ("trn-cs3", "gpu", "rubin-lpx", "gpu-disagg", "cs3-alone")
    messages = live(10, settings=tuple(f"pipelines.{name}.router_ms=10" for name in names))

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8")
        seen = set()
        for _ in range(12):
            seen.add(kit.text_of(app).splitlines()[1])
            await kit.press(app, pilot, "p")
        assert len(seen) > 5

    kit.run(body, messages, size)


def test_help_names_the_keys(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8", "question_mark")
        assert isinstance(app.screen, HelpDialog)
        keys = {command.words for command in commands_of(app, app.screen_stack[-2])}
        assert any("way of hire" in words for words in keys)

    kit.run(body, size=(120, 60))


def test_one_pair_has_no_next(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "8", "p")
        assert [n.message for n in app._notifications] == ["There is only one pair of pipelines."]

    kit.run(body)


def test_the_price_dialog_follows_the_load_until_a_price_is_chosen(kit: SimpleNamespace) -> None:
    half = len(MESSAGES) // 2
    later = list(MESSAGES[half:])

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        async def go_on(count: int) -> tuple[float, str, str]:
            for message in later[:count]:
                app.travel.home.take(message)
            del later[:count]
            await kit.settle(app, pilot)
            texts = [str(app.screen.query_one(which, Static).render()) for which in ("#about", "#effect")]
            return app.screen.query_one(Slider).value, *texts

        await kit.press(app, pilot, "8", "down", "enter")
        assert isinstance(app.screen, PriceDialog)
        first, second = await go_on(0), await go_on(half // 2)
        assert all(one != other for one, other in zip(first, second, strict=True))
        await kit.press(app, pilot, "right")
        chosen, after = await go_on(0), await go_on(half)
        assert chosen[0] == after[0]
        assert chosen[1] != after[1]
        assert chosen[2] != after[2]

    kit.run(body, MESSAGES[:half])

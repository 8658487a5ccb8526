"""Agents from outside on the screens: who they are, their live turns, how to connect one, and words of strangers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from rich.cells import cell_len
from support.feeds import playground
from support.outside_agents import outside_agents, with_agents
from textual.pilot import Pilot

from subsecond.agents.connect_help import clients
from subsecond.engine.feed import Clock, Gauges, Message, OpenTurn, OutsideAgent, TurnEnd
from subsecond.tui.app import SubsecondApp
from subsecond.tui.connect import Address, address_of, snippets
from subsecond.tui.outside import MARK
from subsecond.tui.replay import ReplaySource
from subsecond.tui.screens.dialogs import HelpDialog
from subsecond.tui.source import ListSource
from subsecond.tui.widgets.snippets import Snippets
from subsecond.tui.widgets.table import LiveTable

S = 10**12
SIZES = ((80, 24), (120, 40), (200, 60))
PLACE = "ws://127.0.0.1:8123/v1/observe"
AGENTS = {m.agent: m for m in outside_agents() if isinstance(m, OutsideAgent)}
CODER = AGENTS[0]
CLIENTS = clients()
#: Name of the picture -> keys that lead to it from the picture before.
WAY = {
    "race-agents": (),
    "agents": ("7",),
    "agents-below": ("down", "down"),
    "agent-sessions": ("up", "enter"),
    "agent-session": ("enter",),
    "agent-turn": ("enter",),
    "sessions-agents": ("3", "slash", *"coder", "enter"),
}


def at_service(kit: SimpleNamespace, body: object, messages: object = None, **options: object) -> ListSource:
    """`kit.run` for messages that come from the address of a service."""
    return kit.run(body, with_agents() if messages is None else messages, place=PLACE, **options)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_screens_with_agents(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    pictures = {}

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for name, keys in WAY.items():
            await kit.press(app, pilot, *keys)
            pictures[name] = kit.text_of(app)

    at_service(kit, body, size=size)
    for name, text in pictures.items():
        assert max(map(cell_len, text.splitlines())) <= size[0]
        kit.check_golden(f"{name}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_without_agents_the_screen_says_how_to_connect_one(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7")
        assert "Connect an agent to 127.0.0.1:8123" in kit.text_of(app)
        assert app.screen.focused is app.screen.query_one(Snippets)
        await kit.press(app, pilot, *["down"] * 11)
        kit.check_golden(f"agents-none-{size[0]}x{size[1]}", kit.text_of(app))
        await kit.press(app, pilot, "escape")
        assert kit.text_of(app).startswith(" subsecond > Race")

    at_service(kit, body, playground(), size=size)


def program(place: int) -> str:
    """A client's program for the service that is watched."""
    return clients(8123)[place].program.rstrip() + "\n"


def test_the_chosen_lines_are_copied(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7", "c")
        assert app.clipboard == program(0)
        await kit.press(app, pilot, "tab", "tab", "down", "c")
        assert app.clipboard == program(1)
        assert "gpt-oss-120b@gpu" in app.clipboard
        assert any(f"Copied: {CLIENTS[1].title}." in n.message for n in app._notifications)
        await kit.press(app, pilot, "h")
        before = app.clipboard
        await kit.press(app, pilot, "up", "c")
        assert app.clipboard == before
        assert any("h shows lines to copy" in n.message for n in app._notifications)

    at_service(kit, body)


def test_a_click_chooses_lines_and_keys_scroll_them(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7", "tab", "tab")
        help = app.screen.query_one(Snippets)
        await pilot.click(Snippets, offset=(4, 5))
        assert help.chosen is not None
        assert help.chosen.title == CLIENTS[4].title, "the border is above"
        await kit.press(app, pilot, *["down"] * 20, "up")
        assert help.chosen.title == CLIENTS[-2].title
        assert "more: page down" in kit.text_of(app)
        await kit.press(app, pilot, *["pagedown"] * 9)
        assert help.chosen.lines[-1][:20] in kit.text_of(app)

    at_service(kit, body, size=(80, 22))


def test_an_address_in_brackets_is_shown_as_it_is(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7")
        assert "Connect an agent to [::1]:8123: up" in kit.text_of(app)

    kit.run(body, place="ws://[::1]:8123/v1/observe")


def test_an_agent_opens_its_sessions_down_to_a_turn_and_escape_leads_back(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7", "down", "enter")
        assert f"> Agents > {MARK}my-coder " in kit.text_of(app)
        assert [row.key for row in app.screen.query_one(LiveTable).shown] == sorted(CODER.sessions)
        await kit.press(app, pilot, "enter", "enter")
        assert "> Turn " in kit.text_of(app)
        assert f"of {MARK}my-coder, turn" in kit.text_of(app)
        await kit.press(app, pilot, "escape", "escape", "escape")
        assert kit.text_of(app).startswith(" subsecond > Agents ")
        await kit.press(app, pilot, "up", "enter")
        assert f"> Agents > Session {AGENTS[1].sessions[0]} {MARK}pipecat" in kit.text_of(app)

    at_service(kit, body)


def test_an_agent_without_a_turn_says_so(kit: SimpleNamespace) -> None:
    idle = msgspec.structs.replace(CODER, agent=9, name="idle", sessions=(), lane=-1, open_requests=0)

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7", "enter")
        assert kit.text_of(app).startswith(" subsecond > Agents ")
        assert any("idle has asked for nothing yet" in n.message for n in app._notifications)

    at_service(kit, body, [*with_agents(), idle])


def test_sort_and_filter(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7")
        table = app.screen.query_one(LiveTable)
        assert [row.key for row in table.shown] == [1, 0, 2], "those that are connected first, the latest first"
        table.sort_by("turns")
        assert [row.key for row in table.shown] == [0, 1, 2]
        await kit.press(app, pilot, "slash", *"gone", "enter")
        assert [row.key for row in table.shown] == [2]
        assert "! 1 error; the last: model: the model 'gpt-5' does not exist" in kit.text_of(app)
        await kit.press(app, pilot, "escape")
        assert len(table.shown) == 3
        await pilot.resize_terminal(200, 60)
        await kit.settle(app, pilot)
        assert table.sort_key == "turns", "another width has other columns, in the same order"

    at_service(kit, body)


def test_the_first_agent_is_announced_and_the_header_counts(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert [n.message for n in app._notifications] == ["my-coder connected over responses: 7 shows it"]
        assert "2 agents" in kit.text_of(app).splitlines()[0]
        app.travel.home.take(msgspec.structs.replace(AGENTS[1], is_connected=False))
        await kit.settle(app, pilot)
        assert kit.text_of(app).splitlines()[0].endswith("  1 agent")

    at_service(kit, body)


def test_turns_of_agents_stand_first_in_the_race_with_their_names(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, _pilot: Pilot[None]) -> None:
        lines = kit.text_of(app).splitlines()
        at = next(y for y, line in enumerate(lines) if line.startswith("A trn-cs3") and " open " in line)
        assert MARK in lines[at + 2]

    at_service(kit, body, size=(80, 24))


HOSTILE = (
    "\x1b[31mred\x1b[0m\x1b]52;c;eA==\x07",
    "[bold]markup[/] [@click=app.quit]quit[/]",
    "漢字" * 60,
    "👩‍👩‍👧‍👦 family 🇩🇪",
    "a\nb\tc\rd",
    "\u202ertl\u200b",
    "[/b] [/] [",
    "x" * 100_000,
    "",
)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_words_of_strangers_harm_no_screen(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    hostile = [
        msgspec.structs.replace(
            CODER, agent=10 + n, name=words, address=words, protocol=words, stage=words, last_error=words, errors=n + 1,
            sessions=(*CODER.sessions, 900 + n),
        )
        for n, words in enumerate(HOSTILE)
    ]  # fmt: skip

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        for key in ("1", "3", "7", *["down"] * len(hostile), "enter", "enter", "enter", "question_mark"):
            await kit.press(app, pilot, key)
            lines = kit.text_of(app).splitlines()
            assert all(line.isprintable() for line in lines)
            assert max(map(cell_len, lines)) <= size[0]

    at_service(kit, body, [*with_agents(), *hostile], size=size)


def test_markup_in_a_name_is_told_as_it_is_written(kit: SimpleNamespace) -> None:
    agent = msgspec.structs.replace(CODER, name="[b]x[/b] \x1b[1m")

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert [n.message for n in app._notifications] == ["[b]x[/b] ?[1m connected over responses: 7 shows it"]

        await kit.press(app, pilot, "7")
        lines = kit.text_of(app).splitlines()
        assert sum(f"{MARK}[b]x[/b] ?[1m" in line for line in lines) == 2, "in the table and above the details"

    at_service(kit, body, [*playground(), agent])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_two_hundred_agents(kit: SimpleNamespace, size: tuple[int, int]) -> None:
    many = [msgspec.structs.replace(CODER, agent=n, name=f"bot {n}", sessions=(1000 + n,)) for n in range(200)]
    turn = next(m for m in outside_agents() if isinstance(m, TurnEnd))
    ends = [msgspec.structs.replace(turn, turn=9000 + n, session=1000 + n) for n in range(200)]

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        assert "200 agents" in kit.text_of(app)
        await kit.press(app, pilot, "7")
        table = app.screen.query_one(LiveTable)
        assert len(table.shown) == 200
        assert table.size.height > 6
        assert not app.screen.query_one(Snippets).display, "there is no room for it"
        await kit.press(app, pilot, "end")
        assert f"{MARK}bot 0 " in kit.text_of(app)
        await kit.press(app, pilot, "h")
        assert app.screen.query_one(Snippets).display
        assert "127.0.0.1:8123" in kit.text_of(app)
        assert table.size.height > 1
        await kit.press(app, pilot, "h", "enter")
        assert "Session 1000" in kit.text_of(app)

    at_service(kit, body, [*playground(), *many, *ends], size=size)


def test_without_colour_states_have_words_and_glyphs(kit: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = []

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7", "down", "down")
        pictures.append(kit.text_of(app))

    at_service(kit, body)
    monkeypatch.setenv("NO_COLOR", "1")
    at_service(kit, body)
    assert pictures[0] == pictures[1]
    for words in ("● connected", "○ gone", "▸", "serves", "shadows", "! 1 error"):
        assert words in pictures[1]


def test_a_late_live_turn_says_so(kit: SimpleNamespace) -> None:
    gauges = next(m for m in reversed(outside_agents()) if isinstance(m, Gauges) and m.lane == CODER.lane)
    late = tuple(
        msgspec.structs.replace(one, start_ps=one.start_ps - 3 * S) if one.session in CODER.sessions else one
        for one in gauges.oldest
    )

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7")
        line = next(line for line in kit.text_of(app).splitlines() if "my-coder" in line)
        assert " s !" in line or " s!" in line
        await pilot.resize_terminal(80, 24)
        await kit.settle(app, pilot)
        line = next(line for line in kit.text_of(app).splitlines() if "my-coder" in line)
        assert " s!" in line

    assert any(isinstance(one, OpenTurn) and one.session in CODER.sessions for one in late)
    at_service(kit, body, [*with_agents(), msgspec.structs.replace(gauges, oldest=late)])


def test_help_is_about_what_is_in_focus(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7", "question_mark")
        assert isinstance(app.screen, HelpDialog)
        text = " ".join(kit.text_of(app).replace("│", " ").split())
        assert "Agents connected from outside" in text
        assert "page up and page down scroll, c copies" in text

    at_service(kit, body, playground(), size=(200, 60))


def agents_that_come_and_go() -> list[Message]:
    """The recorded minute with an agent from 10 s on, and another one from 20 s, when the first leaves."""
    news = {
        10: [msgspec.structs.replace(CODER, turns=1)],
        20: [msgspec.structs.replace(CODER, turns=4, is_connected=False), AGENTS[1]],
    }
    messages: list[Message] = []
    for message in playground():
        messages.append(message)
        if isinstance(message, Clock):
            messages += news.pop(message.at_ps // S, [])
    assert not news
    return messages


def test_the_past_has_the_agents_of_its_instant_and_takes_no_others(kit: SimpleNamespace, tmp_path: Path) -> None:
    async def at(app: SubsecondApp, pilot: Pilot[None], second: int) -> list[tuple[str, bool, int]]:
        app.go_to(second * S)
        await kit.until_at(app, pilot, second)
        return [(agent.name, agent.is_connected, agent.turns) for agent in app.snapshot.agents]

    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7")
        assert await at(app, pilot, 5) == []
        text = " ".join(kit.text_of(app).split())
        assert "This is a recording: nobody can connect to it. N goes back to the run that goes on." in text
        await kit.press(app, pilot, "c")
        assert not app.clipboard
        assert await at(app, pilot, 15) == [("my-coder", True, 1)]
        assert "● connected" in kit.text_of(app)
        assert await at(app, pilot, 25) == [("my-coder", False, 4), ("pipecat 1.14 #1", True, 5)]
        assert await at(app, pilot, 12) == [("my-coder", True, 1)]
        assert isinstance(app.source, ReplaySource)
        await kit.press(app, pilot, "N")
        assert "127.0.0.1:8123" in kit.text_of(app)
        app.travel.close()

    at_service(kit, body, kit.record(tmp_path / "agents.subsecond", agents_that_come_and_go()))


def test_a_source_that_is_no_service_has_no_lines_to_copy(kit: SimpleNamespace) -> None:
    async def body(app: SubsecondApp, pilot: Pilot[None]) -> None:
        await kit.press(app, pilot, "7")
        assert "There is no service that an agent could connect to." in kit.text_of(app)

    kit.run(body, with_agents())


def test_a_run_without_the_usual_pipeline_has_its_own_in_the_lines() -> None:
    address = address_of("wss://example.org/v1/observe")
    assert address == Address("example.org", 443)
    for snippet in snippets(Address("127.0.0.1", 99), ("tiny@split", "tiny@other")):
        assert "tiny@split" in snippet.text
        assert "gpt-oss" not in snippet.text
    for place in ("recording", "/tmp/a.subsecond", "", "ws://", "ws://[", "ws://host:99999999/", "http://host/"):
        assert address_of(place) is None
    assert str(address_of("ws://[::1]:8765/v1/observe")) == "[::1]:8765"

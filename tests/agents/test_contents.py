"""What agents from outside say is in no recording unless the user asks for it; then it is, word for word."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support.gateways import Served, frames, served, until

from subsecond.agents.contents import LONGEST, texts_of, without_texts
from subsecond.agents.wire.base import ModelRequest, Reply, Tool, ToolCall
from subsecond.engine.feed import Annotation, OutsideAgent, TurnEnd
from subsecond.engine.recording.content import Content
from subsecond.engine.recording.reader import Recording
from subsecond.engine.recording.rescue import rescue

SECRET = "Zyzzyva-4711"
END = TurnEnd(1, 7, 0, 0, 0, 1, 100, 50, 10, 1, (), (), 1, 1, 0, 1, 0)


async def say_it_everywhere(one: Served) -> None:
    """The secret in every protocol, in prompts, instructions, tools, their results, and in what is refused."""
    assert (await one.chat(f"Tell me about {SECRET}."))[0] == 200
    tools = [{"type": "function", "function": {"name": f"f_{SECRET}", "parameters": {"type": "object"}}}]
    assert (await one.chat("Call it.", tools=tools, tool_choice="required", user=SECRET))[0] == 200
    async with one.session.post(f"{one.url}/v1/responses", json={"model": "tiny@gpu", "input": SECRET}) as answer:
        assert answer.status == 200
    for body in ({"model": "tiny@gpu", "messages": SECRET}, {"model": SECRET, "messages": 7}, SECRET):
        async with one.session.post(f"{one.url}/v1/chat/completions", json=body) as answer:
            assert answer.status >= 400
    async with one.connect("/v1/realtime?model=tiny@gpu") as socket:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": SECRET}]}
        await socket.send_json({"type": "session.update", "session": {"type": "realtime", "instructions": SECRET}})
        await socket.send_json({"type": "conversation.item.create", "item": item})
        await socket.send_json({"type": "response.create", "response": {"output_modalities": ["text"]}})
        await frames(socket, "response.done")
        await socket.send_json({"type": SECRET})
        await frames(socket, "error")
    native = await one.native()
    await native.send_json({"op": "turn", "id": "a", "text": f"Tell me about {SECRET}."})
    await frames(native, "end")
    await native.send_json({"op": "turn", "id": "b", "text": [SECRET]})
    await frames(native, "error")
    await native.close()
    await until(lambda: sum(entry.errors for entry in one.gateway.roster) >= 4)


def recorded(path: Path, **options: bool) -> Path:
    async def test(one: Served) -> None:
        await say_it_everywhere(one)
        await until(lambda: sum(entry.turns for entry in one.gateway.roster) >= 5)
        one.service._tell(one.gateway.news())
        one.service._tell([Annotation(0, "the end")])

    served(test, record=path, **options)
    return path


def test_nothing_that_agents_say_is_recorded(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.subsecond")
    assert SECRET.encode() not in path.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["run.subsecond"]
    with Recording.open(path) as recording:
        assert recording.num_contents == 0
        agents = recording.outside_agents()
        assert sum(agent.errors for agent in agents) >= 4
        assert any("what came is not recorded" in agent.last_error for agent in agents)
        assert any(agent.turns for agent in agents)


def test_who_asks_for_it_gets_every_text_by_its_turn(tmp_path: Path) -> None:
    path = recorded(tmp_path / "run.subsecond", record_content=True)
    with Recording.open(path) as recording:
        contents = list(recording.contents())
        turns = {turn.turn for turn in recording.turn_ends()}
        asked = [content.text for content in contents if content.role == "user"]
        assert asked == [f"Tell me about {SECRET}.", "Call it.", SECRET, SECRET, f"Tell me about {SECRET}."]
        assert {content.turn for content in contents} <= turns
        assert {content.role for content in contents} == {"user", "assistant", "tool_call"}
        (call,) = [content.text for content in contents if content.role == "tool_call"]
        assert call.startswith(f"f_{SECRET} {{")
    connection = sqlite3.connect(path)
    joined = connection.execute("SELECT count(*) FROM contents JOIN turns USING (lane, turn)").fetchone()
    connection.close()
    assert joined == (len(contents),)
    found = rescue(path, tmp_path / "copy")  # which knows what a recorder writes
    assert (found.is_whole, found.rows["contents"]) == (True, len(contents))


TOOL = Tool("f", {})
REPLY = Reply(("a", "b", "c"), (ToolCall("1", TOOL, ("{", "}")), ToolCall("2", TOOL, ("[]",))), reasoning_tokens=2)


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        (0, []),
        (2, []),
        (3, [("assistant", "a")]),
        (5, [("assistant", "abc")]),
        (6, [("assistant", "abc"), ("tool_call", "f {")]),
        (7, [("assistant", "abc"), ("tool_call", "f {}")]),
        (8, [("assistant", "abc"), ("tool_call", "f {}"), ("tool_call", "f []")]),
    ],
)
def test_an_answer_is_what_was_given_of_it(given: int, answers: list[tuple[str, str]]) -> None:
    request = ModelRequest("1", "coding", "tiny", (), last_text="x" * (LONGEST + 1), has_tool_result=True)
    first, *rest = texts_of(request, REPLY, given, END)
    assert first == Content(100, 1, 7, "tool", "x" * LONGEST)
    assert rest == [Content(150, 1, 7, role, text) for role, text in answers]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("", ""),
        ("the message is nested deeper than 64 levels", "the message is nested deeper than 64 levels"),
        ("messages: got 'my secret', expected a list", "messages: what came is not recorded"),
        ("messages: got 'my secr...", "messages: what came is not recorded"),
        ("the model 'secret' does not exist", "the model: what came is not recorded"),
        ('"secret"', "a value: what came is not recorded"),
        ("forgotten", "forgotten"),
    ],
)
def test_what_quotes_an_agent_is_left_out(words: str, kept: str) -> None:
    agent = OutsideAgent(1, "mine", "chat", "127.0.0.1", 0, 0, True, 0, last_error=words)
    told = without_texts(agent)
    assert isinstance(told, OutsideAgent)
    assert told.last_error == kept
    assert without_texts(END) is END

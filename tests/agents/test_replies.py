"""What simulated models say: how long, which tools, and what a script makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.agents.replies import MOST_TOOL_STEPS, ReplyWriter
from subsecond.agents.reply_script import ReplyTable, read_replies
from subsecond.agents.tokens import default_counter
from subsecond.agents.wire.base import ModelRequest, Reply, Tool
from subsecond.engine.errors import InputError

COUNTER = default_counter()
WRITER = ReplyWriter(COUNTER)
EXEC = Tool("exec_command", {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]})
WEATHER = Tool("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
DELETE = Tool("delete_everything", {"type": "object"})


def request(text: str = "hello", **changes: Any) -> ModelRequest:
    plain = ModelRequest("r1", "coding", "sim", (COUNTER.segment("user", text),), last_text=text)
    return replace(plain, **changes)


def many(number: int = 200, **changes: Any) -> list[Reply]:
    return [WRITER.write(request(f"message {i}", **changes)) for i in range(number)]


def test_the_same_prompt_gets_the_same_reply_and_another_seed_another() -> None:
    asked = request(tools=(EXEC,))
    assert WRITER.write(asked) == ReplyWriter(COUNTER).write(asked) == WRITER.write(replace(asked, ident="r2"))
    assert ReplyWriter(COUNTER, seed=2).write(request()) != WRITER.write(request())


@pytest.mark.parametrize(("agent", "low", "high"), [("coding", 250, 550), ("voice", 55, 110)])
def test_lengths_are_those_of_the_simulated_agents(agent: str, low: int, high: int) -> None:
    """Medians: `output.end_of_task` 379, `reply.tokens` 76; a reply goes on to the end of its last sentence."""
    assert low < median(reply.output_tokens for reply in many(agent=agent)) < high


def test_tokens_are_real_ones() -> None:
    for reply in many(40):
        assert COUNTER.count("".join(reply.pieces)) == len(reply.pieces)


@settings(deadline=None)  # a busy machine
@given(most=st.integers(1, 3000), agent=st.sampled_from(["coding", "voice"]), tools=st.booleans(), exact=st.booleans())
def test_a_limit_is_kept_and_an_exact_length_reached(most: int, agent: str, tools: bool, exact: bool) -> None:
    choice = "required" if tools else "auto"
    asked = request(str(most), agent=agent, tools=(EXEC,), tool_choice=choice, most_tokens=most, is_exact=exact)
    reply = WRITER.write(asked)
    assert 1 <= reply.first_sentence <= reply.output_tokens <= most
    assert reply.output_tokens == most or not exact
    assert not reply.is_cut or reply.output_tokens == most
    assert not exact or reply.is_cut


def test_at_least_so_many_tokens() -> None:
    assert all(reply.output_tokens >= 700 for reply in many(40, least_tokens=700))


def test_the_first_sentence_ends_where_it_says() -> None:
    for reply in many(40, agent="voice"):
        first = "".join(reply.pieces[: reply.first_sentence])
        assert first[-1] in ".?"
        assert first.count(".") + first.count("?") == 1


@pytest.mark.parametrize("agent", ["coding", "voice"])
def test_tool_choice_is_obeyed(agent: str) -> None:
    both = {"tools": (EXEC, WEATHER), "agent": agent}
    assert not any(reply.calls for reply in many(tool_choice="none", **both))
    assert all(reply.calls for reply in many(tool_choice="required", **both))
    assert {reply.calls[0].tool.name for reply in many(tool_choice="get_weather", **both)} == {"get_weather"}
    called = sum(bool(reply.calls) for reply in many(**both))
    assert 20 < called < 190


def test_what_may_do_harm_is_called_only_on_demand() -> None:
    assert not any(reply.calls for reply in many(tools=(DELETE,)))
    assert {call.tool.name for reply in many(tools=(DELETE, WEATHER)) for call in reply.calls} == {"get_weather"}
    assert all(reply.calls for reply in many(tools=(DELETE,), tool_choice="required"))


@pytest.mark.parametrize("agent", ["coding", "voice"])
def test_calls_come_to_an_end(agent: str) -> None:
    asked = {"tools": (EXEC,), "agent": agent, "has_tool_result": True}
    assert not any(reply.calls for reply in many(tool_steps=MOST_TOOL_STEPS[agent], **asked))
    going_on = sum(bool(reply.calls) for reply in many(tool_steps=1, **asked))
    assert 40 < going_on < 180


def test_benchmarks_get_text_alone() -> None:
    assert not any(reply.calls for reply in many(tools=(EXEC,), most_tokens=50, is_exact=True))


def test_answers_fit_the_schema_that_the_client_wants() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    reply = WRITER.write(request(answer_schema=schema))
    assert json.loads("".join(reply.pieces)) == {"ok": False}


def test_calls_are_told_apart() -> None:
    calls = [call.call_id for reply in many(tools=(EXEC,)) for call in reply.calls]
    assert len(set(calls)) == len(calls)


def script(*tables: dict[str, Any]) -> ReplyWriter:
    return ReplyWriter(COUNTER, script=read_replies(list(tables), "mine.toml"))


ROME = {"tool": "get_weather", "arguments": {"city": "Rome"}}


def test_a_script_says_what_is_said() -> None:
    writer = script(
        {"match": "WEATHER", "text": "Sunny. All day.", "calls": [ROME]},
        {"match": "weather", "text": "never reached"},
        {"order": 2, "text": "the second"},
        {"agents": "voice", "tokens": 500, "reasoning_tokens": 7},
        {"calls": [{"tool": "shell", "input": "ls -l"}]},
    )  # fmt: skip
    reply = writer.write(request("How is the weather?", tools=(WEATHER,)))
    assert "".join(reply.pieces) == "Sunny. All day."
    assert [json.loads(call.arguments) for call in reply.calls] == [{"city": "Rome"}]
    assert reply.first_sentence == COUNTER.count("Sunny.")
    assert writer.write(request("How is the weather?")).calls == ()
    assert "".join(writer.write(request(replies=1)).pieces) == "the second"
    spoken = writer.write(request(agent="voice", tools=(WEATHER,)))
    assert 500 <= spoken.output_tokens < 550
    assert (spoken.reasoning_tokens, spoken.calls) == (7, ())
    free = writer.write(request(tools=(Tool("shell", {}, kind="custom"),)))
    assert [call.arguments for call in free.calls] == ["ls -l"]


def test_a_script_is_cut_and_stretched_as_any_reply() -> None:
    writer = script({"text": "One two three four five six seven."})
    assert writer.write(request(most_tokens=3)).output_tokens == 3
    assert writer.write(request(most_tokens=50, is_exact=True)).output_tokens == 50


def test_demands_of_the_client_come_before_the_script() -> None:
    writer = script({"text": "no call"})
    assert writer.write(request(tools=(WEATHER,), tool_choice="required")).calls
    assert not script({"calls": [{"tool": "get_weather"}]}).write(request(tools=(WEATHER,), tool_choice="none")).calls
    twice = [{"tool": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]
    demanded = script({"calls": twice}).write(request(tools=(WEATHER, EXEC), tool_choice="get_weather"))
    assert [call.arguments for call in demanded.calls] == ['{"city":"Paris"}']  # as the script has it
    other = script({"calls": twice}).write(request(tools=(WEATHER, EXEC), tool_choice=EXEC.name))
    assert [call.tool for call in other.calls] == [EXEC]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"txt": "a"}, "mine.toml: replies.0: got 'Object contains unknown field `txt`', expected a table of match"),
        ({"text": 5}, "mine.toml: replies.0.text: got 'Expected `str | null`, got `int`', expected a table of"),
        ({"agents": "both"}, "mine.toml: replies.0.agents: got 'both', expected coding or voice"),
        ({"order": 0}, "mine.toml: replies.0.order: got '0', expected a whole number from 1"),
        ({"tokens": 0.5}, "mine.toml: replies.0.tokens: got"),
        ({"tokens": 0}, "mine.toml: replies.0.tokens.p50: got '0', expected quantiles"),
        ({"tokens": {}}, "mine.toml: replies.0.tokens: got '{}', expected quantiles such as"),
        ({"tokens": {"p50": 9, "p90": 8}}, "mine.toml: replies.0.tokens.p90: got '8.0', expected quantiles"),
        ({"tokens": {"p50": 9, "p50.0": 9}}, "mine.toml: replies.0.tokens.p50.0: got '9.0', expected quantiles"),
        ({"tokens": {"half": 9}}, "mine.toml: replies.0.tokens: got 'half', expected min, max"),
        ({"text": "a", "tokens": 5}, "mine.toml: replies.0.text: got 'a', expected 1 to"),
        ({"text": ""}, "mine.toml: replies.0.text: got '', expected 1 to"),
        ({"reasoning_tokens": -1}, "mine.toml: replies.0.reasoning_tokens: got '-1', expected a whole number"),
        ({"calls": [{"tool": ""}]}, "mine.toml: replies.0.calls.0: got '', expected the name of a tool"),
        ({"calls": [{"tool": "a", "input": "b", "arguments": {}}]}, "mine.toml: replies.0.calls.0: got 'a', expected"),
    ],
)  # fmt: skip
def test_a_wrong_script_is_explained(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_replies([table], "mine.toml")
    assert str(caught.value).startswith(message)


def test_a_script_without_conditions_fits_everything() -> None:
    assert ReplyTable().fits(request())

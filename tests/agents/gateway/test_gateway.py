"""Whole turns over real sockets: every protocol, what the others see of it, and what is left afterwards: nothing."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.gateways import SLOTS, Served, frames, served, until

from subsecond.agents.plan import plan_run
from subsecond.engine.commands import Pause, Resume, SetKnob, SetSpeed
from subsecond.engine.feed import TurnEnd, decode_message, encode
from subsecond.engine.run import Plan
from subsecond.engine.scenario import apply_settings, load_tables, parse_scenario

LONG = {"max_tokens": 30_000, "ignore_eos": True}


async def events(answer: aiohttp.ClientResponse) -> list[Any]:
    """Server-sent events to the end of the stream."""
    data = [line[6:] for line in (await answer.text()).splitlines() if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


async def metrics(one: Served) -> dict[tuple[str, str], float]:
    """Values by name and first label."""
    async with one.session.get(f"{one.url}/metrics") as answer:
        assert answer.status == 200
        families = text_string_to_metric_families(await answer.text())
        return {(s.name, next(iter(s.labels.values()), "")): s.value for family in families for s in family.samples}


def test_chat_whole_and_streamed() -> None:
    async def test(one: Served) -> None:
        status, whole = await one.chat(max_tokens=25, ignore_eos=True)
        assert status == 200
        assert whole["usage"]["completion_tokens"] == 25
        assert whole["choices"][0]["finish_reason"] == "length"
        where = whole["usage"]["subsecond"]
        assert where["pipeline"] == "gpu"
        assert sum(where["stages_ms"].values()) == pytest.approx(where["latency_ms"], abs=0.01)
        body = {
            "model": "tiny@gpu",
            "messages": [{"role": "user", "content": "Hello."}],
            "max_tokens": 25,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with one.session.post(f"{one.url}/v1/chat/completions", json=body) as answer:
            assert answer.content_type == "text/event-stream"
            *chunks, last, done = await events(answer)
        assert done == "[DONE]"
        assert last["usage"]["completion_tokens"] == 25
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)
        assert text == whole["choices"][0]["message"]["content"]
        await one.settled()

    served(test)


def test_responses_over_http_and_on_a_socket_go_on_from_each_other() -> None:
    async def test(one: Served) -> None:
        ask = {"model": "tiny@split", "input": "Hello.", "max_output_tokens": 40}
        async with one.session.post(f"{one.url}/v1/responses", json=ask) as answer:
            first = await answer.json()
        assert first["object"] == "response"
        async with one.session.post(f"{one.url}/v1/responses", json=ask | {"stream": True}) as answer:
            streamed = await events(answer)
        assert streamed[0]["type"] == "response.created"
        assert streamed[-1]["type"] in ("response.completed", "response.incomplete")
        async with one.connect("/v1/responses") as socket:
            more = {"type": "response.create", **ask, "input": "More.", "previous_response_id": first["id"]}
            await socket.send_json(more)
            last = (await frames(socket, "response.completed", "response.incomplete"))[-1]
            assert last["response"]["metadata"]["subsecond_pipeline"] == "split"
            assert last["response"]["usage"]["input_tokens"] > first["usage"]["input_tokens"]
        await one.settled()

    served(test)


def test_realtime_text_and_a_second_turn_that_is_cached() -> None:
    async def test(one: Served) -> None:
        async with one.connect("/v1/realtime?model=tiny@gpu", protocols=("realtime",)) as socket:
            assert socket.protocol == "realtime"
            created = await socket.receive_json()
            assert created["type"] == "session.created"
            assert created["session"]["id"].count("sess_") == 1
            await socket.send_json(
                {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}
            )
            cached = []
            for text in ("a long question " * 40, "and now?"):
                item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
                await socket.send_json({"type": "conversation.item.create", "item": item})
                await socket.send_json({"type": "response.create"})
                done = (await frames(socket, "response.done"))[-1]["response"]
                assert done["status"] == "completed"
                cached.append(done["usage"]["input_token_details"]["cached_tokens"])
            assert cached[0] == 0
            assert cached[1] > 100
        await one.settled()

    served(test)


def test_tokens_leave_when_the_pipeline_says_and_not_before() -> None:
    async def test(one: Served) -> None:
        socket = await one.native()
        await socket.send_json({"op": "turn", "id": "t", "input_tokens": 400, "output_tokens": 300, "pipeline": "gpu"})
        told = await frames(socket, "end")
        end = told[-1]
        given = [(f["n"], f["elapsed_ms"]) for f in told if f["op"] == "tok"]
        assert given == sorted(given)
        assert given[-1][0] == 300
        assert given[0][1] >= end["ttft_ms"] - 0.01
        assert given[-1][1] >= end["latency_ms"] - 0.01
        assert len(given) > 2
        stages = [f["phase"] for f in told if f["op"] == "phase"]
        assert len(stages) == len(set(stages))
        assert sum(end["stages_ms"].values()) == pytest.approx(end["latency_ms"], abs=0.01)
        await socket.close()
        await one.settled()

    served(test, speed=1.0)


def test_a_turn_that_ends_just_before_its_run_is_in_the_recording(tmp_path: Path) -> None:
    """A reply is with its client sooner than with those who look at all lanes ten times a second."""

    async def test(one: Served) -> None:
        assert (await one.chat())[0] == 200

    served(test, record=tmp_path / "a.subsecond")
    with closing(sqlite3.connect(tmp_path / "a.subsecond")) as recording:
        turns = recording.execute("SELECT state FROM turns JOIN requests USING (lane, turn)").fetchall()
        assert turns == [(1,)]
        assert recording.execute("SELECT max(turns), max(open_requests) FROM outside_agents").fetchone() == (1, 0)


def test_turns_of_a_conversation_find_their_prefix() -> None:
    async def test(one: Served) -> None:
        socket = await one.native()
        usage = []
        for number in range(3):
            turn = {"op": "turn", "id": f"t{number}", "input_tokens": 500, "output_tokens": 40, "conversation": "c"}
            await socket.send_json(turn)
            usage.append((await frames(socket, "end"))[-1]["usage"])
        assert [u["input_tokens"] for u in usage] == [500, 1040, 1580]
        assert usage[0]["cached_tokens"] == 0
        for before, after in itertools.pairwise(usage):
            assert after["cached_tokens"] >= before["input_tokens"] - 16
        await socket.close()
        await one.settled()

    served(test)


def test_every_pipeline_runs_the_turn_under_the_same_number() -> None:
    async def test(one: Served) -> None:
        async with one.connect("/v1/observe") as feed:
            await one.chat(max_tokens=20, ignore_eos=True)
            ends: dict[int, set[int]] = {}
            async for data in feed:
                message = decode_message(data.data)
                if isinstance(message, TurnEnd) and message.session >= one.driver.plan.workload.num_sessions:
                    ends.setdefault(message.turn, set()).add(message.lane)
                    if ends[message.turn] == {0, 1}:
                        break
            assert len(ends) == 1
        await one.settled()

    served(test)


def test_models_health_and_metrics() -> None:
    async def test(one: Served) -> None:
        async with one.session.get(f"{one.url}/v1/models") as answer:
            names = {model["id"] for model in (await answer.json())["data"]}
        assert {"tiny@gpu", "tiny@split"} <= names
        for name in sorted(names):
            async with one.session.get(f"{one.url}/v1/models/{name}") as answer:
                assert (await answer.json())["id"] == name
        async with one.session.get(f"{one.url}/health") as answer:
            assert (await answer.json())["status"] == "ok"
        await one.chat(max_tokens=20, ignore_eos=True)
        await until(lambda: one.gateway.roster.totals()["chat"].turns == 1)
        found = await metrics(one)
        assert found["subsecond_outside_turns_total", "chat"] == 1
        assert found["subsecond_sent_bytes_total", "chat"] > 0
        assert found["subsecond_requests_open", ""] == 0
        assert found["subsecond_virtual_seconds", ""] > 1

    served(test)


@pytest.mark.parametrize("protocol", ["chat", "responses", "socket", "realtime", "native"])
def test_a_client_that_vanishes_leaves_nothing(protocol: str) -> None:
    """Whatever it speaks, its connection is cut in the middle of a reply that would take very long."""

    async def vanish(one: Served) -> None:
        if protocol in ("chat", "responses"):
            paths = {
                "chat": ("chat/completions", {"messages": [{"role": "user", "content": "Hi"}], **LONG}),
                "responses": ("responses", {"input": "Hi", "max_output_tokens": 30_000}),
            }
            path, body = paths[protocol]
            headers = {"User-Agent": "aiperf/1"}  # for which a limit is the length
            body |= {"model": "tiny@gpu", "stream": True}
            async with one.session.post(f"{one.url}/v1/{path}", json=body, headers=headers) as answer:
                await answer.content.readany()
                assert one.used_kv() > 0
            return
        if protocol == "native":
            socket = await one.native()
            await socket.send_json({"op": "turn", "id": "t", "input_tokens": 40, "output_tokens": 30_000})
            await frames(socket, "tok")
        elif protocol == "socket":
            socket = await one.connect("/v1/responses", headers={"User-Agent": "aiperf/1"})
            ask = {"type": "response.create", "model": "tiny@gpu", "input": "Hi", "max_output_tokens": 30_000}
            await socket.send_json(ask)
            await frames(socket, "response.output_text.delta")
        else:
            socket = await one.connect("/v1/realtime?model=tiny@gpu")
            session = {"type": "realtime", "output_modalities": ["text"]}
            await socket.send_json({"type": "session.update", "session": session})
            await socket.send_json({"type": "response.create", "response": {"instructions": "Tell a long story."}})
            await frames(socket, "response.created")
        assert protocol == "realtime" or one.driver.outside.num_open == 1  # whose reply may be short
        transport = socket._response.connection.transport
        transport.abort()

    async def test(one: Served) -> None:
        await vanish(one)
        await one.settled()
        status, _ = await one.chat(max_tokens=5)
        assert status == 200

    served(test, speed=1.0)


def test_a_turn_that_is_cancelled_frees_its_memory() -> None:
    async def test(one: Served) -> None:
        socket = await one.native()
        await socket.send_json({"op": "turn", "id": "t", "input_tokens": 4000, "output_tokens": 30_000})
        await frames(socket, "tok")
        assert one.used_kv() > 4000
        await socket.send_json({"op": "cancel", "id": "t"})
        end = (await frames(socket, "end"))[-1]
        assert end["end"] == "cancelled"
        assert 0 < end["usage"]["output_tokens"] < 30_000
        await until(lambda: one.used_kv() == 0)
        await socket.close()
        await one.settled()

    served(test, speed=1.0)


def speech(seconds: float) -> str:
    """Sound as a client sends it, that nobody takes for silence."""
    rate = 24_000
    swell = np.abs(np.sin(np.arange(int(seconds * rate)) * 4 * np.pi / rate))
    tone = np.sin(np.arange(int(seconds * rate)) * 300 * np.pi / rate)
    return base64.b64encode((9000 * swell * tone).astype("<i2").tobytes()).decode()


def test_a_caller_who_interrupts_ends_the_request_in_the_pipeline() -> None:
    async def test(one: Served) -> None:
        async with one.connect("/v1/realtime?model=tiny@gpu") as socket:
            one.driver.clock.pause()  # so that the reply does not end before somebody speaks
            await socket.send_json({"type": "response.create", "response": {"instructions": "Tell a long story."}})
            await until(lambda: one.driver.outside.num_open == 1)
            while one.used_kv() == 0:
                one.driver.step(10**8)
            for sound in (base64.b64encode(bytes(48_000)).decode(), speech(1.0)):
                await socket.send_json({"type": "input_audio_buffer.append", "audio": sound})
            await frames(socket, "input_audio_buffer.speech_started")
            one.driver.clock.resume()
            done = (await frames(socket, "response.done"))[-1]["response"]
            assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
            await until(lambda: one.used_kv() == 0)
        await one.settled()

    served(test)


def test_more_conversations_than_places_come_one_after_the_other() -> None:
    async def test(one: Served) -> None:
        for number in range(SLOTS + 20):
            assert (await one.chat(f"Question {number}", max_tokens=5))[0] == 200
        await one.settled()

    served(test)


def test_a_crowd_that_comes_at_once_waits_for_places_that_others_leave() -> None:
    """More conversations than places in short order, while one pipeline still works at what the other has replied."""

    async def test(one: Served) -> None:
        for _ in range(4):
            answers = await asyncio.gather(*(one.chat(f"Q {n}", max_tokens=100, ignore_eos=True) for n in range(50)))
            assert {status for status, _ in answers} == {200}
        await one.settled()

    served(test, make_plan=playground, speed=20.0)


def test_as_many_requests_at_a_time_as_there_are_places() -> None:
    async def test(one: Served) -> None:
        native = await one.native()
        one.driver.clock.pause()
        for number in range(SLOTS + 1):
            turn = {"op": "turn", "id": str(number), "input_tokens": 4, "output_tokens": 4}
            await native.send_json(turn)
        end = (await frames(native, "end"))[-1]
        assert (end["id"], end["end"]) == (str(SLOTS), "throttled")
        assert "all places" in end["reason"]
        one.driver.clock.resume()
        await native.close()
        await one.settled()

    served(test)


def playground(more: list[str]) -> Plan:
    tables, path = load_tables("playground")
    tables.pop("duration_s")
    apply_settings(tables, ["coding.sessions=1", "voice.sessions=1", *more])
    return plan_run(parse_scenario(tables, path), outside=64)


def test_a_run_that_begins_anew_ends_requests_cleanly_and_takes_others() -> None:
    async def test(one: Served) -> None:
        body = {"model": "x@gpu", "messages": [{"role": "user", "content": "Hi"}], "stream": True, **LONG}
        native = await one.native()
        await native.send_json({"op": "turn", "id": "t", "input_tokens": 40, "output_tokens": 30_000})
        await frames(native, "tok")
        before = one.driver
        async with (
            one.connect("/v1/observe") as feed,
            one.session.post(f"{one.url}/v1/chat/completions", json=body) as stream,
        ):
            await stream.content.readany()
            await feed.send_str(encode(SetKnob("gpu", "network_ms", 9.0)).decode())
            end = (await frames(native, "end"))[-1]
            assert end["end"] == "failed"
            assert "started anew" in end["reason"]
            assert "started anew" in await stream.text()
        assert one.driver is not before
        await native.send_json({"op": "turn", "id": "u", "input_tokens": 40, "output_tokens": 20})
        assert (await frames(native, "end"))[-1]["end"] == "done"
        await native.close()
        assert (await one.chat(max_tokens=5))[0] == 200

    served(test, make_plan=playground, speed=5.0)


def test_a_paused_run_gives_nothing_and_goes_on_where_it_stood() -> None:
    async def test(one: Served) -> None:
        native = await one.native()
        async with one.connect("/v1/observe") as feed:
            await feed.send_str(encode(Pause()).decode())
            await until(lambda: one.driver.clock.is_paused)
            await native.send_json({"op": "turn", "id": "t", "input_tokens": 40, "output_tokens": 200})
            await until(lambda: one.driver.outside.num_open == 1)
            at_ps = one.driver.now_ps
            async with one.session.get(f"{one.url}/health") as answer:  # others are served meanwhile
                assert (await answer.json())["virtual_s"] == at_ps / 1e12
            assert one.driver.now_ps == at_ps
            await feed.send_str(encode(SetSpeed(50.0)).decode())
            await feed.send_str(encode(Resume()).decode())
            told = await frames(native, "end")
        assert told[-1]["end"] == "done"
        assert told[-1]["usage"]["output_tokens"] == 200
        await native.close()
        await one.settled()

    served(test)


def test_a_voice_delay_that_spans_two_runs_is_not_forgotten() -> None:
    """The clock of sessions goes on when another run begins, whose time begins anew."""

    async def test(one: Served) -> None:
        before = one.desk.now_s
        await until(lambda: one.desk.now_s > before + 1)
        one.gateway.begin(type(one.driver)(outside_again(), type(one.driver.clock)(20.0)))
        assert one.desk.now_s >= before + 1
        await asyncio.sleep(0)

    from support.gateways import outside_plan as outside_again

    served(test)

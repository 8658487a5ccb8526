"""The gateway under load: how exactly tokens are paced, and the share of a core that it takes.

python benchmarks/gateway.py [--seconds 8] [--only native,responses,chat,turns,idle] [--small]

Every stream is served by a server of its own, without speculation, so that its tokens come at an even pace, which the
service's speed sets to what is wanted (50 or 3,000 a second, or one in 10 ms). The service says afterwards when the
first and the last token were due, in virtual time; between them a step grows in proportion to the context, by as much
as two turns of different length show. Error = receive time - (send time + due time), per token,
one clock for both; it holds the way of the request, the service's tick of 2 ms and that tokens are told together when
less than 4 ms apart. Frames are stamped by one client process and read after the run; how late its own timers fire
stands beside. Shares of a core are those of the whole service, read from /proc, so that this runs on Linux alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
from numpy.typing import NDArray

from subsecond.agents.tokens import default_counter

Times = NDArray[np.float64]

MODEL = "gpt-oss-120b@gpu"
#: Turns of a run begin so far apart, in s of the wall, and the part of a run that is not measured for the CPU's share.
STAGGER_S, SETTLE_S = 1.0, 2.0
#: Tokens of the turn that shows the pace.
SHORT = 200
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1024


@dataclass
class Service:
    """A service in a process of its own."""

    base: str
    pid: int
    speed: float


@contextlib.asynccontextmanager
async def served(streams: int, speed: float) -> AsyncIterator[Service]:
    """A run with as many servers as streams, and a simulated session that asks for next to nothing."""
    options = ["--speed", f"{speed:g}", "--port", "0", "--owned"]
    for setting in (f"gpu.replicas={max(1, streams)}", "gpu.draft_tokens=0", "coding.sessions=1", "voice.sessions=1"):
        options += ["--set", setting]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "subsecond.tui.cli", "serve", "playground"),
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    place = urlsplit(json.loads(await process.stdout.readline())["url"]).netloc
    try:
        yield Service(f"http://{place}", process.pid, speed)
    finally:
        process.stdin.close()
        await process.wait()


@dataclass(frozen=True)
class Pace:
    """How tokens follow each other in virtual time.

    Attributes:
        step_ms: mean of a turn of `SHORT` tokens.
        speed: virtual seconds per second.
    """

    step_ms: float
    speed: float = 1.0

    def after_first_ms(self, whole_ms: float, tokens: int) -> Times:
        """When each token of a turn is due after the first one, the last one after `whole_ms`."""
        steps = tokens - 1
        growth_ms = (whole_ms / steps - self.step_ms) / (steps - SHORT + 1) if steps >= 2 * SHORT else 0.0
        first_ms = whole_ms / steps - growth_ms * steps
        at = np.arange(tokens)
        return first_ms * at + growth_ms * at * at


@dataclass
class Stream:
    """One reply: when it was asked for, what came when, and the service's own times in ms of virtual time."""

    sent_s: float = 0.0
    frames: list[tuple[float, Any]] = field(default_factory=list)

    def marks(self) -> list[tuple[float, int]]:
        """(receive time, tokens so far)."""
        raise NotImplementedError  # each protocol says its own

    def due_ms(self) -> tuple[float, float, int]:
        """TTFT, latency and tokens."""
        raise NotImplementedError  # each protocol says its own

    def errors_s(self, pace: Pace) -> tuple[Times, list[float]]:
        """Error of each token, and of the gaps between frames."""
        ttft_ms, latency_ms, tokens = self.due_ms()
        due_s = self.sent_s + (ttft_ms + pace.after_first_ms(latency_ms - ttft_ms, tokens)) / 1e3 / pace.speed
        marks = self.marks()
        errors, before = [], 0
        for at_s, given in marks:
            errors.append(at_s - due_s[before:given])
            before = given
        gaps = [
            late_s - early_s - float(due_s[more - 1] - due_s[fewer - 1])
            for (early_s, fewer), (late_s, more) in pairwise(marks)
        ]
        return np.concatenate(errors), gaps


class NativeStream(Stream):
    """Frames of `/v1/native`."""

    def marks(self) -> list[tuple[float, int]]:
        messages = [(at_s, json.loads(data)) for at_s, data in self.frames]
        return [(at_s, message["n"]) for at_s, message in messages if message["op"] == "tok"]

    def due_ms(self) -> tuple[float, float, int]:
        end = json.loads(self.frames[-1][1])
        return end["ttft_ms"], end["latency_ms"], end["usage"]["output_tokens"]


class TextStream(Stream):
    """Frames that carry text: tokens are counted as the service counts them."""

    def deltas(self) -> list[tuple[float, str]]:
        raise NotImplementedError  # each protocol says its own

    def marks(self) -> list[tuple[float, int]]:
        counter, marks, given = default_counter(), [], 0
        for at_s, text in self.deltas():
            given += counter.count(text)
            marks.append((at_s, given))
        return marks


class ResponsesStream(TextStream):
    """Frames of `/v1/responses`."""

    def deltas(self) -> list[tuple[float, str]]:
        events = [(at_s, json.loads(data)) for at_s, data in self.frames]
        return [(at_s, event["delta"]) for at_s, event in events if event["type"] == "response.output_text.delta"]

    def due_ms(self) -> tuple[float, float, int]:
        response = json.loads(self.frames[-1][1])["response"]
        times = response["metadata"]
        tokens = response["usage"]["output_tokens"]
        return float(times["subsecond_ttft_ms"]), float(times["subsecond_latency_ms"]), tokens


class ChatStream(TextStream):
    """Chunks of chat completions over HTTP."""

    def chunks(self) -> list[tuple[float, dict[str, Any]]]:
        return [
            (at_s, json.loads(line[6:]))
            for at_s, data in self.frames
            for line in data.split(b"\n")
            if line.startswith(b"data: {")
        ]

    def deltas(self) -> list[tuple[float, str]]:
        found = [(at_s, chunk["choices"]) for at_s, chunk in self.chunks()]
        return [
            (at_s, choices[0]["delta"]["content"])
            for at_s, choices in found
            if choices and choices[0]["delta"].get("content")
        ]

    def due_ms(self) -> tuple[float, float, int]:
        usage = self.chunks()[-1][1]["usage"]
        return usage["subsecond"]["ttft_ms"], usage["subsecond"]["latency_ms"], usage["completion_tokens"]


async def native(http: aiohttp.ClientSession, base: str, tokens: int, ready: asyncio.Event, wait_s: float) -> Stream:
    """A turn of so many tokens."""
    stream = NativeStream()
    async with http.ws_connect(f"{base}/v1/native", max_msg_size=0, compress=0) as socket:
        await socket.send_json({"op": "hello", "version": 1, "kind": "coding"})
        await socket.receive()
        await ready.wait()
        await asyncio.sleep(wait_s)
        turn = {"op": "turn", "id": "t", "input_tokens": 50, "output_tokens": tokens, "pipeline": "gpu"}
        stream.sent_s = time.perf_counter()
        await socket.send_json(turn)
        async for message in socket:
            stream.frames.append((time.perf_counter(), message.data))
            if message.data.startswith('{"op":"end"') or '"op": "end"' in message.data[:20]:
                break
    return stream


async def responses(http: aiohttp.ClientSession, base: str, tokens: int, ready: asyncio.Event, wait_s: float) -> Stream:
    """A response of so many tokens."""
    stream = ResponsesStream()
    async with http.ws_connect(f"{base}/v1/responses", max_msg_size=0, compress=0) as socket:
        await ready.wait()
        await asyncio.sleep(wait_s)
        asked = {
            "type": "response.create",
            "model": MODEL,
            "input": "Go.",
            "max_output_tokens": tokens,
            "ignore_eos": True,
        }
        stream.sent_s = time.perf_counter()
        await socket.send_json(asked)
        async for message in socket:
            stream.frames.append((time.perf_counter(), message.data))
            if '"response.completed"' in message.data[:80] or '"response.incomplete"' in message.data[:80]:
                break
    return stream


async def chat(http: aiohttp.ClientSession, base: str, tokens: int, ready: asyncio.Event, wait_s: float) -> Stream:
    """A chat completion of so many tokens, streamed."""
    stream = ChatStream()
    await ready.wait()
    await asyncio.sleep(wait_s)
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Go."}],
        "max_completion_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    stream.sent_s = time.perf_counter()
    async with http.post(f"{base}/v1/chat/completions", json=asked) as response:
        async for data in response.content.iter_any():
            stream.frames.append((time.perf_counter(), data))
    return stream


PROTOCOLS = {"native": native, "responses": responses, "chat": chat}


async def measured_pace() -> Pace:
    """Of one stream that is served alone."""
    ready = asyncio.Event()
    ready.set()
    async with served(1, 1.0) as service, aiohttp.ClientSession() as http:
        stream = await native(http, service.base, SHORT, ready, 0.0)
    ttft_ms, latency_ms, tokens = stream.due_ms()
    return Pace((latency_ms - ttft_ms) / (tokens - 1))


def quantiles(values_s: Any) -> str:
    """p50, p99 and p99.9 in ms."""
    if not len(values_s):
        return "-"
    return " / ".join(f"{1e3 * value:.1f}" for value in np.quantile(values_s, (0.5, 0.99, 0.999)))


async def timer_lateness(late_s: list[float]) -> None:
    """How late this process's own timers fire."""
    while True:
        due_s = time.perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late_s.append(time.perf_counter() - due_s)


async def pacing(protocol: str, streams: int, per_s: float, pace: Pace, seconds: float) -> str:
    """One row: so many streams side by side at so many tokens per second each."""
    speed = per_s * pace.step_ms / 1e3
    if not 0.1 <= speed <= 100:
        return f"{protocol:<10}{streams:>5} x {per_s:>5.0f}/s   needs speed {speed:.2f}, which no service has"
    tokens = max(2, round(per_s * seconds))
    late_s: list[float] = []
    ready = asyncio.Event()
    async with (
        served(streams, speed) as service,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        ) as http,
    ):
        ask = PROTOCOLS[protocol]
        start = asyncio.Event()
        start.set()
        await ask(http, service.base, 10, start, 0.0)  # what is loaded at the first request is not measured
        tasks = [
            asyncio.create_task(ask(http, service.base, tokens, ready, STAGGER_S * number / streams))
            for number in range(streams)
        ]
        await asyncio.sleep(SETTLE_S)
        ready.set()
        timer = asyncio.create_task(timer_lateness(late_s))
        await asyncio.sleep(STAGGER_S + 1.0)
        began_s, used_s = time.perf_counter(), cpu_s(service.pid)
        await asyncio.sleep(max(1.0, seconds - STAGGER_S - 2.0))
        share = (cpu_s(service.pid) - used_s) / (time.perf_counter() - began_s)
        done = await asyncio.gather(*tasks)
        timer.cancel()
    return row(protocol, streams, per_s, replace(pace, speed=speed), share, done, late_s)


def row(
    protocol: str, streams: int, per_s: float, pace: Pace, share: float, done: list[Stream], late_s: list[float]
) -> str:
    """What a run came to."""
    errors, gaps, first = [], [], []
    for stream in done:
        own, own_gaps = stream.errors_s(pace)
        errors.append(own)
        gaps += own_gaps
        first.append(own[0])
    return (
        f"{protocol:<10}{streams:>5} x {per_s:>5.0f}/s  {quantiles(np.concatenate(errors)):>22}"
        f"  {quantiles(first):>22}  {quantiles(np.abs(gaps)):>20}  {100 * share:>4.0f} %  {quantiles(late_s):>18}"
    )


async def turns(connections: int, seconds: float) -> str:
    """Short turns one after the other on each connection, as fast as they are answered."""
    counts = [0] * connections
    async with served(connections, 100.0) as service, aiohttp.ClientSession() as http:
        end_s = time.perf_counter() + seconds

        async def one(number: int) -> None:
            async with http.ws_connect(f"{service.base}/v1/native", max_msg_size=0, compress=0) as socket:
                await socket.send_json({"op": "hello", "version": 1})
                await socket.receive()
                while time.perf_counter() < end_s:
                    turn = {"op": "turn", "id": "t", "input_tokens": 50, "output_tokens": 1, "pipeline": "gpu"}
                    await socket.send_json(turn)
                    while (message := json.loads((await socket.receive()).data))["op"] != "end":
                        pass
                    counts[number] += message["end"] == "done"

        used_s, began_s = cpu_s(service.pid), time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(connections)))
        spent_s = time.perf_counter() - began_s
        share = (cpu_s(service.pid) - used_s) / spent_s
    per_s = sum(counts) / spent_s
    return f"turns of 1 token, {connections:>3} connections: {per_s:,.0f} turns/s, {100 * share:.0f} % of a core"


async def idle(connections: int) -> str:
    """Memory of connections that say nothing."""
    async with (
        served(1, 1.0) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        contextlib.AsyncExitStack() as sockets,
    ):
        found = []
        for path in ("native", "responses", "realtime"):
            await asyncio.sleep(1.0)
            before_kib = memory_kib(service.pid)
            for _ in range(connections):
                await sockets.enter_async_context(http.ws_connect(f"{service.base}/v1/{path}", compress=0))
            await asyncio.sleep(1.0)
            found.append(f"{path} {(memory_kib(service.pid) - before_kib) / connections:.1f} KiB")
    return f"idle connection ({connections} of each): {', '.join(found)}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", default="native,responses,chat,turns,idle")
    parser.add_argument("--small", action="store_true", help="the smaller half of the loads")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    pace = await measured_pace()
    print(f"one stream: {1e3 / pace.step_ms:.1f} tokens/s of virtual time; times in ms: p50 / p99 / p99.9")
    titles = ("token error", "first token error", "|gap error|", "CPU", "client's timers late")
    print(f"{'':<24}{titles[0]:>22}  {titles[1]:>22}  {titles[2]:>20}  {titles[3]:>6}  {titles[4]:>18}")
    loads: list[tuple[str, int, float]] = []
    for protocol in ("native", "responses"):
        loads += [(protocol, streams, 50.0) for streams in (10, 100, 500, 1000)]
        loads += [(protocol, streams, 3000.0) for streams in (1, 10, 50)]
    loads += [("chat", streams, 100.0) for streams in (64, 256)]
    for protocol, streams, per_s in loads:
        if protocol in only and not (arguments.small and streams > 100):
            print(await pacing(protocol, streams, per_s, pace, arguments.seconds), flush=True)
    if "turns" in only:
        for connections in (1, 32):
            print(await turns(connections, arguments.seconds), flush=True)
    if "idle" in only:
        print(await idle(200 if arguments.small else 1000), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

"""MQTT: turns per second from an engine's telemetry through a broker to a listener, and what it costs the engine.

python benchmarks/mqtt.py [--turns 20000] [--sessions 1000] [--seconds 15]

Needs `mosquitto`, in a process of its own; speaker and listener share one process, so a figure is of both together.
First turns as they are sent, in numbered batches, then one by one in three ways, for comparison. Then `subsecond serve`
in a process of its own with one observer, as `benchmarks/service.py` measures it: without a broker, with one, and with
one that stands still.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from service import measured

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.brokers import Mosquitto
from support.feeds import playground

from subsecond.engine.feed import Hello, TurnEnd, encode
from subsecond.engine.telemetry.broker import Broker, connection, read_broker
from subsecond.engine.telemetry.listener import Event, Heard, Listener
from subsecond.engine.telemetry.publisher import WINDOW, Telemetry


def rate(what: str, turns: int, seconds: float, cpu_s: float) -> None:
    print(f"{what:<34} {turns / seconds:9,.0f} turns/s, {1e6 * cpu_s / turns:6.0f} us of CPU a turn", flush=True)


async def batched(broker: Broker, turns: list[TurnEnd]) -> None:
    """As an engine does it, listener and all."""
    (hello, *_) = playground()
    assert isinstance(hello, Hello)
    done, heard = asyncio.Event(), 0

    def take(event: Event) -> None:
        nonlocal heard
        heard += isinstance(event, Heard) and isinstance(event.message, TurnEnd)
        if heard == len(turns):
            done.set()

    telemetry = Telemetry(broker)
    telemetry.begin(hello, {})
    tasks = [asyncio.create_task(telemetry.run()), asyncio.create_task(Listener(broker, take, past_batches=None).run())]
    telemetry.put(turns[:1])
    while not heard:  # both are connected
        await asyncio.sleep(0.01)
    begin, cpu = time.perf_counter(), time.process_time()
    for first in range(1, len(turns), 500):
        telemetry.put(turns[first : first + 500])
        await asyncio.sleep(0)
    await done.wait()
    rate("batches of up to 256, QoS 1", len(turns), time.perf_counter() - begin, time.process_time() - cpu)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def singly(broker: Broker, turns: list[TurnEnd], qos: int, window: int) -> None:
    """A message for each turn, so many at a time."""
    async with connection(broker.client("ear")) as ear, connection(broker.client("mouth", window=window)) as mouth:
        await ear.subscribe("bench/turn", qos=qos)

        async def listen() -> None:
            for _ in turns:
                await anext(ear.messages)

        async def speak(part: list[TurnEnd]) -> None:
            for turn in part:
                await mouth.publish("bench/turn", encode(turn), qos=qos)

        begin, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(listen(), *(speak(turns[place::window]) for place in range(window)))
    what = f"one by one, QoS {qos}, {window} at a time"
    rate(what, len(turns), time.perf_counter() - begin, time.process_time() - cpu)


async def cost(what: str, sessions: int, seconds: float, *options: str) -> None:
    """How late a service handles events."""
    print(f"{what:<24} {sessions:,} sessions: {await measured(sessions, seconds, *options)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    one = next(message for message in playground() if isinstance(message, TurnEnd))
    turns = [msgspec.structs.replace(one, turn=number) for number in range(options.turns)]
    print(f"{len(encode(one))} bytes a turn")
    lines = ("max_queued_messages 0",)  # QoS 0 would lose what the listener is too slow for
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder), lines=lines) as mosquitto:
        broker = read_broker(mosquitto.url)
        asyncio.run(batched(broker, turns))
        for qos, window in ((1, WINDOW), (1, 1), (0, 1)):
            asyncio.run(singly(broker, turns[: len(turns) // 4], qos, window))
        asyncio.run(cost("no broker", options.sessions, options.seconds))
        asyncio.run(cost("mosquitto", options.sessions, options.seconds, "--mqtt", mosquitto.url))
        os.kill(mosquitto.pid, signal.SIGSTOP)
        asyncio.run(cost("mosquitto stands still", options.sessions, options.seconds, "--mqtt", mosquitto.url))
        os.kill(mosquitto.pid, signal.SIGCONT)


if __name__ == "__main__":
    main()

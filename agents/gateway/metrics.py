"""The state of gateway and pipelines as Prometheus text; collected when somebody asks, and free otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .desk import Desk
from .roster import Roster

__all__ = ["exposition"]

PS_PER_S = 10**12


class _Collector:
    """Reads everything at one moment."""

    def __init__(self, desk: Desk, roster: Roster, connections: int) -> None:
        self._desk = desk
        self._roster = roster
        self._connections = connections

    def collect(self) -> Iterable[Metric]:
        yield from self._of_the_gateway()
        yield from self._of_the_pipelines()

    def _of_the_gateway(self) -> Iterable[Metric]:
        now = self._desk.driver.now_ps
        yield GaugeMetricFamily("subsecond_connections", "Websockets and HTTP requests open", self._connections)
        yield GaugeMetricFamily("subsecond_requests_open", "Model requests that clients wait for", self._desk.num_open)
        yield GaugeMetricFamily("subsecond_virtual_seconds", "Virtual time of the run", now / PS_PER_S)
        names = ["protocol"]
        agents = GaugeMetricFamily("subsecond_outside_agents", "Agents connected from outside", labels=names)
        turns = CounterMetricFamily("subsecond_outside_turns", "Their turns that have ended", labels=names)
        missed = CounterMetricFamily("subsecond_outside_turns_missed", "Of these, late or failed", labels=names)
        errors = CounterMetricFamily("subsecond_outside_errors", "Messages that could not be taken", labels=names)
        received = CounterMetricFamily("subsecond_received_bytes", "Bytes of messages from agents", labels=names)
        sent = CounterMetricFamily("subsecond_sent_bytes", "Bytes of messages to agents", labels=names)
        connected = Counter(entry.protocol for entry in self._roster if entry.is_connected(now))
        for protocol, totals in sorted(self._roster.totals().items()):
            agents.add_metric([protocol], connected[protocol])
            turns.add_metric([protocol], totals.turns)
            missed.add_metric([protocol], totals.missed)
            errors.add_metric([protocol], totals.errors)
            received.add_metric([protocol], totals.bytes_in)
            sent.add_metric([protocol], totals.bytes_out)
        yield from (agents, turns, missed, errors, received, sent)

    def _of_the_pipelines(self) -> Iterable[Metric]:
        names = ["pipeline", "server"]
        queued = GaugeMetricFamily("subsecond_queued_requests", "Requests that wait for a server", labels=names)
        batch = GaugeMetricFamily("subsecond_batch_requests", "Requests in a server's batch", labels=names)
        used = GaugeMetricFamily("subsecond_kv_used_tokens", "KV tokens in use", labels=names)
        retained = GaugeMetricFamily("subsecond_kv_retained_tokens", "KV tokens kept for reuse", labels=names)
        busy = CounterMetricFamily("subsecond_busy_seconds", "Virtual time in iterations", labels=names)
        hits = CounterMetricFamily("subsecond_prefix_hit_tokens", "Prompt tokens found in the cache", labels=names)
        prefilled = CounterMetricFamily("subsecond_prefill_tokens", "Prompt tokens computed", labels=names)
        for lane in self._desk.driver.lanes:
            units = lane.pipeline.core.entry.units_per_token
            for load in lane.engine.loads():
                labels = [lane.name, load.name]
                in_batch = load.num_decoding + load.num_prefilling
                queued.add_metric(labels, max(0, load.num_requests - in_batch))
                batch.add_metric(labels, in_batch)
                used.add_metric(labels, load.used_units // units)
                retained.add_metric(labels, load.retained_units // units)
                busy.add_metric(labels, load.busy_ps / PS_PER_S)
                hits.add_metric(labels, load.hit_tokens)
                prefilled.add_metric(labels, load.prefill_tokens)
        yield from (queued, batch, used, retained, busy, hits, prefilled)


def exposition(desk: Desk, roster: Roster, connections: int) -> bytes:
    """Everything at this moment in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(desk, roster, connections))
    return generate_latest(registry)

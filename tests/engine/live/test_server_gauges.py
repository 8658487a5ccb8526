"""What gauges count about servers: links in use, tokens computed and tokens found in caches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.plans import Hand, driver, plan
from support.small import MS, disaggregated

from subsecond.engine.core.config import Link
from subsecond.engine.feed import ServerGauge


def slow_link() -> Link:
    """A token takes 20 us at the full rate, which one flow alone does not reach."""
    return Link(unit_ps=20 * 10**6, t0_ps=MS, fill_quarters=6, max_flows=3)


def test_a_link_carries_what_was_sent_and_never_more_than_its_rate() -> None:
    pipeline = replace(disaggregated(decoders=2), link=slow_link())
    hand = Hand()
    live = driver(plan(cores={"split": pipeline}), hand, speed=1.0)
    links = [server.link_tokens_per_s for server in live.hello("run", "").lanes[0].servers]
    assert links == [0.0, 0.0, 50_000.0, 50_000.0]
    before: tuple[ServerGauge, ...] = ()
    most_flows = 0
    for _ in range(400):
        hand.now_s += 0.002
        live.advance()
        (gauges,) = live.gauges()
        assert gauges.flows == sum(server.flows for server in gauges.servers)
        most_flows = max(most_flows, gauges.flows)
        # what a link did before its last event is noted then: so much may come on top of a period's share
        for server, last in zip(gauges.servers, before, strict=False):
            assert server.received_tokens >= last.received_tokens
            assert server.busy_ps >= last.busy_ps
            assert server.busy_ps - last.busy_ps <= 2 * MS + 10
        before = gauges.servers
        assert all(server.received_tokens <= 50_000 * gauges.at_ps / 1e12 for server in gauges.servers)
    assert most_flows > 1
    assert live.gauges()[0].open_turns == 0
    for server, counter in zip(before, live.lanes[0].engine.counters(), strict=True):
        assert server.received_tokens == pytest.approx(counter.transferred_units, abs=1)
        assert (server.prefill_tokens, server.hit_tokens) == (counter.prefill_tokens, counter.hit_tokens)
    assert sum(server.received_tokens for server in before) > 1000
    assert sum(server.hit_tokens for server in before) > 0


def test_a_pipeline_without_links_has_no_rate() -> None:
    live = driver(plan(), Hand())
    gpu, split = live.hello("run", "").lanes
    assert [server.link_tokens_per_s for server in gpu.servers] == [0.0]
    assert split.servers[2].link_tokens_per_s == pytest.approx(1e12 / (10**5))

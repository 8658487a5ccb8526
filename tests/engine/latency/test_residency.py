"""Residency: whether the decode side keeps the KV of idle sessions decides what the handoff has to send."""

from __future__ import annotations

from support.small import workload

from subsecond.engine.core.engine import simulate
from subsecond.engine.latency.pipelines import build_pipeline


def test_without_residency_every_handoff_is_full() -> None:
    work = workload(sessions=3, requests=4, prompt=1000)
    sent = {}
    for residency in (0, 1):
        built = build_pipeline("trn-cs3", overrides={"residency": residency})
        decode = simulate(built.core, work, compiled=False).servers[built.core.entry.num_servers :]
        sent[residency] = sum(server.transferred_units for server in decode)
        pool = built.core.decode
        assert pool is not None
    full = sum(int(tokens) * pool.units_per_token + pool.fixed_units for tokens in work.prompt_tokens)
    assert sent[0] == full
    assert sent[1] < full

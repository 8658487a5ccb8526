"""Laws of offline tests, expert products, small operations and quantiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.latency.chip import chip, serving_stack
from subsecond.engine.latency.model import model_shape, weight_format
from subsecond.engine.latency.steady import Load, closed_loop, largest_batch, prefill_alone, queued_rate
from subsecond.engine.latency.step import Deployment, Layout

LOAD = Load(input_tokens=1024, output_tokens=1024)


def served(
    model: str = "gpt-oss-120b",
    device: str = "h200-sxm",
    devices: int = 1,
    *,
    dtype: str = "",
    spread: bool = False,
    engine: str = "vllm",
) -> Deployment:
    facts = catalog()
    shape = model_shape(facts.entry("models", model))
    return Deployment(
        shape,
        weight_format(shape, dtype),
        2.0,
        chip(facts.entry("devices", device)),
        serving_stack(facts, engine, device),
        Layout(devices, spread),
    )


def with_stack(server: Deployment, **changes: Any) -> Deployment:
    return replace(server, stack=replace(server.stack, **changes))


def with_chip(server: Deployment, **changes: Any) -> Deployment:
    return replace(server, chip=replace(server.chip, **changes))


def test_whole_rounds_lose_nothing() -> None:
    server = served()
    places = largest_batch(server, LOAD)
    steady = closed_loop(server, LOAD).rate_tokens_s
    for rounds in (1, 2, 5):
        assert queued_rate(server, LOAD, places * rounds) == pytest.approx(steady)


def test_a_last_round_that_is_not_full_costs_rate() -> None:
    server = served()
    places = largest_batch(server, LOAD)
    steady = closed_loop(server, LOAD).rate_tokens_s
    rates = [queued_rate(server, LOAD, places * rounds) for rounds in (1.1, 2.1, 10.1)]
    assert rates == sorted(rates)
    assert rates[0] < 0.95 * steady
    assert 0.95 * steady < rates[-1] < steady


def test_a_test_smaller_than_the_server_is_slower() -> None:
    server = served()
    rates = [queued_rate(server, LOAD, requests) for requests in (1.0, 8.0, 64.0, 256.0)]
    assert rates == sorted(rates)


def test_rounds_do_not_matter_to_prefill() -> None:
    server, work = served(), Load(input_tokens=8192, output_tokens=1)
    steady = closed_loop(server, work).rate_tokens_s
    assert queued_rate(server, work, 1.5 * largest_batch(server, work)) == pytest.approx(steady, rel=0.01)


def test_tiles_pad_few_tokens_per_expert_most() -> None:
    server = served()
    plain = with_chip(server, expert_tile_rows=0.0)
    tokens = np.array([64.0, 512.0, 8192.0, 65536.0])
    dense = served("llama-3.1-8b")
    rows = server._padded_expert_params(tokens, np.ones_like(tokens)) / plain._padded_expert_params(
        tokens, np.ones_like(tokens)
    )
    assert (np.diff(rows) < 0).all()
    assert (rows > 1.0).all()
    assert (rows < 2.0).all()
    assert (server.products_s(tokens) >= plain.products_s(tokens)).all()
    assert (dense.products_s(tokens) == with_chip(dense, expert_tile_rows=0.0).products_s(tokens)).all()


def test_more_experts_need_more_tokens_to_fill_their_tiles() -> None:
    """gpt-oss-20b has a fourth of the experts of gpt-oss-120b, so a prefill chunk pads it less."""
    tokens = np.array([8192.0])
    small, large = (served(name) for name in ("gpt-oss-20b", "gpt-oss-120b"))
    padding = [
        float(s._padded_expert_params(tokens, np.ones(1))[0]) / (s.model.active_expert_params * tokens[0])
        for s in (small, large)
    ]
    assert padding[0] < padding[1]


def test_the_busiest_device_counts_where_experts_are_spread() -> None:
    tokens = np.array([16384.0])
    for spread, matters in ((True, True), (False, False)):
        server = served("qwen3-235b-a22b", devices=8, dtype="fp8", spread=spread)
        even = with_stack(server, expert_imbalance=1.0)
        assert (float(server.products_s(tokens)[0]) > float(even.products_s(tokens)[0])) is matters


def test_latent_attention_and_shared_experts_are_further_operations() -> None:
    for name, more in (
        ("deepseek-v3", True),
        ("llama-4-scout", True),
        ("qwen3.5-35b-a3b", True),
        ("gpt-oss-20b", False),
    ):
        server = served(name)
        assert (server.fixed_s > with_stack(server, operation_s=0.0).fixed_s) is more


def test_weights_scaled_by_block_are_slower_where_the_chip_does_not_scale() -> None:
    tokens = np.array([8192.0])
    for device, slower in (("h200-sxm", True), ("b200", False)):
        server = served("deepseek-v3", device, 8)
        assert server.weights.precision == "fp8-block"
        per_tensor = replace(server, weights=replace(server.weights, precision="fp8"))
        assert (float(server.products_s(tokens)[0]) > float(per_tensor.products_s(tokens)[0])) is slower
    assert served("deepseek-v3", devices=8, dtype="fp8").weights == served("deepseek-v3", devices=8).weights


def test_a_slow_client_lowers_the_rate_and_no_latency() -> None:
    server = served("llama-3.3-70b", devices=4, engine="oci-genai")
    fast = with_stack(server, client_s=0.0)
    work = Load(input_tokens=480, output_tokens=300)
    for users in (1, 256):
        slow, quick = closed_loop(server, work, users), closed_loop(fast, work, users)
        assert slow.rate_tokens_s < quick.rate_tokens_s
        assert (slow.ttft_s, slow.tpot_s) == (quick.ttft_s, quick.tpot_s)
        assert 1 / slow.rate_tokens_s == pytest.approx(1 / quick.rate_tokens_s + server.stack.client_s / 300)


def test_late_quantiles_wait_for_all_that_arrived_together() -> None:
    server = served("llama-3.1-8b")
    work = Load(input_tokens=2048, output_tokens=128)
    for users in (2, 16, 64):
        times = [closed_loop(server, work, users, quantile=q).ttft_s for q in (0.5, 0.9, 0.99, 0.999)]
        assert times == sorted(times)
        assert times[-1] <= closed_loop(server, work, users).ttft_s + users * prefill_alone(server, work)
    assert closed_loop(server, work, 64, quantile=0.99).ttft_s > closed_loop(server, work, 64).ttft_s
    assert closed_loop(server, work, 1, quantile=0.99) == closed_loop(server, work, 1)


def test_short_prompts_wait_for_the_host_of_2023() -> None:
    server = served("llama-2-70b", "a100-80g", 8, engine="splitwise-testbed-2023")
    floor = server.model.layers * server.stack.prefill_host_layer_s
    assert prefill_alone(server, Load(input_tokens=16, output_tokens=128)) == pytest.approx(floor)
    assert prefill_alone(server, Load(input_tokens=4096, output_tokens=128)) > 2 * floor

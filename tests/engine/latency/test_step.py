"""Laws of an iteration on accelerators: more work takes longer, more machine does not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.errors import InputError
from subsecond.engine.latency.chip import chip, serving_stack
from subsecond.engine.latency.model import model_shape, weight_format
from subsecond.engine.latency.steady import Load, best_rate, best_split_rate, closed_loop, largest_batch, prefill_alone
from subsecond.engine.latency.step import Deployment, Layout

MODELS = ("llama-3.1-70b", "gpt-oss-120b", "deepseek-v3", "qwen3.5-35b-a3b", "gemma-4-31b", "llama-4-maverick")
DEVICES = ("h200-sxm", "b200", "a100-80g", "trainium2", "h20", "mi300x", "rubin")


def served(
    model: str,
    device: str = "h200-sxm",
    devices: int = 8,
    dtype: str = "fp8",
    *,
    spread: bool = False,
    engine: str = "",
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


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", MODELS)
def test_an_iteration_grows_with_its_tokens(model: str, device: str) -> None:
    for spread in (False, True):
        times = served(model, device, spread=spread).tokens_s(np.arange(0, 20_000, 37, dtype=np.float64))
        assert (np.diff(times) >= 0).all()
        assert (times > 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_a_decode_step_grows_with_batch_and_context(model: str) -> None:
    server = served(model)
    for context in (100, 10_000, 100_000):
        steps = [server.decode_s(batch, context) for batch in (1, 2, 8, 64, 512)]
        assert steps == sorted(steps)
    steps = [server.decode_s(8, context) for context in (1, 100, 10_000, 100_000)]
    assert steps == sorted(steps)
    assert steps[0] < steps[-1]


@pytest.mark.parametrize("model", MODELS)
def test_batching_pays(model: str) -> None:
    server = served(model)
    rates = [batch / server.decode_s(batch, 1000) for batch in (1, 4, 16, 64, 256)]
    assert rates == sorted(rates)


@pytest.mark.parametrize("model", MODELS)
def test_prefill_grows_with_the_prompt_and_shrinks_with_the_cache(model: str) -> None:
    server = served(model)
    times = [server.prefill_s(tokens) for tokens in (1, 500, 8192, 8193, 100_000)]
    assert times == sorted(times)
    whole = server.prefill_s(100_000)
    hits = [server.prefill_s(100_000 - cached, cached) for cached in (0, 50_000, 99_000)]
    assert hits == sorted(hits, reverse=True)
    assert hits[0] == whole


def test_padding_never_shortens_a_prefill() -> None:
    server = served("qwen3-8b", "trainium2", 1, "bf16", engine="vllm-neuron")
    for tokens in (100, 2048, 3000, 9000):
        assert server.prefill_s(tokens, 0, 2048, True) >= server.prefill_s(tokens, 0, 2048)
    assert server.prefill_s(4096, 0, 2048, True) == pytest.approx(server.prefill_s(4096, 0, 2048))


@pytest.mark.parametrize("model", MODELS)
def test_more_chips_never_hold_more_per_chip(model: str) -> None:
    sizes = [served(model, devices=n).weight_bytes_per_device for n in (1, 2, 4, 8, 16)]
    assert sizes == sorted(sizes, reverse=True)
    rooms = [served(model, devices=n).kv_room_bytes for n in (1, 2, 4, 8)]
    if not model_shape(catalog().entry("models", model)).latent_attention:
        assert rooms == sorted(rooms)


def test_kv_heads_are_replicated_beyond_their_number() -> None:
    assert served("llama-3.1-70b", devices=8).kv_copies == 1  # 8 KV heads
    assert served("qwen3-235b-a22b", devices=8).kv_copies == 2  # 4
    assert served("deepseek-v3", devices=8).kv_copies == 8  # a latent cannot be split
    assert served("deepseek-v3", devices=8, spread=True).kv_copies == 1


def test_faster_memory_and_more_flops_help() -> None:
    slow = served("llama-3.1-70b", devices=4)
    wide = replace(slow, chip=replace(slow.chip, bandwidth_bytes_s=2 * slow.chip.bandwidth_bytes_s))
    strong = replace(slow, chip=replace(slow.chip, peak_flops={k: 2 * v for k, v in slow.chip.peak_flops.items()}))
    assert wide.decode_s(1, 1000) < slow.decode_s(1, 1000)
    assert strong.prefill_s(8192) < slow.prefill_s(8192)
    assert wide.kv_token_read_s == pytest.approx(slow.kv_token_read_s / 2)


def test_a_single_stream_cannot_beat_the_memory() -> None:
    server = served("llama-3.1-70b", devices=4)
    bound = server.model.always_params * 1.0 / (4 * server.chip.bandwidth_bytes_s)
    assert server.decode_s(1, 1) > bound


def test_one_device_has_no_collectives() -> None:
    assert served("qwen3-8b", devices=1).collectives_s(np.array([8192.0]))[0] == 0
    assert served("qwen3-8b", devices=2).collectives_s(np.array([8192.0]))[0] > 0


def test_stages_add_memory_and_no_speed() -> None:
    one = served("llama-3.1-405b", "h100-sxm", 8)
    two = replace(one, layout=Layout(16, stages=2))
    assert two.decode_s(4, 100) == one.decode_s(4, 100)
    assert two.kv_room_bytes > one.kv_room_bytes


def test_layout_of_nothing() -> None:
    with pytest.raises(InputError):
        served("qwen3-8b", devices=0)


LOAD = Load(1024, 512)


@pytest.mark.parametrize("model", MODELS)
def test_closed_loop_laws(model: str) -> None:
    server = served(model, "b200")
    results = [closed_loop(server, LOAD, n) for n in (1, 2, 8, 32, 128)]
    for before, after in itertools.pairwise(results):
        assert after.tpot_s > before.tpot_s
        assert after.ttft_s > before.ttft_s
        assert after.rate_tokens_s > before.rate_tokens_s
    for n, result in zip((1, 2, 8, 32, 128), results, strict=True):
        assert result.rate_tokens_s <= n / result.tpot_s * (1 + 1e-9)


def test_a_lone_request_waits_for_nobody() -> None:
    server = served("llama-3.1-70b")
    lone = closed_loop(server, LOAD, 1)
    assert lone.ttft_s == pytest.approx(server.stack.request_s + prefill_alone(server, LOAD))
    assert lone.tpot_s == pytest.approx(server.decode_s(1, LOAD.mean_context), rel=1e-6)


def test_a_full_server_is_the_limit_of_many_requests() -> None:
    server = served("llama-3.1-70b", devices=2)
    places = largest_batch(server, LOAD)
    full = closed_loop(server, LOAD)
    assert full.batch == pytest.approx(places)
    assert closed_loop(server, LOAD, 100_000).rate_tokens_s <= full.rate_tokens_s
    assert closed_loop(server, LOAD, 100_000).ttft_s > closed_loop(server, LOAD, 500).ttft_s


def test_speed_for_a_user_costs_rate() -> None:
    servers = [served("llama-3.3-70b", "b200", n, "fp4") for n in (1, 2, 4, 8)]
    rates = [best_rate(servers, LOAD, speed) for speed in (0, 30, 60, 90, 120, 1e6)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0.0
    assert best_split_rate(servers, LOAD, 1e6) == 0.0
    assert best_split_rate(servers, LOAD, 60) > 0.0


def test_speculation_speeds_a_lone_user_up() -> None:
    server = served("llama-3.1-70b")
    plain = closed_loop(server, LOAD, 1)
    drafted = closed_loop(server, replace(LOAD, draft_tokens=3, kept_tokens=2.88), 1)
    assert drafted.tpot_s < plain.tpot_s
    useless = closed_loop(server, replace(LOAD, draft_tokens=3, kept_tokens=1.0), 1)
    assert useless.tpot_s > plain.tpot_s


@pytest.mark.parametrize(
    ("engine", "device", "expected"),
    [
        ("vllm-0.11 + mooncake", "h800", "gpu"),
        ("inferencex (best of several)", "b200", "inferencex"),
        ("tensorrt-llm", "b200", "gpu"),
        ("an engine of tomorrow", "h100-sxm", "gpu"),
        ("", "trainium2", "nxd-inference"),
        ("vllm-neuron-0.24", "trainium2", "vllm-neuron"),
        ("vllm", "trainium3", "nxd-inference"),
        ("splitwise-testbed-2023", "a100-80g", "splitwise"),
        ("oci-genai", "h100-sxm", "oci-genai"),
    ],
)
def test_serving_stack_of_a_name(engine: str, device: str, expected: str) -> None:
    assert serving_stack(catalog(), engine, device).name == expected


def test_figures_of_a_stack_on_one_device() -> None:
    a100 = serving_stack(catalog(), "splitwise", "a100-80g")
    h100 = serving_stack(catalog(), "splitwise", "h100-sxm")
    assert h100.host_layer_s < a100.host_layer_s


def test_a_wafer_is_no_accelerator() -> None:
    with pytest.raises(InputError, match="gemm_utilisation"):
        chip(catalog().entry("devices", "wse-3"))

"""Decode from SRAM: latency per layer, wafers and what they leave for KV; transfers; speculation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.errors import InputError
from subsecond.engine.latency.model import model_shape
from subsecond.engine.latency.speculation import draft_length, kept_tokens
from subsecond.engine.latency.transfer import fabric, moved_bytes
from subsecond.engine.latency.wafer import WaferGroup, is_wafer, wafer, wafers_for_weights


def group(model: str, wafers: int = 0, device: str = "wse-3", draft: int = 0) -> WaferGroup:
    shape = model_shape(catalog().entry("models", model))
    machine = wafer(catalog().entry("devices", device))
    return WaferGroup(
        machine, shape, shape.native, 2.0, wafers or wafers_for_weights(machine, shape, shape.native), draft
    )


@pytest.mark.parametrize(
    ("model", "without_reserve"),
    [
        ("llama-3.1-8b", 1),
        ("qwen3-32b", 2),
        ("gpt-oss-120b", 2),
        ("llama-3.1-70b", 4),
        ("qwen3-235b-a22b", 11),
        ("deepseek-v3", 16),
        ("glm-4.7", 17),
        ("llama-3.1-405b", 19),
        ("qwen3-coder-480b-a35b", 22),
        ("kimi-k2-instruct", 24),
    ],
)
def test_wafers_for_the_weights(model: str, without_reserve: int) -> None:
    machine = replace(wafer(catalog().entry("devices", "wse-3")), sram_reserve=0.0)
    shape = model_shape(catalog().entry("models", model))
    assert wafers_for_weights(machine, shape, shape.native) == without_reserve
    least = wafers_for_weights(wafer(catalog().entry("devices", "wse-3")), shape, shape.native)
    assert least >= without_reserve
    assert group(model, least).kv_room_bytes >= 0
    assert least == 1 or group(model, least - 1).kv_room_bytes < 0


def test_a_wafer_more_is_its_sram_for_kv() -> None:
    more = group("gpt-oss-120b", 5).kv_room_bytes - group("gpt-oss-120b", 4).kv_room_bytes
    assert more == pytest.approx(44e9 * (1 - 0.08))


def test_a_step_is_a_sum_over_layers() -> None:
    g = group("llama-3.1-8b")
    m = g.machine
    assert g.step_s == pytest.approx(m.token_s + 32 * m.layer_s * m.software_gain)
    launch = replace(g, launch_software=True)
    assert launch.step_s == pytest.approx(m.token_s + 32 * m.layer_s)


def test_a_step_grows_with_layers_drafts_wafers_and_context() -> None:
    assert group("llama-3.1-70b").step_s > group("llama-3.1-8b").step_s
    assert group("gpt-oss-120b", draft=4).step_s > group("gpt-oss-120b").step_s
    assert group("gpt-oss-120b", 6).step_s > group("gpt-oss-120b", 4).step_s
    g = group("gpt-oss-120b", 4)
    assert g.decode_s(1, 100_000) > g.decode_s(1, 10)


def test_a_batch_is_free_up_to_the_layers() -> None:
    g = group("gpt-oss-120b", 4)
    kv = g.decode_s(36, 0) - 35 * (g.decode_s(2, 0) - g.decode_s(1, 0))
    assert g.slots == 36
    assert kv == pytest.approx(g.decode_s(1, 0))
    assert g.decode_s(37, 0) - g.decode_s(36, 0) > g.slot_s * 0.99


def test_decode_is_not_bound_by_the_sram() -> None:
    g = group("llama-3.1-70b")
    roofline = g.model.weight_bytes(g.weights) / (g.wafers * g.machine.bandwidth_bytes_s)
    assert g.step_s > 50 * roofline


def test_prefill_on_wafers() -> None:
    g = group("gpt-oss-120b", 4)
    times = [g.prefill_s(tokens) for tokens in (1, 1000, 10_000, 100_000)]
    assert times == sorted(times)
    assert g.prefill_s(1000, 99_000) < g.prefill_s(100_000)


def test_what_is_no_wafer() -> None:
    entry = catalog().entry("devices", "h100-sxm")
    assert not is_wafer(entry)
    with pytest.raises(InputError, match="layer_us"):
        wafer(entry)


@pytest.mark.parametrize("name", ["efa-p5en", "efa-trn2", "roce-8x200", "cx-9"])
def test_transfer_laws(name: str) -> None:
    way = fabric(catalog().entry("links", name))
    times = [way.seconds(size, 36) for size in (0.0, 1e6, 1e8, 1e10)]
    assert times == sorted(times)
    assert times[0] == way.fixed_s(36) > 0
    assert way.seconds(1e9, 94) > way.seconds(1e9, 36)
    assert way.seconds(1e9, 36, 64e3) > way.seconds(1e9, 36, 1e6)
    assert way.rate_bytes_s(1e9) <= way.line_bytes_s


def test_small_blocks_waste_the_fabric() -> None:
    way = fabric(catalog().entry("links", "efa-p5en"))
    assert way.rate_bytes_s(64 * 1024) == pytest.approx(97.1e9, rel=0.05)  # measured
    assert way.rate_bytes_s(2e6) == pytest.approx(365.7e9, rel=0.01)


def test_replicated_heads_are_sent_twice() -> None:
    model = model_shape(catalog().entry("models", "qwen3-235b-a22b"))
    assert moved_bytes(model, 1024, 2.0, 8) == 2 * moved_bytes(model, 1024, 2.0, 4) == 1024 * 192512 * 2
    latent = model_shape(catalog().entry("models", "deepseek-v3"))
    assert moved_bytes(latent, 1024, 2.0, 8) == 1024 * 70272


def test_longer_drafts_keep_more() -> None:
    kept = [kept_tokens(catalog(), k) for k in range(9)]
    assert kept == sorted(kept)
    assert kept[0] == 1.0
    assert all(1.0 <= tokens <= k + 1 for k, tokens in enumerate(kept))
    with pytest.raises(InputError):
        kept_tokens(catalog(), 9)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("none", 0),
        ("MTP k=3", 3),
        ("fused draft Llama-3.2-1B, k=7", 7),
        ("draft (small model, k unknown)", None),
        ("", None),
    ],
)
def test_draft_length(words: str, expected: int | None) -> None:
    assert draft_length(words) == expected

"""Model shapes: KV bytes per attention form against hand-computed values, laws of FLOPs and experts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.errors import InputError
from subsecond.engine.latency.model import ModelShape, model_shape, weight_format

MODELS = catalog().names("models")


def shape(name: str) -> ModelShape:
    return model_shape(catalog().entry("models", name))


@pytest.mark.parametrize(
    ("name", "kv_bytes", "expected"),
    [
        ("llama-3.1-70b", 2.0, 2 * 80 * 8 * 128 * 2),  # GQA
        ("llama-3.1-70b", 1.0, 2 * 80 * 8 * 128),  # the same in fp8
        ("bloom-176b", 2.0, 2 * 70 * 112 * 128 * 2),  # MHA: every head has its own KV
        ("deepseek-v3", 2.0, 61 * (512 + 64) * 2),  # MLA: one latent and one rotary key per layer
        ("gpt-oss-120b", 2.0, 2 * 18 * 8 * 64 * 2),  # half of the layers have a window
        ("qwen3.5-35b-a3b", 2.0, 2 * 10 * 2 * 256 * 2),  # recurrent layers add nothing per token
        ("gemma-4-31b", 2.0, 2 * 10 * 4 * 512 * 2),
    ],
)
def test_kv_bytes_per_token(name: str, kv_bytes: float, expected: int) -> None:
    assert shape(name).kv_token_bytes(kv_bytes) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama-3.1-70b", 0),
        ("gpt-oss-120b", 2 * 18 * 8 * 64 * 128 * 2),
        ("gemma-4-31b", 2 * 50 * 16 * 256 * 1024 * 2),
        ("qwen3.5-35b-a3b", 30 * 32 * 128 * 128 * 4),
    ],
)
def test_kv_bytes_that_do_not_grow(name: str, expected: int) -> None:
    assert shape(name).kv_fixed_bytes(2.0) == expected


@pytest.mark.parametrize("name", MODELS)
def test_kv_agrees_with_the_catalog(name: str) -> None:
    entry, model = catalog().entry("models", name), shape(name)
    assert model.kv_token_bytes(2.0) == entry.number("kv_bytes_per_token_bf16")
    assert model.kv_fixed_bytes(2.0) == entry.number("kv_fixed_bytes_bf16")


def test_window_fills_up_to_its_length() -> None:
    model = shape("gpt-oss-120b")
    assert model.kv_bytes(64, 2.0) == 64 * 36864 + 2 * 18 * 8 * 64 * 64 * 2
    assert model.kv_bytes(5000, 2.0) == 5000 * 36864 + model.kv_fixed_bytes(2.0)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=20, deadline=None)
@given(tokens=st.integers(1, 10**6), more=st.integers(1, 1000))
def test_kv_grows_with_context(name: str, tokens: int, more: int) -> None:
    model = shape(name)
    assert model.kv_bytes(tokens + more, 2.0) > model.kv_bytes(tokens, 2.0)


def test_prefill_flops_of_a_dense_model() -> None:
    model = shape("llama-3.1-70b")
    n = 10_000
    expected = 2 * (70.55e9 - 128256 * 8192) * n + 2 * n * n * 64 * 128 * 80
    assert model.prefill_flops(n) == pytest.approx(expected)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=20, deadline=None)
@given(new=st.integers(1, 50_000), cached=st.integers(0, 50_000))
def test_prefill_in_two_parts_is_the_same_work(name: str, new: int, cached: int) -> None:
    model = shape(name)
    if model.window_layers:
        return  # the mean window of a part is not the mean of the whole
    whole = model.prefill_flops(new + cached)
    assert model.prefill_flops(cached) + model.prefill_flops(new, cached) == pytest.approx(whole)


@pytest.mark.parametrize("name", MODELS)
def test_experts_touched(name: str) -> None:
    model = shape(name)
    shares = [model.touched_experts(tokens) for tokens in (1, 2, 8, 64, 4096)]
    if not model.experts:
        assert shares == [0.0] * 5
        return
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(model.experts_per_token / model.experts)
    assert shares[-1] <= 1.0


@pytest.mark.parametrize("name", MODELS)
def test_weights_add_up(name: str) -> None:
    model = shape(name)
    assert model.always_params > 0
    assert model.always_params + model.routed_params <= model.params_total * 1.02
    assert model.weight_bytes(weight_format(model, "bf16")) == pytest.approx(2 * model.params_total, rel=0.01)
    if model.native.expert_bytes >= 1.0:
        sizes = [model.weight_bytes(weight_format(model, dtype)) for dtype in ("fp4", "fp8", "bf16")]
        assert sizes == sorted(sizes)


def test_four_bit_checkpoint_stays_as_it_is() -> None:
    model = shape("gpt-oss-120b")
    assert weight_format(model, "fp8") == model.native == weight_format(model, "")
    assert model.weight_bytes(model.native) == 65.3e9


def test_unknown_format() -> None:
    with pytest.raises(InputError, match="weight_dtype"):
        weight_format(shape("qwen3-8b"), "fp3")


def test_model_of_nothing() -> None:
    facts = Catalog({"models": {"hollow": {"base": "qwen3-8b", "layers": 0}}})
    with pytest.raises(InputError):
        model_shape(facts.entry("models", "hollow"))

"""Every pipeline of the catalog builds, with every model that fits, and takes every parameter it shows."""

from __future__ import annotations

import math

import pytest

from subsecond.engine.catalog import Catalog, catalog
from subsecond.engine.core.config import Policy, Role
from subsecond.engine.errors import InputError
from subsecond.engine.latency.parameters import SWITCHES
from subsecond.engine.latency.pipelines import build_pipeline

PIPELINES = catalog().names("pipelines")
MODELS = ("gpt-oss-120b", "gpt-oss-20b", "llama-3.1-8b", "llama-3.3-70b", "qwen3-32b", "gemma-4-31b", "qwen3.5-35b-a3b")


def test_the_named_pipelines_are_there() -> None:
    names = {"trn-cs3", "gpu", "gpu-b200", "gpu-disagg", "cs3-alone", "rubin-lpx", "rubin-cpx"}
    assert names <= set(PIPELINES)
    assert build_pipeline("rubin-lpx").status == "announced"
    assert build_pipeline("rubin-cpx").status == "cancelled"
    assert "cancelled" in build_pipeline("rubin-cpx").label


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_with_a_model(name: str, model: str) -> None:
    built = build_pipeline(name, model)
    assert (built.name, built.model) == (name, model)
    core = built.core
    assert core.entry.role is (Role.PREFILL if core.decode else Role.COLOCATED)
    for pool in (core.entry, core.decode):
        if pool is not None:
            assert pool.capacity_units > pool.fixed_units + pool.units_per_token
    assert all(math.isfinite(value) and value >= 0 for value in built.summary.values())
    steps = [built.summary[f"decode_step_batch_{n}_ms"] for n in (1, 8, 64)]
    prefills = [built.summary[f"prefill_{n}_ms"] for n in ("1k", "10k", "100k")]
    assert steps == sorted(steps)
    assert prefills == sorted(prefills)


@pytest.mark.parametrize("name", PIPELINES)
def test_every_parameter_says_where_it_comes_from(name: str) -> None:
    for key, value in build_pipeline(name).parameters.items():
        assert value.source, key
        assert value.number is not None or value.text, key


@pytest.mark.parametrize("name", PIPELINES)
def test_every_parameter_can_be_set(name: str) -> None:
    for key, value in build_pipeline(name).parameters.items():
        if value.text:
            build_pipeline(name, overrides={key: value.text})
            continue
        assert value.number is not None
        dotted = key.replace("_", ".", 1)
        built = build_pipeline(name, overrides={dotted: value.number})
        assert built.parameters[key].source == "set by the user"
        if key in SWITCHES:
            build_pipeline(name, overrides={key: True})


@pytest.mark.parametrize("name", PIPELINES)
def test_wrong_values_are_refused_by_name(name: str) -> None:
    for key, value in build_pipeline(name).parameters.items():
        wrong: list[float | str | bool] = [3.0] if value.text else [-1.0, math.nan, math.inf, "much"]
        for given in wrong:
            with pytest.raises(InputError) as caught:
                build_pipeline(name, overrides={key: given})
            assert key in str(caught.value)
            assert name in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="trn-cs3"):
        build_pipeline("trn-cs4")
    with pytest.raises(InputError, match="gpt-oss"):
        build_pipeline("gpu", "gpt-oss-121b")
    with pytest.raises(InputError, match="prefill_replicas"):
        build_pipeline("trn-cs3", overrides={"prefill.replica": 2})
    with pytest.raises(InputError, match="reprefill"):
        build_pipeline("trn-cs3", overrides={"decode.lost": "shrug"})
    with pytest.raises(InputError, match="decode_device"):
        build_pipeline("trn-cs3", overrides={"decode_device": "h100-sxm"})
    with pytest.raises(InputError, match="wse-3"):
        build_pipeline("gpu", overrides={"device": "wse-3"})


@pytest.mark.parametrize(
    ("name", "model", "overrides", "field"),
    [
        ("trn-cs3", "llama-3.1-405b", {"decode_wafers": 10}, "decode_wafers"),
        ("trn-cs3", "gpt-oss-120b", {"ingest_wafers": 9}, "ingest_wafers"),
        ("gpu", "deepseek-v3", {"tensor_parallel": 2}, "tensor_parallel"),
        ("gpu", "gpt-oss-120b", {"tensor_parallel": 3}, "tensor_parallel"),
        ("gpu", "gpt-oss-120b", {"token_budget": 100}, "token_budget"),
        ("gpu", "gpt-oss-120b", {"kept_tokens": 9}, "kept_tokens"),
        ("gpu", "gpt-oss-120b", {"draft_tokens": 9}, "draft_tokens"),
        ("gpu", "gpt-oss-120b", {"gpus": 2.5}, "gpus"),
        ("gpu", "gpt-oss-120b", {"affinity": 2}, "affinity"),
        ("trn-cs3", "kimi-k2-instruct", {"prefill_chips": 4}, "prefill_chips"),
        ("trn-cs3", "gpt-oss-120b", {"staging_gb": 1e-8}, "staging_gb"),
    ],
)
def test_what_does_not_fit(name: str, model: str, overrides: dict[str, float], field: str) -> None:
    with pytest.raises(InputError) as caught:
        build_pipeline(name, model, overrides)
    assert field in str(caught.value)
    assert name in str(caught.value)


def test_wafers_follow_the_model() -> None:
    small, large = build_pipeline("trn-cs3", "llama-3.1-8b"), build_pipeline("trn-cs3", "llama-3.3-70b")
    assert large.summary["wafers_per_copy"] > small.summary["wafers_per_copy"]
    more = build_pipeline("trn-cs3", overrides={"decode_kv_wafers": 4})
    base = build_pipeline("trn-cs3")
    assert more.summary["sessions_at_100k_tokens"] > base.summary["sessions_at_100k_tokens"]
    half = build_pipeline("trn-cs3", overrides={"kv_dtype": "fp8"})
    assert half.summary["sessions_at_100k_tokens"] >= 2 * base.summary["sessions_at_100k_tokens"] - 1


def test_sessions_fit_the_capacity_of_the_core() -> None:
    for name in PIPELINES:
        built = build_pipeline(name)
        pool = built.core.decode or built.core.entry
        sessions = int(built.summary["sessions_at_100k_tokens"])
        each = 100_000 * pool.units_per_token + pool.fixed_units
        assert sessions * each <= pool.capacity_units < (sessions + 1) * each


def test_ingest_bounds_the_handoff() -> None:
    base = build_pipeline("trn-cs3")
    assert base.core.link is not None
    assert base.summary["handoff_gb_s"] == 150.0
    slow = build_pipeline("trn-cs3", overrides={"ingest.gb_s": 15})
    assert slow.core.link is not None
    assert slow.core.link.unit_ps == pytest.approx(10 * base.core.link.unit_ps, rel=0.001)
    # Four ports take in more than one prefill node can send: one flow does not fill the link.
    wide = build_pipeline("trn-cs3", overrides={"ingest_wafers": 4})
    assert wide.core.link is not None
    assert wide.core.link.fill_quarters == round(4 * 600 / 360)
    assert wide.summary["handoff_gb_s"] == pytest.approx(360.0)
    narrow = build_pipeline("trn-cs3", overrides={"wire_dtype": "fp8"})
    assert narrow.core.link is not None
    assert narrow.core.link.unit_ps == pytest.approx(base.core.link.unit_ps / 2, rel=0.001)


def test_no_speculation_is_one_unit_per_token() -> None:
    built = build_pipeline("gpu", overrides={"draft_tokens": 0})
    assert (built.core.entry.units_per_token, built.core.entry.growth_units) == (1, 1)
    assert built.core.entry.decode_width == 1
    chosen = build_pipeline("gpu", overrides={"draft_tokens": 3, "kept_tokens": 2.5})
    assert chosen.core.entry.growth_units / chosen.core.entry.units_per_token == 2.5


def test_replicas_and_policies_reach_the_core() -> None:
    built = build_pipeline(
        "trn-cs3", overrides={"prefill.replicas": 3, "decode.replicas": 2, "decode_lost": "fail", "kv_return": True}
    )
    assert built.core.decode is not None
    assert built.core.link is not None
    assert (built.core.entry.num_servers, built.core.decode.num_servers) == (3, 2)
    assert built.core.decode_lost is Policy.FAIL
    assert built.core.link.kv_return
    assert build_pipeline("gpu", overrides={"tensor_parallel": 2, "replicas": 2}).core.entry.num_servers == 8


def test_a_fallback_pool_shares_the_units() -> None:
    built = build_pipeline("trn-cs3", overrides={"fallback_gpus": 8, "decode_lost": "fallback"})
    assert built.core.fallback is not None
    assert built.core.fallback.role is Role.COLOCATED
    assert built.core.fallback.units_per_token == built.core.entry.units_per_token


def test_the_catalog_can_be_changed_under_a_pipeline() -> None:
    facts = Catalog({"devices": {"wse-3": {"layer_us": 36.8}}})
    slow, base = build_pipeline("trn-cs3", catalog=facts), build_pipeline("trn-cs3")
    assert slow.summary["decode_step_batch_1_ms"] > base.summary["decode_step_batch_1_ms"]

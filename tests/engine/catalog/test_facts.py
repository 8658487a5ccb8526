"""Figures of the catalog against the published ones, copied here by hand."""

from __future__ import annotations

import pytest

from subsecond.engine.catalog import catalog


@pytest.mark.parametrize(
    ("kind", "name", "key", "number", "unit", "provenance"),
    [
        ("devices", "trainium2", "dense_bf16", 667, "TFLOPS", "vendor"),
        ("devices", "trainium2", "mem_bandwidth", 2.9, "TB/s", "vendor"),
        ("devices", "trainium2", "power", 500, "W", "assumed"),
        ("devices", "trainium2", "decode_mbu", 47.5, "% of 2.9 TB/s", "derived"),
        ("devices", "trainium3", "dense_fp8", 2517, "TFLOPS", "vendor"),
        ("devices", "trainium3", "mem_capacity", 144, "GiB", "vendor"),
        ("devices", "cs-3", "mem_capacity", 44, "GB", "vendor"),
        ("devices", "cs-3", "mem_bandwidth", 21, "PB/s", "vendor"),
        ("devices", "cs-3", "dense_fp16_estimate", 15.8, "PFLOPS", "assumed"),
        ("devices", "a100", "mem_bandwidth", 2.039, "TB/s", "vendor"),
        ("devices", "h100", "mem_bandwidth", 3.35, "TB/s", "vendor"),
        ("devices", "h200", "mem_capacity", 151.4, "GB", "vendor"),
        ("devices", "gb200", "dense_fp4", 10000, "TFLOPS", "vendor"),
        ("devices", "b300", "dense_fp4", 14000, "TFLOPS", "vendor"),
        ("devices", "rubin", "power", 2.1, "kW", "derived"),
        ("devices", "mi300x", "interconnect_bw", 896, "GB/s", "assumed"),
        ("devices", "groq-lpu-v1", "mem_capacity", 230, "MB", "vendor"),
        ("devices", "groq-lpx", "mem_bandwidth", 40, "PB/s", "vendor"),
        ("prices", "hire-trn2-48xlarge", "price_capacity_block", 35.7608, "USD/h", "vendor"),
        ("prices", "hire-p5en-48xlarge", "price_on_demand", 63.296, "USD/h", "vendor"),
        ("links", "p5-48xlarge", "efa_gpu_to_gpu_write", 388.9, "GB/s", "measured"),
        ("links", "p6-b300-48xlarge", "efa_gpu_to_gpu_read", 755.8, "GB/s", "measured"),
        ("links", "p5en-efa-block-size-sweep", "write_bw_64_kb", 97.1, "GB/s", "measured"),
        ("links", "kv-transfer-qwen3-8b", "32768_tokens", 31.65, "ms", "measured"),
        ("links", "kv-transfer-qwen3-235b", "4096_tokens", 10.95, "ms", "measured"),
        ("links", "infiniband", "small_message_latency", 0.82, "us", "measured"),
        ("models", "gpt-oss-120b", "kv_bytes_per_token_bf16", 36864, "bytes", "derived"),
        ("models", "llama-3.3-70b", "params_total", 70.55, "1e9 parameters", "assumed"),
        ("models", "qwen3-235b-a22b", "kv_heads", 4, "count", "vendor"),
        ("models", "deepseek-v3", "weights_native", 671, "GB", "derived"),
        ("models", "glm-4.7", "layers", 92, "count", "assumed"),
        ("models", "llama-3.1-405b", "min_cs3", 19, "devices", "derived"),
        ("prices", "cerebras-gpt-oss-120b", "usd_per_m_output", 0.75, "USD/1e6 tokens", "vendor"),
        ("prices", "groq-gpt-oss-20b", "usd_per_m_cached_input", 0.0375, "USD/1e6 tokens", "vendor"),
        ("prices", "cerebras-llama-3-1-405b", "usd_per_m_input", 6, "USD/1e6 tokens", "assumed"),
        ("budgets", "voice-slow-line", "limit", 800, "ms", "vendor"),
        ("budgets", "mlperf-llama-2-70b-interactive", "tpot", 40, "ms", "vendor"),
        ("budgets", "doherty-threshold", "limit", 400, "ms", "assumed"),
        ("budgets", "agent-step", "limit", 1000, "ms", "derived"),
        ("voice", "stt-deepgram", "p95", 298, "ms", "measured"),
        ("voice", "tts-cartesia-sonic-3", "p50", 188, "ms", "vendor"),
        ("voice", "llm-ttft", "p95", 2246, "ms", "measured"),
        ("workloads", "coding-agent", "prefix_tokens_per_step", 118656, "tokens", "measured"),
        ("workloads", "coding-agent", "human_think_gap_p90", 20.6, "min", "measured"),
        ("workloads", "coding-agent", "tool_exec_per_call_p99", 216, "s", "measured"),
        ("workloads", "reliability", "mtbf_per_gpu_all_causes", 50677, "h", "derived"),
        ("speculation", "glm-5-2-mtp", "k8", 4.06, "tokens/step", "measured"),
        ("speculation", "kimi-k2-5-eagle3-thinking-off", "k3", 2.75, "tokens/step", "measured"),
    ],
)
def test_a_published_figure(kind: str, name: str, key: str, number: float, unit: str, provenance: str) -> None:
    value = catalog().entry(kind, name).get(key)
    assert (value.number, value.unit, value.provenance) == (number, unit, provenance)


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("devices", "trainium3", "power"),
        ("devices", "trainium3", "prefill_mfu"),
        ("devices", "cs-3", "prefill_mfu"),
        ("devices", "groq-lpx", "power"),
        ("prices", "hire-trn3-gen2-ultraserver", "price_on_demand"),
        ("prices", "amazon-bedrock-on-cerebras-any", "usd_per_m_output"),
        ("voice", "tokens-per-voice-turn", "value"),
        ("workloads", "reliability", "cs3_or_trainium_failure_rate"),
    ],
)
def test_what_nobody_published_has_no_number(kind: str, name: str, key: str) -> None:
    value = catalog().entry(kind, name).get(key)
    assert (value.number, value.text, value.provenance) == (None, "", "not public")


@pytest.mark.parametrize(
    ("name", "kv_bytes_per_token"),
    [
        ("llama-3.1-70b", 2 * 80 * 8 * 128 * 2),
        ("glm-4.7", 2 * 92 * 8 * 128 * 2),
        ("gpt-oss-120b", 2 * 18 * 8 * 64 * 2),
        ("deepseek-r1", 61 * (512 + 64) * 2),
        ("bloom-176b", 2 * 70 * 112 * 128 * 2),
    ],
)
def test_kv_bytes_follow_from_the_shape(name: str, kv_bytes_per_token: int) -> None:
    assert catalog().entry("models", name).number("kv_bytes_per_token_bf16") == kv_bytes_per_token


def test_ingest_of_a_cs_3_is_a_setting_with_the_published_bound() -> None:
    rate = catalog().entry("links", "cs-3-io").get("line_rate")
    assert (rate.si(), rate.provenance) == (150e9, "not public")
    assert catalog().entry("devices", "cs-3").number("io_bw") == 150e9

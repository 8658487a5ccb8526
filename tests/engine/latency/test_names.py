"""Devices, models, formats, engines and metrics however people write them."""

from __future__ import annotations

import pytest

from subsecond.engine.catalog import catalog
from subsecond.engine.latency.names import (
    device_name,
    engine_entry,
    kv_format,
    metric_unit,
    model_name,
    weight_words,
)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("H100 SXM5 80GB", "h100-sxm"),
        ("NVIDIA H200", "h200-sxm"),
        ("8x H100", "h100-sxm"),
        ("8xH100", "h100-sxm"),
        ("NVIDIA DGX B200", "b200"),
        ("NVIDIA GB200 (per GPU)", "gb200"),
        ("GB200 NVL72", "gb200-nvl72"),
        ("A100-SXM4-80GB", "a100-80g"),
        ("AMD Instinct MI300X", "mi300x"),
        ("AWS Trainium2", "trainium2"),
        ("trn2.48xlarge", "trn2-48xlarge"),
        ("p5en.48xlarge", "p5en-48xlarge"),
        ("Cerebras CS-3", "wse-3"),
        ("WSE-3", "wse-3"),
        ("Groq LPU", "groq-lpu-v1"),
        ("H100 PCIe 80GB", None),
        ("H100 NVL", None),
        ("A100 40GB", None),
        ("TPU v6e", None),
        ("RTX PRO 6000 Blackwell", None),
        ("", None),
    ],
)
def test_devices(words: str, name: str | None) -> None:
    assert device_name(catalog(), words) == name


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Llama 3.3 70B Instruct FP8", "llama-3.3-70b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("nvidia/Llama-3.3-70B-Instruct-FP4", "llama-3.3-70b"),
        ("RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w8a8", "llama-3.1-70b"),
        ("llama3.1-8b", "llama-3.1-8b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"),
        ("qwen-3-coder-480b", "qwen3-coder-480b-a35b"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4-scout"),
        ("zai-glm-4.7", "glm-4.7"),
        ("moonshotai/Kimi-K2-Instruct-0905", "kimi-k2-instruct"),
        ("DeepSeek-R1-Distill-Llama-70B", None),
        ("GLM-4.5-Air", None),
        ("Llama-3.2-1B", None),
        ("gpt-4o-mini", None),
        ("", None),
    ],
)
def test_models(words: str, name: str | None) -> None:
    assert model_name(catalog(), words) == name


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("FP8", "fp8"),
        ("fp8_e4m3", "fp8"),
        ("w8a8-fp8", "fp8"),
        ("w8a8", "int8"),
        ("INT8", "int8"),
        ("w4a16", "int4"),
        ("AWQ", "int4"),
        ("gptq-int4", "int4"),
        ("w4a8", "w4a8"),
        ("w8a16", "w8a16"),
        ("NVFP4", "fp4"),
        ("mxfp4", "mxfp4"),
        ("bfloat16", "bf16"),
        ("FP16", "bf16"),
        ("auto", ""),
        ("", ""),
        ("ternary", None),
    ],
)
def test_weight_formats(words: str, name: str | None) -> None:
    assert weight_words(words) == name


def test_kv_formats() -> None:
    assert [kv_format(words) for words in ("fp8_e5m2", "auto", "bf16", "nvfp4", "odd")] == [
        "fp8",
        "",
        "bf16",
        "fp4",
        None,
    ]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("vllm-0.11 + mooncake", "gpu"),
        ("mlperf-v6.0 (NVIDIA)", "mlperf"),
        ("inferencex (best of several)", "inferencex"),
        ("vllm-neuron 0.25", "vllm-neuron"),
        ("groqcloud", "groq"),
        ("an engine of my own", None),
        ("", None),
    ],
)
def test_engines(words: str, name: str | None) -> None:
    found = engine_entry(catalog(), words)
    assert (found.name if found else None) == name


def test_metrics() -> None:
    assert metric_unit("ttft_s") == ("ttft_ms", 1e-3)
    assert metric_unit("itl_ms") == ("tpot_ms", 1.0)
    assert metric_unit("e2e_latency_ms") == ("e2e_ms", 1.0)
    assert metric_unit("tok_s_user") == ("tok_s_user", 1.0)
    assert metric_unit("joules") == ("joules", 1.0)

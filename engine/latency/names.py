"""Words of a measurement to names of the catalog: devices, models, number formats, metrics, however they are written.

A name is cut into words; the longest run of neighbouring words that the catalog knows counts. What makes it another
thing (a PCIe card, a distilled model) is no match.
"""

from __future__ import annotations

import re
from typing import Final

from subsecond.engine.catalog import Catalog, Entry

__all__ = ["device_name", "engine_entry", "kv_format", "metric_unit", "model_name", "weight_words"]

#: Words that make a device or a model another one than the rest of its name says.
_OTHER_DEVICE: Final = {"pcie", "nvl", "nvl2", "40gb", "40g", "mig", "max-q", "server", "workstation"}
_OTHER_MODEL: Final = {"distill", "distilled", "air", "flash", "mini", "lite", "nano", "draft"}
#: Weight formats as people write them, first match of the words joined; the rest of the name is ignored.
_WEIGHTS: Final = (
    ("mxfp4", r"mx_?fp4|mx4"),
    ("fp4", r"nv_?fp4|fp4|w4a4|float4|e2m1"),
    ("w4a8", r"w4a8"),
    ("int4", r"w4a16|int4|uint4|awq|gptq|q4(?:_|\b)|nf4|4[ _-]?bit"),
    ("w8a16", r"w8a16"),
    ("fp8", r"fp8|float8|e4m3|e5m2|f8"),
    ("int8", r"w8a8|int8|8[ _-]?bit|q8(?:_|\b)"),
    ("bf16", r"bf_?16|bfloat16|fp_?16|float16|f16|half|16[ _-]?bit"),
)
_UNSAID: Final = {"", "auto", "native", "default", "mixed", "unknown", "n/a", "na", "-", "?", "none"}
#: Other names of metrics: what is predicted, and what one of its units is in those of the row.
_METRICS: Final = {
    "ttft": ("ttft_ms", 1.0),
    "ttft_s": ("ttft_ms", 1e-3),
    "time_to_first_token_ms": ("ttft_ms", 1.0),
    "prefill_ms": ("ttft_ms", 1.0),
    "tpot": ("tpot_ms", 1.0),
    "tpot_s": ("tpot_ms", 1e-3),
    "itl_ms": ("tpot_ms", 1.0),
    "tbt_ms": ("tpot_ms", 1.0),
    "inter_token_latency_ms": ("tpot_ms", 1.0),
    "time_per_output_token_ms": ("tpot_ms", 1.0),
    "e2e_s": ("e2e_ms", 1e-3),
    "e2e_latency_ms": ("e2e_ms", 1.0),
    "e2e_latency_s": ("e2e_ms", 1e-3),
    "latency_ms": ("e2e_ms", 1.0),
    "latency_s": ("e2e_ms", 1e-3),
    "request_latency_ms": ("e2e_ms", 1.0),
    "request_latency_s": ("e2e_ms", 1e-3),
    "tok_s": ("tok_s_user", 1.0),
    "tokens_s_user": ("tok_s_user", 1.0),
    "output_tok_s_user": ("tok_s_user", 1.0),
    "tok_s_per_user": ("tok_s_user", 1.0),
    "output_tok_s": ("total_output_tok_s", 1.0),
    "output_tok_s_per_gpu": ("output_tok_s_per_device", 1.0),
    "kv_transfer_s": ("kv_transfer_ms", 1e-3),
    "transfer_ms": ("kv_transfer_ms", 1.0),
}


def metric_unit(metric: str) -> tuple[str, float]:
    """The metric that is predicted, and the factor from its unit to the row's; an unknown one is returned as it is."""
    return _METRICS.get(metric.replace(" ", "_"), (metric, 1.0))


def _words(name: str) -> list[str]:
    """Lower-case words; a dot inside a number belongs to it, a count before `x` ("8x H100") is dropped."""
    bare = re.sub(r"\b\d+\s*x\s+|\b\d+x(?=[a-z])", " ", name.lower())
    return [word.strip(".") for word in re.split(r"[^a-z0-9.]+", bare) if word.strip(".")]


def _longest_known(facts: Catalog, kind: str, name: str) -> str | None:
    words = _words(name)
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            found = facts.find(kind, "".join(words[start : start + length]))
            if found is not None:
                return found
    return None


def device_name(facts: Catalog, name: str) -> str | None:
    """The catalog's device for "NVIDIA H100 SXM5 80GB", "8x H200", "trn2.48xlarge", "Cerebras CS-3"; None if none."""
    found = facts.find("devices", name)
    if found is not None or _OTHER_DEVICE & {*_words(name)}:
        return found
    return _longest_known(facts, "devices", name)


def model_name(facts: Catalog, name: str) -> str | None:
    """The catalog's model for "meta-llama/Llama-3.1-8B-Instruct", "Llama 3.3 70B Instruct FP8"; None if none."""
    found = facts.find("models", name)
    bare = name.rstrip("/").rpartition("/")[2]
    if found is not None or _OTHER_MODEL & {*_words(bare)}:
        return found
    return _longest_known(facts, "models", bare)


def weight_words(words: str) -> str | None:
    """The weight format of words such as "NVFP4", "w4a16", "FP8 (e4m3)"; "" if they say none, None if not known."""
    text = words.strip().lower()
    if text in _UNSAID:
        return ""
    return next((name for name, pattern in _WEIGHTS if re.search(pattern, text)), None)


def kv_format(words: str) -> str | None:
    """The KV format of words such as "fp8_e4m3"; "" if they say none, None if not known."""
    found = weight_words(words)
    return found if found in (None, "", "fp8", "int8", "bf16") else "fp4"


def engine_entry(facts: Catalog, engine: str) -> Entry | None:
    """The serving software of a name with versions and additions ("vllm-0.11 + mooncake"): its longest known start."""
    name = engine.strip().lower()
    while name:
        found = facts.find("engines", name)
        if found is not None:
            return facts.entry("engines", found)
        cut = max(name.rfind(separator) for separator in " -+(,/")
        name = name[:cut].rstrip(" -+(,/") if cut > 0 else ""
    return None

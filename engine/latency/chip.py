"""What a chip and a serving stack can do, read from the catalog."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from subsecond.engine.catalog import Catalog, Entry
from subsecond.engine.errors import InputError
from subsecond.engine.latency.names import engine_entry

FloatOrFloats = TypeVar("FloatOrFloats", float, NDArray[np.float64])

__all__ = ["Chip", "Stack", "chip", "serving_stack", "stack"]


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator, SI units.

    Attributes:
        peak_flops: dense peak by precision ("bf16", "fp8", "fp4"), all present: a missing one is the next wider.
        gemm_utilisation, fp4_utilisation: share of the peak in large dense products, at 8 bits or more and at 4.
        block_share: what products with 8-bit weights scaled by block reach of that; 1 where the chip scales them.
        expert_utilisation: the same for grouped expert products, padding counted as work.
        expert_tile_rows: rows by which a grouped product pads each expert's tokens at most; few tokens, less padding.
        attention_utilisation: share of the bf16 peak that prefill attention reaches on long chunks, half of it at
            `attention_half_chunk` tokens.
        scaleup_bytes_s: per device and direction, among `scaleup_domain` devices; scaleout_bytes_s: to the others.
    """

    name: str
    label: str
    peak_flops: dict[str, float]
    has_fp4: bool
    memory_bytes: float
    bandwidth_bytes_s: float
    gemm_utilisation: float
    fp4_utilisation: float
    block_share: float
    expert_utilisation: float
    expert_tile_rows: float
    attention_utilisation: float
    attention_half_chunk: float
    bandwidth_efficiency: float
    scaleup_domain: int
    scaleup_bytes_s: float
    scaleout_bytes_s: float

    @property
    def read_bytes_s(self) -> float:
        """Rate at which weights and KV are read."""
        return self.bandwidth_bytes_s * self.bandwidth_efficiency

    def dense_flops_s(self, precision: str) -> float:
        """Rate of dense matrix products."""
        share = self.fp4_utilisation if precision == "fp4" and self.has_fp4 else self.gemm_utilisation
        if precision == "fp8-block":
            share *= self.block_share
        return self.peak_flops_s(precision) * share

    def peak_flops_s(self, precision: str) -> float:
        """Dense peak with operands of that precision."""
        if precision == "mx4":
            precision = "fp8" if self.has_fp4 else "bf16"
        elif precision == "fp8-block":
            precision = "fp8"
        return self.peak_flops[precision]

    def expert_flops_s(self, precision: str) -> float:
        """Rate of grouped expert products; never above the dense ones."""
        share = min(self.expert_utilisation, self.gemm_utilisation)
        if precision == "fp4" and self.has_fp4:
            share *= self.fp4_utilisation / self.gemm_utilisation
        if precision == "fp8-block":
            share *= self.block_share
        return self.peak_flops_s(precision) * share

    def attention_flops_s(self, chunk_tokens: FloatOrFloats) -> FloatOrFloats:
        """Rate of prefill attention in chunks of that many query tokens."""
        return (
            self.peak_flops["bf16"]
            * self.attention_utilisation
            * chunk_tokens
            / (chunk_tokens + self.attention_half_chunk)
        )


@dataclass(frozen=True, slots=True)
class Stack:
    """One serving software, SI units.

    Attributes:
        layer_s, expert_layer_s: time per layer and iteration that no amount of hardware removes (launches,
            memory-bound small operations), dense and mixture-of-experts layers with grouped attention.
        operation_s: one such operation more; see `Deployment.fixed_s`.
        host_layer_s: host time per layer; an iteration takes at least `layers` times this.
        prefill_host_layer_s: the same where prompts are computed.
        collective_s, collective_efficiency: fixed time of a collective, share of the link rate it reaches.
        overlap: part of the shorter of reading weights and computing that hides behind the longer.
        sequence_s: per sequence and iteration (sampling, bookkeeping).
        dispatch_efficiency: share of the link rate that expert-parallel exchanges reach.
        expert_imbalance: tokens of the busiest device over the mean where experts are spread over devices.
        draft_layer_share: time of a layer of a draft model, as a share of layer_s.
        request_s: fixed time of a request outside the chips.
        disaggregated_layer_s: host time per layer of a prefill whose KV goes to another machine.
        handoff_layer_s: the same where it applies; 0 on servers that keep their KV.
        utilisation_factor: over the chip's shares of peak.
        test_requests: requests of a closed-loop test; as many as are in flight arrive together at its start.
        offline_requests: requests of 1,024 tokens in a test that queues all at once; of longer ones fewer, by the cube
            root of their length. 0: endless.
        client_s: time per request that the client of a test needs for itself, one request after the other, and that
            its throughput counts.
        pad_tokens: prompts are padded to the next power of two from here on; 0: no padding.
        pad_step_tokens: beyond 8,192 tokens to the next multiple of this instead.
        model_draft: the model's own further tokens are used where nothing else is said.
        is_static: a batch is prefilled together and decodes together, nothing joins it.
    """

    name: str
    layer_s: float
    expert_layer_s: float
    operation_s: float
    host_layer_s: float
    prefill_host_layer_s: float
    collective_s: float
    collective_efficiency: float
    overlap: float
    sequence_s: float
    request_s: float
    disaggregated_layer_s: float
    handoff_layer_s: float
    dispatch_efficiency: float
    expert_imbalance: float
    draft_layer_share: float
    utilisation_factor: float
    token_budget: int
    max_seqs: int
    memory_share: float
    test_requests: float
    offline_requests: float
    client_s: float
    pad_tokens: int
    pad_step_tokens: int
    is_static: bool
    model_draft: bool


def chip(entry: Entry) -> Chip:
    """The accelerator of a catalog entry.

    Raises:
        InputError: a figure is missing, or the device is not one that the formulas for HBM accelerators hold for.
    """
    if "gemm_utilisation" not in entry.values:
        raise InputError(
            entry.where, "gemm_utilisation", "nothing", f"an accelerator with prefill figures; {entry.name} has none"
        )
    bf16 = entry.number("dense_bf16")
    fp8 = entry.number("dense_fp8", bf16)
    fp4 = entry.number("dense_fp4", fp8)
    gemm = entry.number("gemm_utilisation")
    return Chip(
        name=entry.name,
        label=entry.label,
        peak_flops={"bf16": bf16, "fp8": fp8, "fp4": fp4},
        has_fp4=fp4 > fp8,
        memory_bytes=entry.number("mem_capacity"),
        bandwidth_bytes_s=entry.number("mem_bandwidth"),
        gemm_utilisation=gemm,
        fp4_utilisation=entry.number("fp4_utilisation", gemm),
        block_share=entry.number("block_share", 1.0),
        expert_utilisation=entry.number("expert_utilisation"),
        expert_tile_rows=entry.number("expert_tile_rows", 0.0),
        attention_utilisation=entry.number("attention_utilisation"),
        attention_half_chunk=entry.number("attention_half_chunk"),
        bandwidth_efficiency=entry.number("bandwidth_efficiency"),
        scaleup_domain=round(entry.number("scaleup_domain")),
        scaleup_bytes_s=entry.number("scaleup_bw", entry.number("nvlink_bw", 50e9)),
        scaleout_bytes_s=entry.number("scaleout_bw", 25e9),
    )


def stack(entry: Entry, device: str, generic: Entry) -> Stack:
    """The serving stack of a catalog entry on a device.

    `KEY_on_DEVICE` in the entry goes before `KEY`; what the entry does not give is that of the generic stack.
    """
    entry = replace(entry, values={**generic.values, **entry.values})
    suffix = "_on_" + device.replace("-", "_").replace(".", "_")

    def number(key: str, default: float | None = None) -> float:
        return entry.number(key + suffix) if key + suffix in entry.values else entry.number(key, default)

    layer = number("layer_us")
    return Stack(
        name=entry.name,
        layer_s=layer,
        expert_layer_s=number("expert_layer_us", layer),
        operation_s=number("operation_us", 0.0),
        host_layer_s=number("host_layer_us", 0.0),
        prefill_host_layer_s=number("prefill_host_layer_us", 0.0),
        collective_s=number("collective_us", 0.0),
        collective_efficiency=number("collective_efficiency"),
        overlap=number("overlap"),
        sequence_s=number("sequence_us", 0.0),
        request_s=number("request_ms"),
        disaggregated_layer_s=number("disaggregated_layer_us", 0.0),
        handoff_layer_s=0.0,
        dispatch_efficiency=number("dispatch_efficiency", 0.8),
        expert_imbalance=number("expert_imbalance", 1.0),
        draft_layer_share=number("draft_layer_share", 0.25),
        utilisation_factor=number("utilisation_factor", 1.0),
        token_budget=round(number("token_budget")),
        max_seqs=round(number("max_seqs")),
        memory_share=number("memory_share"),
        test_requests=max(number("test_requests", 1000.0), 1.0),
        offline_requests=number("offline_requests", 0.0),
        client_s=number("client_ms", 0.0),
        pad_tokens=round(number("bucket_smallest", 0.0)),
        pad_step_tokens=round(number("bucket_step", 2048.0)),
        is_static=number("static_batch", 0.0) > 0,
        model_draft=number("model_draft", 0.0) > 0,
    )


def serving_stack(catalog: Catalog, engine: str, device: str) -> Stack:
    """The stack that a measurement or a pipeline names; one that is not known is the usual one of the device."""
    generic = catalog.entry("engines", "gpu")
    usual = catalog.entry("engines", "nxd-inference") if device.startswith("trainium") else generic
    found = engine_entry(catalog, engine)
    if found is None or found.name in ("gpu", "wafer", "groq"):
        found = usual
    return stack(found, device, generic)

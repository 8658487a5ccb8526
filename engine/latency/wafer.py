"""Decode on machines that hold all weights in SRAM (CS-3, Groq): latency-bound per layer.

    step = token + drafts + hops + layers * layer * (width / 4096)^p * (mixture factor)        [s]

Reading SRAM is not the limit: the published speeds use 0.1-0.3 % of 21 PB/s. What takes time is that layer follows
layer. Several tokens are under way in different layers, so a batch is free up to `layers * tokens_per_layer`
sequences; beyond, each further one adds the time of one layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from subsecond.engine.catalog import Entry
from subsecond.engine.errors import InputError
from subsecond.engine.latency.model import ModelShape, WeightFormat

__all__ = ["Wafer", "WaferGroup", "is_wafer", "wafer", "wafers_for_weights"]

_REFERENCE_WIDTH = 4096.0


@dataclass(frozen=True, slots=True)
class Wafer:
    """One SRAM machine (a wafer, a rack of chips), SI units; the parameters are those of the device's catalog entry."""

    name: str
    label: str
    memory_bytes: float
    bandwidth_bytes_s: float
    flops_s: float
    layer_s: float
    layer_width_exponent: float
    token_s: float
    draft_s: float
    software_gain: float
    expert_layer_factor: float
    hop_s: float
    bandwidth_efficiency: float
    attention_regions: float
    tokens_per_layer: float
    prefill_utilisation: float
    sram_reserve: float

    @property
    def usable_bytes(self) -> float:
        return self.memory_bytes * (1.0 - self.sram_reserve)


def is_wafer(entry: Entry) -> bool:
    """Whether a catalog device decodes from SRAM."""
    return "layer_us" in entry.values


def wafer(entry: Entry) -> Wafer:
    """The SRAM machine of a catalog entry.

    Raises:
        InputError: a parameter is missing.
    """
    if not is_wafer(entry):
        raise InputError(entry.where, "layer_us", "nothing", f"a machine with a time per layer; {entry.name} has none")
    return Wafer(
        name=entry.name,
        label=entry.label,
        memory_bytes=entry.number("mem_capacity"),
        bandwidth_bytes_s=entry.number("mem_bandwidth"),
        flops_s=entry.number("dense_bf16"),
        layer_s=entry.number("layer_us"),
        layer_width_exponent=entry.number("layer_width_exponent", 1.0),
        token_s=entry.number("token_us"),
        draft_s=entry.number("draft_us", 0.0),
        software_gain=entry.number("software_gain", 1.0),
        expert_layer_factor=entry.number("expert_layer_factor", 1.0),
        hop_s=entry.number("wafer_hop_us", 0.0),
        bandwidth_efficiency=entry.number("bandwidth_efficiency"),
        attention_regions=entry.number("attention_regions"),
        tokens_per_layer=entry.number("tokens_per_layer"),
        prefill_utilisation=entry.number("prefill_utilisation"),
        sram_reserve=entry.number("sram_reserve"),
    )


def wafers_for_weights(machine: Wafer, model: ModelShape, weights: WeightFormat) -> int:
    """Least number of wafers that hold the weights, with no room for KV."""
    return max(1, math.ceil(model.weight_bytes(weights) / machine.usable_bytes))


@dataclass(frozen=True, slots=True)
class WaferGroup:
    """One model copy on `wafers` machines in sequence. `kv_bytes` is per element."""

    machine: Wafer
    model: ModelShape
    weights: WeightFormat
    kv_bytes: float
    wafers: int
    draft_tokens: int = 0
    launch_software: bool = False

    @property
    def kv_room_bytes(self) -> float:
        """SRAM that is left for KV; negative: the weights do not fit."""
        return self.wafers * self.machine.usable_bytes - self.model.weight_bytes(self.weights)

    @property
    def layer_s(self) -> float:
        """Time of one dense layer for one token."""
        m = self.machine
        gain = 1.0 if self.launch_software else m.software_gain
        width: float = (self.model.hidden / _REFERENCE_WIDTH) ** m.layer_width_exponent
        return m.layer_s * width * gain

    @property
    def slots(self) -> int:
        """Sequences under way at once without slowing each other."""
        return max(1, int(self.model.layers * self.machine.tokens_per_layer))

    @property
    def step_s(self) -> float:
        """A decode step of one sequence without context; each guessed token takes a pass of the draft model."""
        m, model = self.machine, self.model
        layers = model.layers + model.moe_layers * (m.expert_layer_factor - 1.0)
        draft = self.draft_tokens * m.draft_s
        return m.token_s + draft + (self.wafers - 1) * m.hop_s + layers * self.layer_s

    @property
    def slot_s(self) -> float:
        """What a sequence beyond `slots` adds to a step."""
        layers = self.model.layers + self.model.moe_layers * (self.machine.expert_layer_factor - 1.0)
        return layers * self.layer_s / self.slots

    @property
    def kv_token_read_s(self) -> float:
        """Reading the KV of one token of context.

        A layer's KV lies in the part of the SRAM that computes the layer; `attention_regions` layers read at a time.
        """
        m, layers = self.machine, self.model.layers
        regions = min(m.attention_regions, layers) / layers
        rate = self.wafers * m.bandwidth_bytes_s * m.bandwidth_efficiency * regions
        return self.model.kv_token_bytes(self.kv_bytes) / rate

    def decode_s(self, sequences: float, context_tokens: float) -> float:
        """A decode step of a batch."""
        fixed = self.model.kv_fixed_bytes(self.kv_bytes) / max(self.model.kv_token_bytes(self.kv_bytes), 1.0)
        kv = sequences * (context_tokens + fixed) * self.kv_token_read_s
        return self.step_s + max(0.0, sequences - self.slots) * self.slot_s + kv

    @property
    def prefill_flops_s(self) -> float:
        return self.wafers * self.machine.flops_s * self.machine.prefill_utilisation

    @property
    def prefill_token_s(self) -> float:
        """What one more prompt token takes, attention to others left out."""
        model = self.model
        return (model.gemm_flops() + model.window * model.window_pair_flops) / self.prefill_flops_s

    @property
    def pair_s(self) -> float:
        """Prefill attention per (query, key) pair."""
        return self.model.pair_flops / self.prefill_flops_s

    def prefill_s(self, new_tokens: float, cached_tokens: float = 0.0) -> float:
        """Prefill of one prompt alone."""
        pairs = new_tokens * cached_tokens + new_tokens * new_tokens / 2.0
        return self.step_s + max(0.0, new_tokens - self.slots) * self.prefill_token_s + pairs * self.pair_s

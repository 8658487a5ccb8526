"""From the words of a measurement to a deployment and a load: layouts, number formats, lengths, speculation.

Only what the row says, and rules that hold for a whole serving stack; nothing here knows a single row.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Final

from subsecond.engine.catalog import Catalog, Entry
from subsecond.engine.latency.chip import Chip, Stack, chip, serving_stack
from subsecond.engine.latency.measurements import Measurement
from subsecond.engine.latency.model import (
    KV_BYTES,
    WEIGHT_FORMATS,
    ModelShape,
    WeightFormat,
    model_shape,
    weight_format,
)
from subsecond.engine.latency.names import device_name, engine_entry, kv_format, model_name, weight_words
from subsecond.engine.latency.speculation import draft_length, kept_tokens
from subsecond.engine.latency.steady import Load
from subsecond.engine.latency.step import Deployment, Layout

__all__ = [
    "Skipped",
    "candidates",
    "counted",
    "deployment",
    "device_entry",
    "draft_tokens",
    "formats",
    "includes_prefill",
    "load",
    "model_of",
    "queued_requests",
    "replicas",
]

#: Lengths where a row does not say and no data set is named: a short chat turn.
_INPUT_TOKENS: Final = 1024
_OUTPUT_TOKENS: Final = 512
#: Draft length of a speculation whose length is not published.
UNKNOWN_DRAFT: Final = 4
#: Expert-parallel decode keeps at least this share of memory for KV, over at most that many devices.
_LEAST_KV_SHARE: Final = 0.25
_WIDEST: Final = 512
#: Logical cores of a Trainium2 chip, as tensor-parallel degrees count them.
_CORES: Final = 4


class Skipped(Exception):
    """A row that cannot be predicted, with the reason."""


def device_entry(facts: Catalog, row: Measurement) -> Entry:
    """The row's accelerator: its device, that of its instance, or the one its serving software is known to run on."""
    name = row.device
    if not name:
        engine = engine_entry(facts, row.engine)
        value = engine.values.get("device") if engine else None
        if value is None or not value.text:
            raise Skipped("the row names no device")
        name = value.text
    found = device_name(facts, name)
    if found is None:
        raise Skipped(f"unknown device {name!r}")
    entry = facts.entry("devices", found)
    return facts.entry("devices", entry.values["accelerator"].text) if "accelerator" in entry.values else entry


def counted(facts: Catalog, row: Measurement) -> Measurement:
    """The row with devices counted as accelerators: one "p5.48xlarge", or none counted, is eight."""
    found = device_name(facts, row.device) if row.device else None
    each = facts.entry("devices", found).number("accelerators", 1.0) if found else 1.0
    if each == 1.0 or (row.num_devices or 1) > 1:
        return row
    return replace(row, num_devices=round(each))


def model_of(facts: Catalog, row: Measurement) -> ModelShape:
    found = model_name(facts, row.model)
    if found is None:
        raise Skipped(f"unknown model {row.model!r}")
    return model_shape(facts.entry("models", found))


def formats(row: Measurement, model: ModelShape) -> tuple[WeightFormat, float]:
    """Weights and bytes per KV element.

    Weights that are not stated may be in the model's name. KV that is not stated is fp8 beside 4- and 8-bit weights on
    NVIDIA's own software, whose checkpoints carry its scales, and 16 bits elsewhere.
    """
    dtype, kv = weight_words(row.weight_dtype), kv_format(row.kv_dtype)
    if dtype is None:
        raise Skipped(f"unknown weight format {row.weight_dtype!r}")
    if kv is None:
        raise Skipped(f"unknown KV format {row.kv_dtype!r}")
    dtype = dtype or weight_words(row.model) or ""
    small = bool(dtype) and WEIGHT_FORMATS[dtype] <= 1.0
    nvidia = row.engine.startswith(("tensorrt", "trt", "mlperf", "inference"))
    return weight_format(model, dtype), KV_BYTES[kv or ("fp8" if small and nvidia else "bf16")]


def _parallel(row: Measurement, word: str) -> int | None:
    """Degree of DEP, ADP, DP, EP, PP; of `EPa/EPb` the decode pool's."""
    found = re.findall(rf"(?:^|[^A-Z]){word}\s*=?\s*(\d+)", row.parallel)
    return max(int(found[-1]), 1) if found else None


def _degree(cell: str) -> int | None:
    """Tensor-parallel degree; of `8+8` the first pool's."""
    found = re.search(r"\d+", cell)
    return max(int(found.group()), 1) if found else None


def _layout(row: Measurement, device: Chip) -> Layout | None:
    """What the row says of one copy's layout; None if it says nothing."""
    pools = 2 if "+" in row.tp else 1
    devices = max(row.num_devices // pools, 1) if row.num_devices else None
    tp, stages = _degree(row.tp), _parallel(row, "PP") or 1
    spread = _parallel(row, "DEP") or _parallel(row, "ADP")
    if spread is None and _parallel(row, "EP") and (copies := _parallel(row, "DP")):
        spread = copies * (tp or 1)
    if spread:
        return Layout(min(spread, _WIDEST), data_parallel_attention=True)
    if row.kind == "disaggregated" and not row.tp and (devices or row.parallel):
        return Layout(min(_parallel(row, "EP") or devices or 1, _WIDEST), data_parallel_attention=True)
    if device.name.startswith("trainium"):  # its degree counts logical cores, several to a chip
        if devices is None and tp is not None:
            devices = math.ceil(tp / _CORES)
        return Layout(devices) if devices else None
    if tp:
        return Layout(tp * stages, stages=stages)
    return None


def replicas(row: Measurement, server: Deployment) -> int:
    """Copies of the model that the row's devices hold; those of a colocated server share its load."""
    if row.kind != "colocated" or not row.num_devices or "+" in row.tp or _parallel(row, "ADP"):
        return 1
    return max(row.num_devices // server.layout.devices, 1)


def candidates(facts: Catalog, row: Measurement, model: ModelShape, entry: Entry) -> list[Deployment]:
    """Deployments that the row may mean: one if it gives a layout, else those that hold the weights.

    Weights whose format nobody states are those of the published checkpoint, or the widest narrower ones that fit.
    """
    stated = bool(weight_words(row.weight_dtype) or weight_words(row.model))
    choices = [row] if stated else [row, replace(row, weight_dtype="fp8"), replace(row, weight_dtype="fp4")]
    for choice in choices:
        found = _fitting(facts, choice, model, entry)
        if found:
            return found
    raise Skipped(f"{model.label} does not fit {row.num_devices or _degree(row.tp) or 'a node'} x {entry.label}")


def _fitting(facts: Catalog, row: Measurement, model: ModelShape, entry: Entry) -> list[Deployment]:
    """The same for one format of the weights; empty if nothing holds them."""
    device = chip(entry)
    stack = serving_stack(facts, row.engine, device.name)
    weights, kv_bytes = formats(row, model)
    stated = _layout(row, device)
    if stated is not None:
        layouts = [stated]
    elif not row.device:
        layouts = [_smallest_roomy(device, model.weight_bytes(weights))]
    else:
        node = device.scaleup_domain if row.kind == "disaggregated" else 8
        most = min(row.num_devices or node, device.scaleup_domain)
        sizes = [2**i for i in range(7) if 2**i <= most]
        layouts = [Layout(n) for n in sizes]
        if model.experts:
            layouts += [Layout(n, data_parallel_attention=True) for n in sizes if n > 1]
        if row.num_devices is None:  # several nodes, if one is too small
            layouts += _nodes(device, model.weight_bytes(weights), sizes[-1], bool(model.experts))
    found = [Deployment(model, weights, kv_bytes, device, stack, layout) for layout in layouts]
    if stated is not None and row.kind == "disaggregated" and stated.data_parallel_attention:
        # Expert parallelism is as wide as its weights need: a published node may be one of many.
        while found[0].kv_room_bytes < _LEAST_KV_SHARE * device.memory_bytes * found[0].layout.devices:
            wider = Layout(2 * found[0].layout.devices, data_parallel_attention=True)
            if wider.devices > _WIDEST:
                break
            found = [Deployment(model, weights, kv_bytes, device, stack, wider)]
    return [d for d in found if d.kv_room_bytes > 0]


def _smallest_roomy(device: Chip, weight_bytes: float) -> Layout:
    """The least power of two of devices whose memory the weights fill to less than two thirds; nodes in sequence."""
    devices = 2 ** max(0, math.ceil(math.log2(weight_bytes / (device.memory_bytes * 2 / 3))))
    return Layout(devices, stages=max(1, devices // device.scaleup_domain))


def _nodes(device: Chip, weight_bytes: float, node: int, spread: bool) -> list[Layout]:
    """The least power of two of nodes that leave room for KV, in sequence or with experts spread; none if one does."""
    nodes = 2 ** max(0, math.ceil(math.log2(weight_bytes / (0.8 * device.memory_bytes * node))))
    if nodes == 1:
        return []
    return [Layout(nodes * node, stages=nodes), *([Layout(nodes * node, True)] if spread else [])]


def deployment(facts: Catalog, row: Measurement, model: ModelShape, entry: Entry) -> Deployment:
    """The one deployment of a row.

    Where it does not say, all its devices in tensor parallelism; without a number of devices, as few as people take:
    the first that the weights fill to less than two thirds.
    """
    found = candidates(facts, row, model, entry)
    tensor = [d for d in found if not d.layout.data_parallel_attention] or found
    if row.num_devices is None:
        roomy = (d for d in tensor if d.weight_bytes_per_device < d.chip.memory_bytes * 2.0 / 3.0)
        return next(roomy, tensor[-1])
    return tensor[-1]


def load(facts: Catalog, row: Measurement, model: ModelShape, stack: Stack | None = None) -> Load:
    """Lengths from the row, from a data set it names, or the usual ones."""
    dataset = _dataset(facts, row, model)

    def length(key: str, stated: int | None, usual: int) -> float:
        if stated is not None:
            return float(stated)
        return dataset.number(key, usual) if dataset else float(usual)

    if row.metric in ("ttft_ms", "e2e_ms") and row.input_tokens is None and dataset is None:
        raise Skipped("the prompt length is not given")
    draft = draft_tokens(row)
    if not row.spec_decode and stack is not None and stack.model_draft:
        draft = model.own_draft_tokens
    prompt = length("input_tokens", row.input_tokens, _INPUT_TOKENS)
    on = row.pairs.get("prefix_caching", "on") != "off"
    cached = length("cached_tokens", row.cached_tokens, 0) if on else 0.0
    if cached == prompt:
        cached = prompt - 1.0  # the last token is always computed
    if cached > prompt:
        raise Skipped(f"{cached:g} cached tokens in a prompt of {prompt:g}")
    chunk = row.number("chunk") or 0.0
    return Load(
        input_tokens=prompt,
        output_tokens=length("output_tokens", row.output_tokens, _OUTPUT_TOKENS),
        cached_tokens=cached,
        draft_tokens=draft,
        kept_tokens=kept_tokens(facts, draft),
        chunk_tokens=chunk,
        pads=chunk > 0.0,
        prefills=row.kind != "disaggregated",
    )


def queued_requests(row: Measurement, work: Load, stack: Stack) -> float:
    """Requests of an offline test: what the row says for the nearest length, else as many as are usual; 0: endless."""
    longest = max(work.input_tokens, work.output_tokens)
    if row.kind != "colocated":
        return 0.0
    said = [(float(k) * 1024.0, float(n)) for k, n in re.findall(r"\b(\d+)k: (\d+)", row.note) if float(n) > 0]
    if said and "queued" in row.note:
        return min(said, key=lambda pair: abs(math.log(pair[0] / longest)))[1]
    return stack.offline_requests * math.cbrt(1024.0 / longest)


def draft_tokens(row: Measurement) -> int:
    """Draft length that the row says or means; 0 where nothing is said."""
    length = draft_length(row.spec_decode)
    if length is not None:
        return length
    return UNKNOWN_DRAFT if row.spec_decode else 0


def _dataset(facts: Catalog, row: Measurement, model: ModelShape) -> Entry | None:
    """A benchmark data set of known lengths that the row names."""
    names = [f"mlperf-{model.name}"] if row.engine.startswith("mlperf") else []
    names += [words.strip() for words in re.findall(r"data set ([^;]+)", row.note)]
    for name in names:
        found = facts.find("datasets", name)
        if found is not None:
            return facts.entry("datasets", found)
    return None


def includes_prefill(row: Measurement) -> bool:
    """Whether the row's speed of one user counts the time to the first token."""
    note = row.note.lower()
    said = re.search(r"(includes?|including) (the )?(ttft|prefill)|prefill[^;]* included|request latency|llmperf", note)
    return bool(said) or row.engine.startswith(("tensorrt", "trt"))

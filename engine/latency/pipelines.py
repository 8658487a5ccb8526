"""From a pipeline of the catalog and a model to the integer core: pools, link, policies, and a summary for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from subsecond.engine.catalog import Catalog, Value
from subsecond.engine.catalog import catalog as shipped_catalog
from subsecond.engine.core.config import Link, Pipeline, Policy, Pool, Role
from subsecond.engine.errors import InputError
from subsecond.engine.latency.core_cost import picoseconds, speculation_units
from subsecond.engine.latency.model import KV_BYTES, ModelShape, model_shape, weight_format
from subsecond.engine.latency.parameters import Domain, Override, Parameters
from subsecond.engine.latency.servers import AcceleratorServer, Units, WaferServer, accelerator_server, wafer_server
from subsecond.engine.latency.speculation import LONGEST_DRAFT, kept_tokens
from subsecond.engine.latency.transfer import fabric
from subsecond.engine.latency.wafer import is_wafer

__all__ = ["BuiltPipeline", "build_pipeline"]

_CONTEXTS = (8_192, 32_768, 100_000)


@dataclass(frozen=True, slots=True)
class BuiltPipeline:
    """A pipeline ready to run.

    Attributes:
        name, label, model: catalog names and the name for people.
        status: "shipping", "announced" or "cancelled".
        core: what the simulation takes.
        parameters: every visible parameter with its source; what a user set says so.
        summary: derived figures by name, units in the name (`prefill_10k_ms`, `sessions_at_100k_tokens`).
        domains: what each parameter that was read may be.
    """

    name: str
    label: str
    model: str
    status: str
    core: Pipeline
    parameters: dict[str, Value]
    summary: dict[str, float]
    domains: dict[str, Domain] = field(default_factory=dict)


def build_pipeline(
    name: str,
    model: str | None = None,
    overrides: Mapping[str, Override] | None = None,
    catalog: Catalog | None = None,
) -> BuiltPipeline:
    """The pipeline of that name.

    Args:
        name: of the catalog's kind `pipelines`.
        model: to serve; None: the pipeline's own.
        overrides: parameter -> value in the unit of the catalog; `prefill.replicas` is `prefill_replicas`.
        catalog: None: as shipped.

    Raises:
        InputError: unknown pipeline, model or parameter, a value out of range, or a model that does not fit.
    """
    facts = catalog or shipped_catalog()
    entry = facts.entry("pipelines", name)
    p = Parameters(entry, {**(overrides or {}), **({"model": model} if model is not None else {})})
    shape = model_shape(facts.entry("models", p.word("model")))
    kv_bytes = KV_BYTES[p.word("kv_dtype", tuple(KV_BYTES))]
    weights = weight_format(shape, p.word("weight_dtype"))
    units = _units(facts, p, shape, kv_bytes)
    affinity, slack = p.switch("affinity"), p.count("affinity_slack", 0, 1 << 30)
    watermark = p.number("watermark", 0.0, 0.9)

    def accelerators(prefix: str, role: Role) -> AcceleratorServer:
        return accelerator_server(facts, p, prefix, role, shape, weights, kv_bytes)

    def decoders(role: Role, prefix: str) -> AcceleratorServer | WaferServer:
        device = prefix + "device"
        if device in p.values and is_wafer(facts.entry("devices", p.word(device))):
            if "decode_wafers" not in p.values:
                raise p.wrong(device, "an accelerator with HBM")
            return wafer_server(facts, p, role, shape, weights, kv_bytes)
        if "decode_wafers" in p.values:
            raise p.wrong(device, "a machine that decodes from SRAM, like wse-3")
        return accelerators(prefix, role)

    link: Link | None = None
    decode: Pool | None = None
    decoder: AcceleratorServer | WaferServer
    prefiller: AcceleratorServer | WaferServer
    handoff: dict[str, float] = {}
    if entry.fields.get("kind") == "disaggregated":
        prefiller = accelerators("prefill_", Role.PREFILL)
        decoder = decoders(Role.DECODE, "decode_")
        decode = replace(_pool(p, decoder, units, watermark, affinity, slack), keeps_kv=p.switch("residency"))
        link, handoff = _link(facts, p, shape, units, kv_bytes, prefiller, decoder)
    else:
        decoder = decoders(Role.COLOCATED, "decode_" if "decode_device" in p.values else "")
        prefiller = decoder
    keeps_kv = p.switch("prefix_cache") if "prefix_cache" in p.values else True
    core = Pipeline(
        entry=replace(_pool(p, prefiller, units, watermark, affinity, slack), keeps_kv=keeps_kv),
        decode=decode,
        link=link,
        fallback=_fallback(facts, p, shape, kv_bytes, units, watermark),
        network_ps=picoseconds(p.number("network_ms", 0, 1e6)),
        route_ps=picoseconds(p.number("router_ms", 0, 1e6)),
        detect_ps=picoseconds(p.number("detection_ms", 0, 1e8)),
        retry_ps=picoseconds(p.number("retry_ms", 0, 1e8)),
        max_attempts=p.count("max_attempts", 0, 100),
        prefill_lost=_policy(p, "prefill_lost"),
        decode_lost=_policy(p, "decode_lost" if decode else "prefill_lost"),
        handoff_lost=_policy(p, "handoff_lost") if decode else Policy.RETRY,
    )
    summary = {**_summary(prefiller, decoder, units), **handoff}
    status = entry.fields.get("status", "shipping")
    return BuiltPipeline(entry.name, entry.label, shape.name, status, core, p.values, summary, p.domains)


def _units(facts: Catalog, p: Parameters, shape: ModelShape, kv_bytes: float) -> Units:
    """KV units from the draft: as fine as its kept tokens need."""
    key = "decode_draft_tokens" if "decode_draft_tokens" in p.values else "draft_tokens"
    draft = p.count(key, 0, LONGEST_DRAFT)
    kept_key = key.replace("draft", "kept")
    kept = p.number(kept_key, 0.0, LONGEST_DRAFT + 1.0) or kept_tokens(facts, draft)
    if kept < 1.0:
        raise p.wrong(kept_key, "at least 1 token per step, or 0 for the table")
    if kept > draft + 1.0:
        raise p.wrong(kept_key, f"at most {draft + 1}: {key} = {draft} and one that is always right")
    per_token, growth = speculation_units(kept)
    token = shape.kv_token_bytes(kv_bytes)
    fixed = math.ceil(shape.kv_fixed_bytes(kv_bytes) * per_token / token)
    return Units(per_token, growth, fixed, token / per_token, draft)


def _pool(
    p: Parameters,
    server: AcceleratorServer | WaferServer,
    units: Units,
    watermark: float,
    affinity: bool,
    slack: int,
) -> Pool:
    """The pool, its batch checked against its token budget."""
    if server.role is Role.COLOCATED:
        width = 1 + units.draft_tokens if isinstance(server, AcceleratorServer) else 1
        if server.token_budget <= server.max_seqs * width:
            raise p.wrong("token_budget", f"more than the {server.max_seqs * width} tokens that a full batch decodes")
    if int(server.room_bytes / units.bytes_each) < units.fixed + units.per_token + units.growth:
        raise p.wrong("model", f"a model with smaller KV: {server.room_bytes / 1e9:.1f} GB are left for it")
    return server.pool(units, watermark, affinity, slack)


def _policy(p: Parameters, key: str) -> Policy:
    return Policy[p.word(key, tuple(policy.name.lower() for policy in Policy)).upper()]


def _fallback(
    facts: Catalog, p: Parameters, shape: ModelShape, kv_bytes: float, units: Units, watermark: float
) -> Pool | None:
    """A colocated GPU pool for requests that fall back, None with no GPUs.

    It stands in the core as one pool of the same pipeline and takes its settings from the pipeline `gpu`.
    """
    gpus = p.count("fallback_gpus", 0, 4096) if "fallback_gpus" in p.values else 0
    if not gpus:
        return None
    own = Parameters(facts.entry("pipelines", "gpu"), {"gpus": gpus, "tensor_parallel": math.gcd(gpus, 8)})
    try:
        server = accelerator_server(
            facts, own, "", Role.COLOCATED, shape, weight_format(shape, p.word("weight_dtype")), kv_bytes
        )
    except InputError as error:
        raise p.wrong("fallback_gpus", error.expected) from None
    return server.pool(units, watermark, True, 1 << 30)


def _link(
    facts: Catalog,
    p: Parameters,
    shape: ModelShape,
    units: Units,
    kv_bytes: float,
    prefiller: AcceleratorServer,
    decoder: AcceleratorServer | WaferServer,
) -> tuple[Link, dict[str, float]]:
    """The way into one decode server, and its figures for the summary.

    A flow comes out of one prefill server at most at its network's rate; the decode side takes in at most its own.
    """
    way = fabric(facts.entry("links", p.word("efa")))
    flow_bytes_s = way.rate_bytes_s(p.number("block_kb", 0.001, 1e9))
    if isinstance(decoder, WaferServer):
        ports = p.count("ingest_wafers", 1, 4096)
        if ports > decoder.group.wafers:
            raise p.wrong("ingest_wafers", f"at most the {decoder.group.wafers} machines of a copy")
        full_bytes_s, copies = ports * p.number("ingest_gb_s", 1e-6, 1e9), 1.0
    else:
        full_bytes_s, copies = flow_bytes_s, decoder.deployment.kv_copies
        if shape.latent_attention:
            copies = 1.0  # one rank sends a latent, the others copy it over NVLink
    wire = p.word("wire_dtype", ("same", *KV_BYTES))
    wire_share = 1.0 if wire == "same" else KV_BYTES[wire] / kv_bytes
    unit_bytes = units.bytes_each * copies * wire_share
    staging = int(p.number("staging_gb", 1e-9, 1e9) / units.bytes_each)
    if staging < units.fixed + units.per_token:
        raise p.wrong("staging_gb", "room for the KV of at least one token")
    link = Link(
        unit_ps=picoseconds(unit_bytes / full_bytes_s),
        t0_ps=picoseconds(way.fixed_s(shape.layers)),
        fill_quarters=max(4, round(4.0 * full_bytes_s / flow_bytes_s)),
        max_flows=p.count("max_flows", 0, 1 << 20),
        layers=shape.layers,
        overlap=p.switch("overlap"),
        kv_return=p.switch("kv_return"),
        staging_units=staging,
    )
    rate = min(full_bytes_s, flow_bytes_s)
    figures = {"handoff_gb_s": rate / 1e9}
    for tokens, label in ((1_000, "1k"), (10_000, "10k"), (100_000, "100k")):
        moved = (tokens * units.per_token + units.fixed) * unit_bytes
        figures[f"handoff_{label}_ms"] = (way.fixed_s(shape.layers) + moved / rate) * 1e3
    return link, figures


def _summary(
    prefiller: AcceleratorServer | WaferServer, decoder: AcceleratorServer | WaferServer, units: Units
) -> dict[str, float]:
    figures: dict[str, float] = {}
    if isinstance(decoder, WaferServer):
        figures["wafers_per_copy"] = decoder.group.wafers
        figures["sequences_without_slowdown"] = decoder.group.slots
    else:
        figures["devices_per_copy"] = decoder.deployment.layout.devices
    figures["decode_servers"] = decoder.num_servers
    figures["prefill_servers"] = prefiller.num_servers
    figures["decode_kv_gb"] = decoder.room_bytes / 1e9
    figures["prefill_kv_gb"] = prefiller.room_bytes / 1e9
    for context in _CONTEXTS:
        figures[f"sessions_at_{context // 1000}k_tokens"] = units.sessions(decoder.room_bytes, context)
    for tokens, label in ((1_000, "1k"), (10_000, "10k"), (100_000, "100k")):
        figures[f"prefill_{label}_ms"] = prefiller.prefill_s(tokens) * 1e3
    figures["prefill_1k_on_100k_cached_ms"] = prefiller.prefill_s(1_000, 100_000) * 1e3
    for batch in (1, 8, 64):
        step = decoder.step_s(batch, 10_000, units)
        figures[f"decode_step_batch_{batch}_ms"] = step * 1e3
        figures[f"decode_token_batch_{batch}_ms"] = step * 1e3 / units.kept_tokens
    figures["kept_tokens_per_step"] = units.kept_tokens
    figures["units_per_token"] = units.per_token
    return figures

"""What a model costs per token, whatever it runs on: FLOPs, weight bytes, KV bytes.

Sizes come from the catalog's model entry; number formats are separate (`WeightFormat`, `KV_BYTES`), because one model
is served in several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from subsecond.engine.catalog import Entry
from subsecond.engine.errors import InputError

__all__ = ["KV_BYTES", "WEIGHT_FORMATS", "ModelShape", "WeightFormat", "model_shape", "weight_format"]

#: Bytes per element of the KV cache.
KV_BYTES: Final = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5625}
#: Bytes per weight. 4-bit formats carry 8-bit scales: per 16 values (NVFP4) or 32 (MXFP4).
WEIGHT_FORMATS: Final = {
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp4": 0.5625,
    "nvfp4": 0.5625,
    "mxfp4": 0.53125,
    "int4": 0.5625,
    "w4a8": 0.5625,
    "w8a16": 1.0,
}
#: What products are computed in; "fp4" where nothing stands here.
_PRECISIONS: Final = {
    "bf16": "bf16",
    "fp16": "bf16",
    "w8a16": "bf16",
    "int4": "bf16",
    "fp8": "fp8",
    "int8": "fp8",
    "w4a8": "fp8",
}


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Bytes per weight of the parts of a model, and what the products are computed in.

    Attributes:
        dense_bytes: attention, shared experts, dense layers, head.
        expert_bytes: routed experts.
        precision: "bf16", "fp8" or "fp4"; a chip without it takes the next wider one. "fp8-block": fp8 with a scale per
            block of weights, as some checkpoints are published. "mx4": 4-bit weights of the
            published checkpoint with wider activations: 8 bits on chips that compute in 4, 16 bits on the others.
    """

    dense_bytes: float
    expert_bytes: float
    precision: str


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a model; all per token unless said otherwise.

    Attributes:
        always_params: weights that every token uses (routed experts and the input embedding left out).
        routed_params: weights of all routed experts.
        full_layers, window_layers, recurrent_layers: layers by attention form.
        full_kv_elements: KV elements that a token adds, all full-attention layers together.
        window_kv_elements: KV elements of one token in all window layers.
        fixed_bytes: recurrent state of a sequence, independent of the KV format.
        own_draft_tokens: further tokens that the model predicts by itself (multi-token prediction).
        latent_attention: MLA; every tensor-parallel rank then holds the whole KV.
    """

    name: str
    label: str
    layers: int
    hidden: int
    q_heads: int
    kv_heads: int
    head_dim: int
    full_layers: int
    window_layers: int
    recurrent_layers: int
    window: int
    latent_dim: int
    rope_dim: int
    value_dim: int
    window_head_dim: int
    full_kv_elements: int
    window_kv_elements: int
    fixed_bytes: float
    vocabulary: int
    max_context: int
    params_total: float
    always_params: float
    routed_params: float
    moe_layers: int
    experts: int
    experts_per_token: int
    shared_experts: int
    native: WeightFormat
    native_bytes: float
    draft_params: float
    draft_layers: int
    own_draft_tokens: int

    @property
    def latent_attention(self) -> bool:
        return self.latent_dim > 0

    @property
    def active_expert_params(self) -> float:
        """Routed weights that one token uses."""
        return self.routed_params * self.experts_per_token / self.experts if self.experts else 0.0

    def touched_experts(self, tokens: float) -> float:
        """Share of the routed experts that a batch of tokens uses, routing taken as independent and uniform:
        `1 - (1 - k/E)^tokens` (coupon collector).
        """
        if not self.experts:
            return 0.0
        return float(1.0 - (1.0 - self.experts_per_token / self.experts) ** tokens)

    def weight_bytes(self, fmt: WeightFormat) -> float:
        """All weights, input embedding included, in the given format."""
        if fmt == self.native:
            return self.native_bytes
        rest = self.params_total - self.routed_params
        return rest * fmt.dense_bytes + self.routed_params * fmt.expert_bytes

    def kv_token_bytes(self, kv_bytes: float) -> float:
        """KV bytes of one more token: GQA `2*layers*kv_heads*head_dim`, MLA `layers*(latent+rope)` elements."""
        return self.full_kv_elements * kv_bytes

    def kv_fixed_bytes(self, kv_bytes: float) -> float:
        """Bytes of a sequence that do not grow: full windows and recurrent state."""
        return self.window_kv_elements * self.window * kv_bytes + self.fixed_bytes

    def kv_bytes(self, tokens: float, kv_bytes: float) -> float:
        """KV bytes of a sequence of `tokens`; a window holds at most `window` of them."""
        window = self.window_kv_elements * min(tokens, self.window) * kv_bytes
        return self.full_kv_elements * tokens * kv_bytes + window + self.fixed_bytes

    @property
    def pair_flops(self) -> float:
        """FLOPs of one (query token, key token) pair in prefill, over all full-attention layers.

        Scores and values: `2*heads*(qk_dim + v_dim)`; with equal dims the usual `4*heads*head_dim`.
        """
        return 2.0 * self.q_heads * (self.head_dim + self.value_dim) * self.full_layers

    @property
    def window_pair_flops(self) -> float:
        """The same over the window layers."""
        return 4.0 * self.q_heads * self.window_head_dim * self.window_layers

    @property
    def decode_pair_flops(self) -> float:
        """The same in decode: MLA attends in the latent space, `2*heads*(2*latent + rope)`."""
        if self.latent_attention:
            return 2.0 * self.q_heads * (2 * self.latent_dim + self.rope_dim) * self.full_layers
        return self.pair_flops

    def gemm_flops(self) -> float:
        """FLOPs of the matrix products of one token, `2 * active weights`."""
        return 2.0 * (self.always_params + self.active_expert_params)

    def prefill_flops(self, new_tokens: float, cached_tokens: float = 0.0) -> float:
        """FLOPs of prefilling `new_tokens` behind `cached_tokens`, causal: `2*A*m + pair*(m*c + m^2/2)`.

        Source: shared facts; window layers attend to at most `window` keys.
        """
        pairs = new_tokens * cached_tokens + new_tokens * new_tokens / 2.0
        window_pairs = min(pairs, new_tokens * self.window)
        return new_tokens * self.gemm_flops() + pairs * self.pair_flops + window_pairs * self.window_pair_flops


def model_shape(entry: Entry) -> ModelShape:
    """The shape of a catalog model.

    Raises:
        InputError: a size is missing or not positive.
    """

    def count(key: str, default: float | None = None) -> int:
        number = entry.number(key, default)
        if number < 0 or number % 1:
            raise InputError(entry.where, key, number, "a whole number >= 0")
        return round(number)

    layers, hidden = count("layers"), count("hidden")
    q_heads, kv_heads, head_dim = count("q_heads"), count("kv_heads"), count("head_dim")
    window_layers, recurrent = count("window_layers", 0), count("recurrent_layers", 0)
    full = count("full_attention_layers", layers - window_layers - recurrent)
    latent, rope = count("latent_dim", 0), count("rope_dim", 0)
    window = count("window", 0)
    window_heads, window_dim = count("window_kv_heads", kv_heads), count("window_head_dim", head_dim)
    experts, per_token, moe_layers = count("experts_routed", 0), count("experts_per_token", 0), count("moe_layers", 0)
    total, active = entry.number("params_total"), entry.number("params_active")
    vocabulary = count("vocabulary")
    if min(layers, hidden, q_heads, kv_heads, head_dim, vocabulary, total, active) <= 0:
        raise InputError(entry.where, entry.name, "a size of zero", "positive layers, widths, heads and parameters")
    routed = min(3.0 * hidden * count("expert_hidden", 0) * experts * moe_layers, total) if experts else 0.0
    always = active - routed * per_token / experts if experts else total - vocabulary * hidden
    window_elements = 2 * window_layers * window_heads * window_dim
    fixed = entry.number("kv_fixed_bytes_bf16", 0.0) - window_elements * window * 2.0
    native = _native_format(entry, experts > 0)
    draft_layers = count("draft_layers", count("mtp_layers", 0))
    draft_hidden = entry.number("draft_hidden", 0.0)
    draft = draft_layers * 12.0 * draft_hidden**2 + vocabulary * draft_hidden
    return ModelShape(
        name=entry.name,
        label=entry.label,
        layers=layers,
        hidden=hidden,
        q_heads=q_heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        full_layers=full,
        window_layers=window_layers,
        recurrent_layers=recurrent,
        window=window,
        latent_dim=latent,
        rope_dim=rope,
        value_dim=count("v_dim", head_dim),
        window_head_dim=window_dim,
        full_kv_elements=full * (latent + rope) if latent else 2 * full * kv_heads * head_dim,
        window_kv_elements=window_elements,
        fixed_bytes=max(fixed, 0.0),
        vocabulary=vocabulary,
        max_context=count("max_context"),
        params_total=total,
        always_params=max(always, 0.02 * active),
        routed_params=routed,
        moe_layers=moe_layers if experts else 0,
        experts=experts,
        experts_per_token=per_token,
        shared_experts=count("experts_shared", 0) if experts else 0,
        native=native,
        native_bytes=entry.number("weights_native", total * native.expert_bytes),
        draft_params=draft,
        draft_layers=draft_layers,
        own_draft_tokens=count("mtp_layers", 0),
    )


def _native_format(entry: Entry, has_experts: bool) -> WeightFormat:
    """The published checkpoint's format from the words of `native_dtype`."""
    words = entry.values["native_dtype"].text.lower() if "native_dtype" in entry.values else "bf16"
    if "mxfp4" in words:
        return WeightFormat(2.0, WEIGHT_FORMATS["mxfp4"], "mx4")
    if "int4" in words:
        return WeightFormat(2.0, WEIGHT_FORMATS["int4"], "bf16")
    if words.startswith("fp8"):
        return WeightFormat(1.0, 1.0, "fp8-block" if "block" in words else "fp8")
    return WeightFormat(2.0, 2.0, "bf16")


def weight_format(model: ModelShape, dtype: str) -> WeightFormat:
    """Format of the weights when a model is served as `dtype`; an empty name is the published checkpoint.

    A checkpoint that is 4-bit by itself (gpt-oss) stays so: there is no other one. Where experts are 4-bit the rest
    of a mixture model is kept at 8 bits.

    Raises:
        InputError: unknown number format.
    """
    key = dtype.strip().lower()
    if not key or key == "native":
        return model.native
    if key not in WEIGHT_FORMATS:
        raise InputError("model", "weight_dtype", dtype, "one of native, " + ", ".join(WEIGHT_FORMATS))
    if model.native.expert_bytes < 1.0 and key not in ("bf16", "fp16"):
        return model.native
    if key == "fp8" and model.native.precision == "fp8-block":
        return model.native
    size, precision = WEIGHT_FORMATS[key], _PRECISIONS.get(key, "fp4")
    return WeightFormat(1.0 if size < 1.0 and model.experts else size, size, precision)

"""The parameters of a pipeline as knobs: what each may be, and what turning it does to a run under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from subsecond.engine.catalog import Catalog, Value
from subsecond.engine.catalog import catalog as shipped_catalog
from subsecond.engine.core.config import StepCost
from subsecond.engine.errors import InputError
from subsecond.engine.latency.model import WEIGHT_FORMATS
from subsecond.engine.latency.parameters import Domain, Override
from subsecond.engine.latency.pipelines import BuiltPipeline, build_pipeline

__all__ = ["Knobs", "changed_costs", "differ_in_step_times_alone"]

#: Ends of the keys whose words are entries of the catalog, and their kind.
_ENTRIES: Final = (("model", "models"), ("device", "devices"), ("engine", "engines"), ("efa", "links"))


class Knobs:
    """A pipeline with the values that it has, to ask what others would do.

    Args:
        name: of the catalog's kind `pipelines`.
        overrides: values that differ from the catalog's, by key.
        catalog: None: as shipped.

    Raises:
        InputError: there is no such pipeline, or it cannot be built so.
    """

    def __init__(self, name: str, overrides: Mapping[str, Override], catalog: Catalog | None = None) -> None:
        self._name = name
        self._catalog = catalog or shipped_catalog()
        self._overrides = dict(overrides)
        self._built = self._build(self._overrides)
        self._choices: dict[str, tuple[str, ...]] = {}

    def _build(self, overrides: Mapping[str, Override]) -> BuiltPipeline:
        return build_pipeline(self._name, overrides=overrides, catalog=self._catalog)

    def default(self, key: str) -> Value:
        """The catalog's value."""
        return self._catalog.entry("pipelines", self._name).get(key)

    def domain(self, key: str) -> Domain:
        """What a parameter may be by itself; of a word, the choices that this pipeline can be built with."""
        domain = self._built.domains.get(key, Domain())
        default = self.default(key)
        if default.number is not None or not default.text:
            return domain
        if key not in self._choices:
            names = domain.choices or self._names(key)
            self._choices[key] = tuple(name for name in names if self._can_be(key, name))
        return Domain(choices=self._choices[key])

    def _names(self, key: str) -> tuple[str, ...]:
        if key.endswith("weight_dtype"):
            return ("native", *WEIGHT_FORMATS)
        kind = next((kind for end, kind in _ENTRIES if key.endswith(end)), None)
        return () if kind is None else tuple(self._catalog.names(kind))

    def _can_be(self, key: str, value: Override) -> bool:
        try:
            self._build({**self._overrides, key: value})
        except InputError:
            return False
        return True

    def acts_at_once(self, key: str, value: Override) -> bool:
        """Whether a run goes on when a parameter gets this value; if not, it starts anew.

        Raises:
            InputError: the pipeline cannot be built with this value.
        """
        return differ_in_step_times_alone(self._built, self._build({**self._overrides, key: value}))


def differ_in_step_times_alone(one: BuiltPipeline, other: BuiltPipeline) -> bool:
    """Whether two builds of a pipeline are the same but for their step times."""
    return _without_costs(one) == _without_costs(other)


def changed_costs(one: BuiltPipeline, other: BuiltPipeline) -> list[tuple[int, StepCost]]:
    """Servers whose step times another build changes, counted through all pools, with the new times."""
    before, after = step_costs(one), step_costs(other)
    pairs = enumerate(zip(before, after, strict=True))
    return [(server, new) for server, (old, new) in pairs if not _same_cost(old, new)]


def step_costs(built: BuiltPipeline) -> list[StepCost]:
    """Cost of an iteration, by server."""
    core = built.core
    return [p.cost for p in (core.entry, core.decode, core.fallback) if p for _ in range(p.num_servers)]


def _same_cost(a: StepCost, b: StepCost) -> bool:
    rest = (a.prefill_pair_ps, a.decode_unit_ps, a.kv_unit_ps) == (b.prefill_pair_ps, b.decode_unit_ps, b.kv_unit_ps)
    return rest and np.array_equal(a.compute_ps, b.compute_ps) and np.array_equal(a.memory_ps, b.memory_ps)


def _without_costs(built: BuiltPipeline) -> str:
    """All of a pipeline but its step times, to compare."""
    core = built.core
    parts = []
    for pool in (core.entry, core.decode, core.fallback):
        fields = {} if pool is None else {name: getattr(pool, name) for name in pool.__slots__ if name != "cost"}
        parts.append(repr((fields, pool and len(pool.cost.compute_ps))))
    rest = {name: getattr(core, name) for name in core.__slots__ if name not in ("entry", "decode", "fallback")}
    return repr((parts, rest))

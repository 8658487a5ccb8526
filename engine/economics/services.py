"""Published prices by the token, and what the work of a run would cost at them.

They stand beside a break-even for comparison. A price list does not say how soon its owner answers: whether a turn
bought there keeps its budget is not known from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from subsecond.engine.catalog import Catalog, Value
from subsecond.engine.economics.costs import Work

__all__ = ["Bill", "Service", "services_for"]

_MILLION = 1e6
#: Where an entry stands for whatever model is served.
_ANY = "any"


@dataclass(frozen=True, slots=True)
class Service:
    """A price list for one model, in USD per million tokens.

    Attributes:
        cached: of prompt tokens found in a cache; None: no such price is published, and they are billed as input.
    """

    provider: str
    label: str
    input: Value
    output: Value
    cached: Value | None

    @property
    def is_public(self) -> bool:
        """Whether there are numbers."""
        return self.input.number is not None and self.output.number is not None

    def bill(self, work: Work) -> Bill | None:
        """What some work costs here; None: prices are not public."""
        if self.input.number is None or self.output.number is None:
            return None
        cached = self.input.number if self.cached is None or self.cached.number is None else self.cached.number
        new = (work.prompt_tokens - work.hit_tokens) * self.input.number / _MILLION
        return Bill(new, work.hit_tokens * cached / _MILLION, work.output_tokens * self.output.number / _MILLION, work)


@dataclass(frozen=True, slots=True)
class Bill:
    """The work's cost by what is billed, in USD."""

    new_input: float
    cached_input: float
    output: float
    work: Work

    @property
    def usd(self) -> float:
        """All of it."""
        return self.new_input + self.cached_input + self.output

    @property
    def per_m_output(self) -> float | None:
        """All of it for a million tokens written, as a break-even is given; None: nothing is written."""
        return self.usd / self.work.output_tokens * _MILLION if self.work.output_tokens else None

    @property
    def per_turn(self) -> float | None:
        """None: no turn was answered."""
        return self.usd / self.work.turns if self.work.turns else None


def services_for(model: str, facts: Catalog) -> tuple[Service, ...]:
    """Price lists for a model, the dearest output first; those without numbers last."""
    found = []
    for name in facts.names("prices"):
        entry = facts.entry("prices", name)
        served = entry.fields.get("model", "")
        if not {"usd_per_m_input", "usd_per_m_output"} <= entry.values.keys():
            continue
        if served == _ANY or facts.find("models", served) == facts.find("models", model):
            values = entry.values
            cached = values.get("usd_per_m_cached_input")
            provider = entry.fields.get("provider", entry.name)
            found.append(Service(provider, entry.label, values["usd_per_m_input"], values["usd_per_m_output"], cached))
    return tuple(sorted(found, key=lambda s: (not s.is_public, -(s.output.number or 0.0), s.provider)))

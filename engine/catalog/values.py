"""One figure of the catalog: its number, its unit, and why it should be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from subsecond.engine.errors import InputError

__all__ = ["PROVENANCES", "UNITS", "Entry", "Value", "known_unit"]

#: measured: read off a test; vendor: claimed by its maker or seller; derived: arithmetic on such figures, or a fit;
#: assumed: a guess, the note says from what; not public: nobody outside knows, the number is a setting.
PROVENANCES: Final = ("measured", "vendor", "derived", "assumed", "not public")

#: Units of the catalog: what they count, and the factor to bytes, seconds, flops, watts, dollars and their quotients.
UNITS: Final[Mapping[str, tuple[str, float]]] = MappingProxyType(
    {
        "": ("count", 1.0),
        "count": ("count", 1.0),
        "devices": ("count", 1.0),
        "tokens": ("count", 1.0),
        "1e9 parameters": ("count", 1e9),
        "share": ("ratio", 1.0),
        "ratio": ("ratio", 1.0),
        "x": ("ratio", 1.0),
        "%": ("ratio", 0.01),
        "bytes": ("bytes", 1.0),
        "kB": ("bytes", 1e3),
        "MB": ("bytes", 1e6),
        "GB": ("bytes", 1e9),
        "TB": ("bytes", 1e12),
        "KiB": ("bytes", 2.0**10),
        "MiB": ("bytes", 2.0**20),
        "GiB": ("bytes", 2.0**30),
        "ns": ("time", 1e-9),
        "us": ("time", 1e-6),
        "ms": ("time", 1e-3),
        "s": ("time", 1.0),
        "min": ("time", 60.0),
        "h": ("time", 3600.0),
        "1/s": ("rate", 1.0),
        "tok/s": ("rate", 1.0),
        "MB/s": ("bytes per second", 1e6),
        "GB/s": ("bytes per second", 1e9),
        "TB/s": ("bytes per second", 1e12),
        "PB/s": ("bytes per second", 1e15),
        "GiB/s": ("bytes per second", 2.0**30),
        "Gb/s": ("bytes per second", 1e9 / 8),
        "Tb/s": ("bytes per second", 1e12 / 8),
        "Pb/s": ("bytes per second", 1e15 / 8),
        "TFLOPS": ("operations per second", 1e12),
        "TOPS": ("operations per second", 1e12),
        "PFLOPS": ("operations per second", 1e15),
        "W": ("power", 1.0),
        "kW": ("power", 1e3),
        "nm": ("length", 1e-9),
        "USD": ("money", 1.0),
        "M USD": ("money", 1e6),
        "USD/h": ("money per second", 1 / 3600),
        "USD/kWh": ("money per energy", 1 / 3.6e6),
        "USD/1e6 tokens": ("money per token", 1e-6),
    }
)
#: What a figure is given per, or of; it stays in the unit for the reader and does not change the factor.
_PER: Final = ("/GPU", "/chip", "/device", "/direction", "/layer", "/step", "/token", "/user")


def known_unit(unit: str) -> tuple[str, float] | None:
    """What a unit counts and its factor, None if the catalog does not know it.

    `GB/s/GPU/direction` is known as `GB/s`, `us/layer` as `us`, `% of 667 TF BF16` as `%`.
    """
    bare = unit.partition(" of ")[0]
    for per in _PER:
        bare = bare.replace(per, "")
    return UNITS.get(bare)


@dataclass(frozen=True, slots=True)
class Value:
    """A figure with its origin.

    Attributes:
        number: None if there is no number: the figure is a word (`text`) or unknown.
        unit: as the source gives it; `si()` converts.
        source, date: where it was read and when that was published.
        provenance: one of PROVENANCES.
        note: conditions, conversions, doubts.
        text: the figure in words, where it is one (a device name, a number format).
    """

    number: float | None
    unit: str
    source: str
    date: str
    provenance: str
    note: str = ""
    text: str = ""

    def si(self) -> float:
        """The number in bytes, seconds, flops, watts, dollars, quotients of these, or pure count.

        Raises:
            ValueError: there is no number, or its unit is not known.
        """
        if self.number is None:
            raise ValueError(f"no number: {self.shown}, {self.provenance}")
        known = known_unit(self.unit)
        if known is None:
            raise ValueError(f"unknown unit {self.unit!r}")
        return self.number * known[1]

    @property
    def shown(self) -> str:
        """Number and unit, or the words, for people."""
        if self.number is None:
            return self.text or "unknown"
        number = f"{self.number:,.0f}" if self.number == round(self.number) else f"{self.number:,.12g}"
        if self.unit in ("", "count"):
            return number
        return f"{number}{self.unit}" if self.unit.startswith("%") else f"{number} {self.unit}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of the catalog: a device, a model, a link, a budget...

    Attributes:
        kind, name, label: where it stands, its slug, its name for people.
        values: its figures by key.
        fields: words that are no figures (a budget's statistic, a model's attention form).
        where: file it comes from, for messages.
    """

    kind: str
    name: str
    label: str
    values: Mapping[str, Value]
    fields: Mapping[str, str] = field(default_factory=dict)
    where: str = ""

    def get(self, key: str) -> Value:
        """The value of `key`.

        Raises:
            InputError: there is none.
        """
        if key not in self.values:
            raise InputError(
                self.where or self.name, f"{self.name}.{key}", "nothing", f"a value; {self.kind} cannot do without it"
            )
        return self.values[key]

    def number(self, key: str, default: float | None = None) -> float:
        """The number of `key` in SI units, or `default` where the catalog has none.

        Raises:
            InputError: no number and no default, or the unit is unknown.
        """
        value = self.values.get(key)
        if (value is None or value.number is None) and default is not None:
            return default
        value = self.get(key)
        try:
            number = value.si()
        except ValueError as error:
            field = f"{self.name}.{key}"
            raise InputError(self.where, field, value.shown, f"a number with a known unit ({error})") from None
        if not math.isfinite(number):
            raise InputError(self.where, f"{self.name}.{key}", number, "a finite number")
        return number

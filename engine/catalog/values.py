"""One figure of the catalog: its number, its unit, and why it should be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from subsecond.engine.errors import InputError

__all__ = ["PROVENANCES", "UNIT_FACTORS", "Entry", "Value"]

#: measured: read off a test; vendor: claimed by its maker or seller; derived: arithmetic on such figures, or a fit;
#: assumed: a guess, the note says from what; not public: nobody outside knows, the number is a setting.
PROVENANCES: Final = ("measured", "vendor", "derived", "assumed", "not public")

#: Factor from a unit of the catalog to bytes, seconds, flops and their quotients.
UNIT_FACTORS: Final = MappingProxyType(
    {
        "": 1.0,
        "count": 1.0,
        "share": 1.0,
        "ratio": 1.0,
        "devices": 1.0,
        "tokens": 1.0,
        "tokens/step": 1.0,
        "bytes": 1.0,
        "1/s": 1.0,
        "1e9 parameters": 1e9,
        "MB": 1e6,
        "GB": 1e9,
        "MiB": 2.0**20,
        "GiB": 2.0**30,
        "us": 1e-6,
        "ms": 1e-3,
        "s": 1.0,
        "GB/s": 1e9,
        "TB/s": 1e12,
        "PB/s": 1e15,
        "GB/s/direction": 1e9,
        "GB/s/GPU/direction": 1e9,
        "GB/s/device/direction": 1e9,
        "GB/s/chip": 1e9,
        "TB/s/GPU": 1e12,
        "TFLOPS": 1e12,
        "TOPS": 1e12,
        "PFLOPS": 1e15,
    }
)


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
        """The number in bytes, seconds, flops per second or pure count.

        Raises:
            ValueError: there is no number, or its unit has no factor.
        """
        if self.number is None:
            raise ValueError(f"no number: {self.text or self.provenance}")
        if self.unit not in UNIT_FACTORS:
            raise ValueError(f"unit {self.unit!r} has no factor")
        return self.number * UNIT_FACTORS[self.unit]

    @property
    def shown(self) -> str:
        """Number and unit, or the words, for people."""
        if self.number is None:
            return self.text or "unknown"
        number = f"{self.number:,.6g}" if abs(self.number) < 1e6 or self.number % 1 else f"{self.number:,.0f}"
        return f"{number} {self.unit}" if self.unit not in ("", "count") else number


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
    values: dict[str, Value]
    fields: dict[str, str] = field(default_factory=dict)
    where: str = ""

    def get(self, key: str) -> Value:
        """The value of `key`.

        Raises:
            InputError: there is none.
        """
        if key not in self.values:
            raise InputError(
                self.where or self.name, key, "nothing", f"a value; {self.kind} {self.name!r} cannot do without"
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
            raise InputError(self.where, key, value.shown, f"a number with a known unit ({error})") from None
        if not math.isfinite(number):
            raise InputError(self.where, key, number, "a finite number")
        return number

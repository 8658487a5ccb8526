"""The visible parameters of a pipeline: the catalog's values, and what a scenario or a command line put over them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from subsecond.engine.catalog import Entry, Value
from subsecond.engine.errors import InputError

__all__ = ["SWITCHES", "Domain", "Override", "Parameters"]

Override = float | int | bool | str
#: Parameters that are on (1, true) or off (0, false).
SWITCHES: Final = frozenset({"affinity", "overlap", "kv_return", "prefix_cache", "residency"})


@dataclass(frozen=True, slots=True)
class Domain:
    """What a parameter may be, by itself; together with others less may be possible.

    Attributes:
        least, most: of a number, in the unit of the catalog.
        is_whole: only whole numbers.
        is_switch: 0 or 1.
        choices: words; empty: not a word, or an entry of the catalog.
    """

    least: float = 0.0
    most: float = math.inf
    is_whole: bool = False
    is_switch: bool = False
    choices: tuple[str, ...] = ()


class Parameters:
    """Values of one pipeline by key, checked where they are read.

    Args:
        entry: the pipeline's catalog entry.
        overrides: by key; `prefill.replicas` and `prefill_replicas` are one key. A number keeps the unit of the
            catalog's value.

    Raises:
        InputError: an unknown key, or a value of another type, negative or not finite.

    Attributes:
        domains: what each key that has been read may be.
    """

    def __init__(self, entry: Entry, overrides: Mapping[str, Override]) -> None:
        self.where = f"pipeline {entry.name}"
        self.values: dict[str, Value] = dict(entry.values)
        self.domains: dict[str, Domain] = {}
        for key, given in overrides.items():
            plain = key.strip().lower().replace(".", "_").replace("-", "_")
            if plain not in self.values:
                near = difflib.get_close_matches(plain, self.values, 4, 0.5) or sorted(self.values)
                raise InputError(self.where, key, key, "a parameter of this pipeline: " + ", ".join(near))
            self.values[plain] = self._changed(key, plain, given)

    def _changed(self, key: str, plain: str, given: Override) -> Value:
        old = self.values[plain]
        words = old.number is None and bool(old.text)
        base = replace(old, source="set by the user", date="", provenance="assumed", note=f"instead of {old.shown}")
        if words:
            if not isinstance(given, str) or not given.strip():
                raise InputError(self.where, key, given, f"a word, like {old.text!r}")
            return replace(base, text=given.strip().lower())
        if isinstance(given, str):
            if plain in SWITCHES and given.strip().lower() in ("true", "false", "on", "off"):
                return replace(base, number=float(given.strip().lower() in ("true", "on")))
            raise InputError(self.where, key, given, f"a number{' of ' + old.unit if old.unit else ''}")
        if isinstance(given, bool) and plain not in SWITCHES:
            raise InputError(self.where, key, given, f"a number{' of ' + old.unit if old.unit else ''}")
        if not math.isfinite(given) or given < 0:
            raise InputError(self.where, key, given, "a finite number >= 0")
        if plain in SWITCHES and given not in (0, 1):
            raise InputError(self.where, key, given, "true or false")
        return replace(base, number=float(given))

    def wrong(self, key: str, expected: str) -> InputError:
        """The error for a value that cannot be used."""
        return InputError(self.where, key, self.values[key].shown, expected)

    def number(self, key: str, least: float = 0.0, most: float = math.inf) -> float:
        """The number of `key` in SI units; the limits are in the unit of the catalog."""
        return self._number(key, Domain(least, most))

    def _number(self, key: str, domain: Domain) -> float:
        known = self.domains.get(key, domain)
        least, most = domain.least, domain.most
        self.domains[key] = replace(domain, least=max(least, known.least), most=min(most, known.most))
        value = self.values[key]
        if value.number is None or not least <= value.number <= most:
            raise self.wrong(key, f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}")
        return value.si()

    def count(self, key: str, least: int = 0, most: int = 1 << 20) -> int:
        """A whole number."""
        number = self._number(key, Domain(least, most, is_whole=True))
        if number % 1:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return round(number)

    def switch(self, key: str) -> bool:
        """On or off."""
        return self._number(key, Domain(0, 1, is_whole=True, is_switch=True)) != 0.0

    def word(self, key: str, choices: tuple[str, ...] = ()) -> str:
        """A word; one of `choices` if there are any."""
        self.domains[key] = Domain(choices=choices)
        text = self.values[key].text
        if choices and text not in choices:
            raise self.wrong(key, "one of " + ", ".join(choices))
        return text

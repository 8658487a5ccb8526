"""Stage times of voice agents by name: vendors of the catalog, choices of the shipped file, and profiles of several.

A profile's name is `typical`, or names joined by `+`, of profiles and of single stages; the later ones win:
`fast+stt-azure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from subsecond.engine.catalog import Catalog, Entry, catalog
from subsecond.engine.errors import InputError

from .parameters import Parameter, Parameters, parse_parameters

__all__ = ["profile_names", "stage_names", "with_profile"]

#: Prefix of a vendor's name in the catalog -> the parameter it sets.
VENDORS = {"stt-": "speech_to_text.time", "tts-": "text_to_speech.time"}
#: Quartiles of a normal distribution lie this many standard deviations from its median, p95 and p99 that many.
QUARTILE, P95, P99 = 0.674, 1.645, 2.326


def profile_names(document: Mapping[str, object]) -> list[str]:
    """Profiles of the shipped file."""
    return sorted(_table(document, "profiles"))


def stage_names(document: Mapping[str, object], facts: Catalog | None = None) -> list[str]:
    """Stages that a profile may name: those of the file, then the vendors of the catalog."""
    facts = facts or catalog()
    vendors = [name for name in facts.names("voice") if name.startswith(tuple(VENDORS))]
    # some entries are claims in words
    return [*sorted(_table(document, "stages")), *(n for n in vendors if "p50" in facts.entry("voice", n).values)]


def with_profile(
    base: Parameters, document: Mapping[str, object], profile: str, facts: Catalog | None = None
) -> Parameters:
    """Parameters with the stages of a profile.

    Args:
        document: the parsed file with its `stages` and `profiles`.
        facts: where vendors are looked up; None: the shipped catalog.

    Raises:
        InputError: a name that is neither a profile nor a stage.
    """
    facts = facts or catalog()
    entries = dict(base.entries)
    for name in _stages_of(document, profile, facts):
        stage = _stage(document, name, facts)
        entries[stage.key] = stage
    return replace(base, entries=entries, profile=profile)


def _stages_of(document: Mapping[str, object], profile: str, facts: Catalog) -> Sequence[str]:
    profiles, stages = _table(document, "profiles"), stage_names(document, facts)
    names: list[str] = []
    for name in profile.split("+"):
        chosen = profiles.get(name.strip())
        if isinstance(chosen, list):
            names += [str(stage) for stage in chosen]
        elif name.strip() in stages:
            names.append(name.strip())
        else:
            known = ", ".join([*profile_names(document), *stages])
            raise InputError("voice agents", "profile", profile, f"names joined by +, of {known}")
    return names


def _stage(document: Mapping[str, object], name: str, facts: Catalog) -> Parameter:
    local = _table(document, "stages").get(name)
    if isinstance(local, Mapping):
        key = str(local["parameter"])
        return replace(parse_parameters("voice", {name: local}, "voice.toml").entries[name], key=key)
    key = next(key for prefix, key in VENDORS.items() if name.startswith(prefix))
    return _vendor(key, facts.entry("voice", name))


def _vendor(key: str, entry: Entry) -> Parameter:
    """Distribution behind a vendor's printed figures, in ms.

    Sources print the median with p95 and p99, or with the interquartile range. The lower half mirrors the upper one:
    by ratio to the median for the first kind, by difference for the second (a normal distribution, not below half of
    the median). With the median alone the stage takes that time always.
    """
    median = entry.get("p50")
    p50 = entry.number("p50") * 1e3
    note = "the lower half mirrors the upper one"
    if "p95" in entry.values:
        p95, p99 = entry.number("p95") * 1e3, entry.number("p99") * 1e3
        points = [(0.01, p50 / p99 * p50), (0.05, p50 / p95 * p50), (0.5, p50), (0.95, p95), (0.99, p99)]
    elif "iqr" in entry.values:
        sigma = entry.number("iqr") * 1e3 / (2 * QUARTILE)
        steps = [(0.01, -P99), (0.05, -P95), (0.25, -QUARTILE), (0.5, 0.0), (0.75, QUARTILE), (0.95, P95), (0.99, P99)]
        points = [(p, max(p50 + z * sigma, p50 / 2)) for p, z in steps]
        note = "normal distribution of the printed interquartile range, not below half of the median"
    else:
        points, note = [(0.5, p50)], "the source prints the median alone"
    return Parameter(
        key,
        "ms",
        f"catalog: {entry.name}; {median.source}",
        median.date,
        median.provenance,
        note,
        points=tuple((p, round(v, 1)) for p, v in points),
        maximum=2e8,
    )


def _table(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = document.get(name)
    return table if isinstance(table, Mapping) else {}

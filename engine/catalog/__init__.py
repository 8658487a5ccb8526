"""Facts as TOML: devices, links, models, pipelines, serving software, budgets, prices, voice stages.

Every value says its unit, its source, its date and how far to trust it. `docs/catalog.md` says how to change one.
"""

from subsecond.engine.catalog.loader import KINDS, MEASUREMENTS, Catalog, catalog
from subsecond.engine.catalog.values import PROVENANCES, Entry, Value

__all__ = ["KINDS", "MEASUREMENTS", "PROVENANCES", "Catalog", "Entry", "Value", "catalog"]

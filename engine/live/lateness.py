"""How late events were handled of late."""

from __future__ import annotations

import numpy as np

__all__ = ["Lateness"]


class Lateness:
    """The latest `size` delays, in seconds."""

    def __init__(self, size: int = 4096) -> None:
        self._late_s = np.zeros(size)
        self._count = 0

    def add(self, late_s: float) -> None:
        """Note a delay."""
        self._late_s[self._count % len(self._late_s)] = late_s
        self._count += 1

    def clear(self) -> None:
        """Forget all."""
        self._count = 0

    def latest_s(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Those that are known, in no order."""
        return self._late_s[: min(self._count, len(self._late_s))]

    def quantiles_ms(self) -> tuple[float, float]:
        """Median and 99th percentile; 0 if none is known."""
        latest = self.latest_s()
        if not len(latest):
            return 0.0, 0.0
        p50, p99 = np.quantile(latest, (0.5, 0.99))
        return float(p50) * 1000, float(p99) * 1000

"""Past funding rates: those the exchange settled, and invented ones from before its first start."""

from collections.abc import Sequence

import numpy as np

from gateways.simulator.exchange.model.state import FundingRow
from gateways.simulator.market_data.history.invented import uniforms
from gateways.simulator.market_data.history.rows import HOUR_MS

_PERIOD_MS = 8 * HOUR_MS
Settlement = tuple[int, str, str]
"""Time (ms), rate, mark price ("" if not known)."""


def settlements(
    seed: int | None,
    genesis_ms: int,
    settled: Sequence[FundingRow],
    start_ms: int | None,
    end_ms: int,
    limit: int,
) -> list[Settlement]:
    """Return up to `limit` settlements from `start_ms` on, or the last ones up to `end_ms`.

    Without a seed none is invented.
    """
    rows = [] if seed is None else _invented(seed, genesis_ms, start_ms, end_ms, limit)
    rows += [
        (row.time_ms, f"{row.rate:.8f}", f"{row.mark_price:.8f}")
        for row in settled
        if (seed is None or genesis_ms < row.time_ms)
        and row.time_ms <= end_ms
        and (start_ms is None or row.time_ms >= start_ms)
    ]
    return rows[:limit] if start_ms is not None else rows[-limit:]


def _invented(seed: int, genesis_ms: int, start_ms: int | None, end_ms: int, limit: int) -> list[Settlement]:
    last = min(genesis_ms, end_ms) // _PERIOD_MS
    oldest = last - limit + 1 if start_ms is None else -(-start_ms // _PERIOD_MS)
    oldest = max(0, oldest)
    periods = np.arange(oldest, min(last, oldest + limit) + 1, dtype=np.int64)
    values = uniforms(seed, periods, 700)
    return [
        (int(period) * _PERIOD_MS, f"{0.00002 + 0.00008 * value:.8f}", "")
        for period, value in zip(periods.tolist(), values.tolist(), strict=True)
    ]

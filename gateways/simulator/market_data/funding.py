"""Funding rates that were settled, and plausible ones from before the exchange started."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import numpy as np

from gateways.simulator.exchange import Exchange
from gateways.simulator.market_data.history import uniforms
from gateways.simulator.market_data.rows import HOUR_MS

_KEPT: Final = 2000
_PERIOD_MS: Final = 8 * HOUR_MS


class FundingLog:
    """Rows (time, rate, mark) per symbol, ascending."""

    def __init__(self, saved: Mapping[str, Any], seed: int) -> None:
        self._seed = seed
        self._rows: dict[str, list[list[Any]]] = {
            symbol: [list(row) for row in rows] for symbol, rows in saved.items()
        }
        self._pending: dict[str, tuple[int, Decimal]] = {}
        self._first_ms: dict[str, int] = {}

    def open(self, symbol: str, now_ms: int) -> None:
        """Know a symbol; what lies before its first settlement is made up when asked for."""
        rows = self._rows.setdefault(symbol, [])
        self._first_ms[symbol] = int(rows[0][0]) if rows else now_ms // _PERIOD_MS * _PERIOD_MS + 1

    def observe(self, symbols: Iterable[str], exchange: Exchange, now_ms: int) -> None:
        """Notice settlements: the next funding time moved on."""
        for symbol in symbols:
            due, rate = exchange.next_funding_ms(symbol), exchange.funding_rate(symbol)
            before = self._pending.get(symbol)
            if before is not None and before[0] < due and before[0] <= now_ms:
                rows = self._rows[symbol]
                rows.append([before[0], f"{before[1]:.8f}", f"{exchange.mark_price(symbol):.8f}"])
                del rows[:-_KEPT]
            self._pending[symbol] = (due, rate)

    def rows(self, symbol: str, start_ms: int | None, end_ms: int, limit: int) -> list[tuple[int, str, str]]:
        """Return up to `limit` settlements from `start_ms`, or the last ones up to `end_ms`."""
        known = self._rows.get(symbol, [])
        first_ms = self._first_ms.get(symbol, end_ms)
        last_made = min(first_ms - 1, end_ms) // _PERIOD_MS
        oldest = last_made - limit + 1 if start_ms is None else max(0, -(-start_ms // _PERIOD_MS))
        periods = np.arange(max(0, oldest), min(last_made, oldest + limit) + 1, dtype=np.int64)
        values = uniforms(self._seed, periods, 700 + sum(symbol.encode()))
        made = [
            (int(period) * _PERIOD_MS, f"{0.00002 + 0.00008 * value:.8f}", "")
            for period, value in zip(periods.tolist(), values.tolist(), strict=True)
        ]
        settled = [
            (int(time_ms), str(rate), str(mark))
            for time_ms, rate, mark in known
            if time_ms <= end_ms and (start_ms is None or time_ms >= start_ms)
        ]
        rows = made + settled
        return rows[:limit] if start_ms is not None else rows[-limit:]

    def state(self) -> dict[str, list[list[Any]]]:
        """Return what is to be saved."""
        return self._rows

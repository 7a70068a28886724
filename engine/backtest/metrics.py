"""What a backtest came to, by the names and formulas of the field.

Ratios are of daily returns: r = equity at the end of a UTC day over that of the day before, minus 1, the
first day over the initial capital. Markets that never close have 365 days a year; the risk-free rate is
0. A ratio whose divisor is 0 or unknown is None.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY_NS = 86_400_000_000_000
DAYS_A_YEAR = 365.0

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity at the close of each bar time: int64 open times ascending, float64 account currency."""

    time_ns: NDArray[np.int64]
    equity: NDArray[np.float64]
    initial_capital: float
    bar_ns: int

    @property
    def years(self) -> float:
        """From the first bar's open to the last bar's close, in years of 365 days."""
        if not len(self.time_ns):
            return 0.0
        return float(self.time_ns[-1] - self.time_ns[0] + self.bar_ns) / DAY_NS / DAYS_A_YEAR

    @property
    def with_start(self) -> NDArray[np.float64]:
        """The initial capital, then the equity."""
        return np.concatenate(([self.initial_capital], self.equity))


def daily_returns(curve: Curve) -> NDArray[np.float64]:
    """One return a UTC day that has a bar; see the module's first lines."""
    if not len(curve.equity):
        return np.zeros(0)
    day = curve.time_ns // DAY_NS
    last_of_day = np.append(day[1:] != day[:-1], True)
    ends = np.concatenate(([curve.initial_capital], curve.equity[last_of_day]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return ends[1:] / ends[:-1] - 1.0


def sharpe(returns: NDArray[np.float64]) -> float | None:
    """mean(r) / standard deviation of r (n - 1) * sqrt(365) (Sharpe 1994)."""
    if len(returns) < 2:
        return None
    return _ratio(float(returns.mean()), float(returns.std(ddof=1)), sqrt(DAYS_A_YEAR))


def sortino(returns: NDArray[np.float64]) -> float | None:
    """mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(365) (Sortino and Price 1994, target 0)."""
    if len(returns) < 2:
        return None
    downside = sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    return _ratio(float(returns.mean()), downside, sqrt(DAYS_A_YEAR))


def cagr_percent(curve: Curve) -> float | None:
    """((final equity / initial capital)^(1 / years) - 1) * 100; None when the capital is lost."""
    if not len(curve.equity) or curve.equity[-1] <= 0 or curve.years <= 0:
        return None
    try:
        return float(((curve.equity[-1] / curve.initial_capital) ** (1.0 / curve.years) - 1.0) * 100.0)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall from a highest equity, and the longest time below one.

    `bars` is how long the deepest fall lasted, from its peak to the bar that regained it or to the end;
    `longest_bars` the longest such time, of whatever depth.
    """

    percent: float
    amount: float
    bars: int
    longest_bars: int


def max_drawdown(curve: Curve) -> Drawdown:
    """max over time of (highest equity so far - equity), in percent of that highest equity and in money."""
    values = curve.with_start
    peak = np.maximum.accumulate(values)
    fall = peak - values
    share = fall / peak
    under = fall > 0
    runs = _runs(under)
    deepest = int(np.argmax(share))
    lasting = next((length for begin, length in runs if begin <= deepest < begin + length), 0)
    return Drawdown(
        float(share.max() * 100.0),
        float(fall.max()),
        lasting,
        max((length for _, length in runs), default=0),
    )


def calmar(cagr: float | None, drawdown_percent: float) -> float | None:
    """CAGR in percent / maximum drawdown in percent, over the whole test (Young 1991)."""
    return None if cagr is None else _ratio(cagr, drawdown_percent)


def volatility_percent(returns: NDArray[np.float64]) -> float | None:
    """Standard deviation of daily returns * sqrt(365), in percent."""
    return None if len(returns) < 2 else float(returns.std(ddof=1) * sqrt(DAYS_A_YEAR) * 100.0)


def exposure_percent(closed: Columns, still_open: Columns, bars: dict[str, int]) -> float:
    """Share of bars with a position, in percent, over all symbols' bars; an entry's bar counts."""
    total = sum(bars.values())
    if not total:
        return 0.0
    inside = 0
    for symbol, count in bars.items():
        held = np.zeros(count + 1, dtype=np.int64)
        for columns, is_open in ((closed, False), (still_open, True)):
            mine = columns["symbol"] == symbol
            first = columns["entry_bar"][mine]
            after = np.full(len(first), count) if is_open else columns["exit_bar"][mine]
            # A trade that leaves on the bar it entered was in the market in that bar.
            np.add.at(held, first, 1)
            np.add.at(held, np.maximum(after, first + 1), -1)
        inside += int((np.cumsum(held)[:count] > 0).sum())
    return inside / total * 100.0


def trade_metrics(columns: Columns, risk: NDArray[np.float64] | None = None) -> dict[str, float | int | None]:
    """Numbers of a set of closed trades; profits are net of commissions and funding is in them.

    win rate: winners / trades. profit factor: sum of profits / sum of losses. expectancy: mean profit of a
    trade, in money and in R, where R is `risk`, what the trade would have lost at one R (nan: unknown).
    """
    pnl = columns["pnl"]
    n = len(pnl)
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    in_r: float | None = None
    if risk is not None and n:
        known = np.isfinite(risk) & (risk > 0)
        in_r = float((pnl[known] / risk[known]).mean()) if known.any() else None
    held = columns["exit_bar"] - columns["entry_bar"]
    return {
        "trades": n,
        "long_trades": int((columns["direction"] > 0).sum()),
        "short_trades": int((columns["direction"] < 0).sum()),
        "win_rate_percent": len(wins) / n * 100.0 if n else None,
        "net_profit": float(pnl.sum()),
        "gross_profit": float(wins.sum()),
        "gross_loss": float(-losses.sum()),
        "profit_factor": _ratio(float(wins.sum()), float(-losses.sum())),
        "expectancy": float(pnl.mean()) if n else None,
        "expectancy_r": in_r,
        "average_win": float(wins.mean()) if len(wins) else None,
        "average_loss": float(losses.mean()) if len(losses) else None,
        "best_trade": float(pnl.max()) if n else None,
        "worst_trade": float(pnl.min()) if n else None,
        "longest_losing_streak": max((length for _, length in _runs(pnl < 0)), default=0),
        "average_bars_held": float(held.mean()) if n else None,
        "commission": float((columns["entry_commission"] + columns["exit_commission"]).sum()),
        "funding": float(columns["funding"].sum()),
    }


def monthly_returns(curve: Curve) -> dict[str, float]:
    """Return of each calendar month (UTC) in percent, "2025-01": 1.5."""
    if not len(curve.equity):
        return {}
    month = curve.time_ns.astype("datetime64[ns]").astype("datetime64[M]")
    last_of_month = np.append(month[1:] != month[:-1], True)
    ends = np.concatenate(([curve.initial_capital], curve.equity[last_of_month]))
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (ends[1:] / ends[:-1] - 1.0) * 100.0
    return {str(name): float(value) for name, value in zip(month[last_of_month], change, strict=True)}


def grouped(columns: Columns, keys: NDArray[Any], risk: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """`trade_metrics` of each group of trades, by name."""
    found = {}
    for key in sorted(set(keys.tolist())):
        mine = keys == key
        found[str(key)] = trade_metrics({name: values[mine] for name, values in columns.items()}, risk[mine])
    return found


def exit_months(columns: Columns) -> NDArray[Any]:
    """The calendar month (UTC) in which each trade closed, "2025-01"."""
    return columns["exit_time_ns"].astype("datetime64[ns]").astype("datetime64[M]").astype(str)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and length of each unbroken stretch of true."""
    padded = np.concatenate(([False], flags, [False])).astype(np.int8)
    change = np.diff(padded)
    begins, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return list(zip(begins.tolist(), (ends - begins).tolist(), strict=True))


def _ratio(top: float, bottom: float, scale: float = 1.0) -> float | None:
    if not np.isfinite(top) or not np.isfinite(bottom) or abs(bottom) < 1e-15:
        return None
    return top / bottom * scale

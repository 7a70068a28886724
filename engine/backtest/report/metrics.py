"""Metrics of a backtest, by their usual names and formulas.

Ratios are of daily returns: r = equity at the end of a UTC day over that of the day with bars before it,
minus 1, the first day over the initial capital. A bar longer than a day gives one return. They are
annualised by how many of them a year of this data has: 365 where there is a bar every day, 365 / 7 of
weekly bars. The risk-free rate is 0. A ratio whose divisor is 0 or unknown is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.market_data.bar_times import DAY_NS
from engine.model.bars import Bars

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

    @property
    def drawdown_percent(self) -> NDArray[np.float64]:
        """At each close, 0 or below: equity against the highest so far, the initial capital among them."""
        if not len(self.equity):
            return np.zeros(0)
        peak = np.maximum.accumulate(self.with_start)[1:]
        return np.asarray((self.equity / peak - 1.0) * 100.0)


def daily_returns(curve: Curve) -> NDArray[np.float64]:
    """One return a UTC day that has a bar; see the module's first lines."""
    if not len(curve.equity):
        return np.zeros(0)
    day = curve.time_ns // DAY_NS
    last_of_day = np.append(day[1:] != day[:-1], True)
    ends = np.concatenate(([curve.initial_capital], curve.equity[last_of_day]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return ends[1:] / ends[:-1] - 1.0


def returns_a_year(curve: Curve) -> float:
    """How many of its `daily_returns` a year of 365 days has; 0 without bars.

    Whole days count, so that a first or last day without all its bars changes nothing.
    """
    if not len(curve.time_ns):
        return 0.0
    day = curve.time_ns // DAY_NS
    days = float(day[-1] - day[0]) + max(1.0, curve.bar_ns / DAY_NS)
    return (1 + int(np.count_nonzero(np.diff(day)))) / days * DAYS_A_YEAR


def sharpe(returns: NDArray[np.float64], a_year: float = DAYS_A_YEAR) -> float | None:
    """mean(r) / standard deviation of r (n - 1) * sqrt(`a_year`) (Sharpe 1994)."""
    if len(returns) < 2:
        return None
    return _ratio(float(returns.mean()), float(returns.std(ddof=1)), sqrt(a_year))


def sortino(returns: NDArray[np.float64], a_year: float = DAYS_A_YEAR) -> float | None:
    """mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(`a_year`) (Sortino and Price 1994, target 0)."""
    if len(returns) < 2:
        return None
    downside = sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    return _ratio(float(returns.mean()), downside, sqrt(a_year))


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

    `lasted_ns` is how long the deepest fall lasted, from the first bar below its peak to the bar that
    regained it, or to the end of the data; `longest_ns` the longest such time, of whatever depth. Both go
    by the clock, so hours without bars count.
    """

    percent: float
    amount: float
    lasted_ns: int
    longest_ns: int


def max_drawdown(curve: Curve) -> Drawdown:
    """max over time of (highest equity so far - equity), in percent of that highest equity and in money."""
    values = curve.with_start
    peak = np.maximum.accumulate(values)
    fall = peak - values
    share = fall / peak
    runs = _runs((fall > 0)[1:])
    deepest = int(np.argmax(share)) - 1
    lasted = [(begin, length, _lasted_ns(curve, begin, begin + length)) for begin, length in runs]
    return Drawdown(
        float(share.max() * 100.0),
        float(fall.max()),
        next((ns for begin, length, ns in lasted if begin <= deepest < begin + length), 0),
        max((ns for _, _, ns in lasted), default=0),
    )


def _lasted_ns(curve: Curve, begin: int, end: int) -> int:
    """From the open of bar `begin` to that of bar `end`, or to the close of the last one."""
    times = curve.time_ns
    until = times[end] if end < len(times) else times[-1] + curve.bar_ns
    return int(until - times[begin])


def calmar(cagr: float | None, drawdown_percent: float) -> float | None:
    """CAGR in percent / maximum drawdown in percent, over the whole test (Young 1991)."""
    return None if cagr is None else _ratio(cagr, drawdown_percent)


def volatility_percent(returns: NDArray[np.float64], a_year: float = DAYS_A_YEAR) -> float | None:
    """Standard deviation of daily returns (n - 1) * sqrt(`a_year`), in percent."""
    return None if len(returns) < 2 else float(returns.std(ddof=1) * sqrt(a_year) * 100.0)


def hold_equity(curve: Curve, bars: Sequence[Bars]) -> NDArray[np.float64]:
    """Equity at each of the curve's times had the capital been put into the symbols in equal parts and held.

    Bought at each symbol's first open, cash before it; nothing is paid for trading.
    """
    growth = np.zeros(len(curve.time_ns))
    for one in bars:
        at = np.searchsorted(one.open_time_ns, curve.time_ns, side="right")
        growth += np.concatenate(([1.0], one.close / one.open[0]))[at]
    return np.asarray(curve.initial_capital * growth / len(bars))


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


def trade_metrics(
    columns: Columns, risk: NDArray[np.float64] | None = None, still_open: Columns | None = None
) -> dict[str, float | int | None]:
    """Numbers of a set of closed trades; profits are net of commissions and funding is in them.

    win rate: winners / trades. profit factor: sum of profits / sum of losses. expectancy: mean profit of a
    trade, in money and in R, where R is `risk`, what the trade would have lost at one R (nan: unknown).
    commission and funding are all that was paid, by the trades `still_open` too.
    """
    pnl = columns["pnl"]
    n = len(pnl)
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    in_r: float | None = None
    if risk is not None and n:
        known = np.isfinite(risk) & (risk > 0)
        in_r = float((pnl[known] / risk[known]).mean()) if known.any() else None
    held = columns["exit_bar"] - columns["entry_bar"]
    paid = (columns,) if still_open is None else (columns, still_open)
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
        "commission": sum(float((each["entry_commission"] + each["exit_commission"]).sum()) for each in paid),
        "funding": sum(float(each["funding"].sum()) for each in paid),
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


def grouped(
    columns: Columns,
    keys: NDArray[Any],
    risk: NDArray[np.float64],
    still_open: tuple[Columns, NDArray[Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """`trade_metrics` of each group of trades, by name; `still_open` are open trades and their keys."""
    opened, open_keys = still_open or ({name: values[:0] for name, values in columns.items()}, keys[:0])
    found = {}
    for key in sorted({*keys.tolist(), *open_keys.tolist()}):
        mine, mine_open = keys == key, open_keys == key
        found[str(key)] = trade_metrics(
            {name: values[mine] for name, values in columns.items()},
            risk[mine],
            {name: values[mine_open] for name, values in opened.items()},
        )
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

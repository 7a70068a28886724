"""Metrics are what their formulas say, worked out by hand on small curves and lists."""

from math import sqrt

import numpy as np
import pytest

from engine.backtest import metrics
from engine.backtest.metrics import DAY_NS, Curve
from engine.backtest.report_hash import trades_hash
from engine.backtest.report_trades import COLUMNS, TEXT_COLUMNS

HOUR_NS = DAY_NS // 24


def _curve(equity: list[float], bar_ns: int = DAY_NS, initial: float = 100.0) -> Curve:
    times = np.arange(len(equity), dtype=np.int64) * bar_ns
    return Curve(times, np.array(equity), initial, bar_ns)


def _trades(*pnl: float, bars: int = 2, **columns: list[object]) -> metrics.Columns:
    n = len(pnl)
    made: metrics.Columns = {}
    for name in COLUMNS:
        kind = np.str_ if name in TEXT_COLUMNS else np.float64
        made[name] = np.zeros(n, dtype=kind)
    made |= {name: np.array(values) for name, values in columns.items()}
    for name in ("entry_bar", "exit_bar", "direction", "entry_time_ns", "exit_time_ns"):
        made[name] = made[name].astype(np.int64)
    made["pnl"] = np.array(pnl)
    if "exit_bar" not in columns:
        made["exit_bar"] = made["entry_bar"] + bars
    if "symbol" not in columns:
        made["symbol"] = np.array(["X"] * n)
    return made


def test_daily_returns_take_the_last_equity_of_each_utc_day():
    equity = [100.0] * 23 + [110.0] + [90.0] * 23 + [99.0]
    returns = metrics.daily_returns(_curve(equity, HOUR_NS))
    assert returns == pytest.approx([0.1, -0.1])


def test_sharpe_and_sortino():
    returns = np.array([0.02, -0.01, 0.03, 0.0])
    assert metrics.sharpe(returns) == pytest.approx(0.01 / returns.std(ddof=1) * sqrt(365))
    assert metrics.sortino(returns) == pytest.approx(0.01 / sqrt(0.0001 / 4) * sqrt(365))


def test_a_ratio_without_a_divisor_is_none():
    assert metrics.sharpe(np.array([0.01])) is None
    assert metrics.sharpe(np.array([0.01, 0.01])) is None
    assert metrics.sortino(np.array([0.01, 0.02])) is None
    assert metrics.calmar(5.0, 0.0) is None
    assert metrics.calmar(None, 5.0) is None
    assert metrics.trade_metrics(_trades(1.0, 2.0))["profit_factor"] is None


def test_cagr_over_exactly_two_years():
    curve = _curve([100.0] * 729 + [121.0])
    assert curve.years == 2.0
    assert metrics.cagr_percent(curve) == pytest.approx(10.0)
    assert metrics.cagr_percent(_curve([50.0, -1.0])) is None


def test_drawdown_counts_from_the_initial_capital():
    fall = metrics.max_drawdown(_curve([90.0, 120.0, 60.0, 90.0, 121.0, 120.0]))
    assert fall.percent == 50.0
    assert fall.amount == 60.0
    assert fall.bars == 2
    assert fall.longest_bars == 2
    assert metrics.max_drawdown(_curve([101.0, 102.0])).percent == 0.0


def test_the_deepest_fall_need_not_be_the_longest():
    fall = metrics.max_drawdown(_curve([100.0, 99.0, 99.0, 99.0, 100.0, 50.0, 100.0]))
    assert (fall.bars, fall.longest_bars) == (1, 3)


def test_numbers_of_trades():
    trades = _trades(3.0, -1.0, -1.0, 2.0, 0.0, direction=[1, -1, 1, 1, 1])
    found = metrics.trade_metrics(trades, np.array([1.0, 1.0, 2.0, np.nan, 1.0]))
    assert found["trades"] == 5
    assert (found["long_trades"], found["short_trades"]) == (4, 1)
    assert found["win_rate_percent"] == 40.0
    assert found["profit_factor"] == 2.5
    assert found["expectancy"] == pytest.approx(0.6)
    assert found["expectancy_r"] == pytest.approx((3.0 - 1.0 - 0.5 + 0.0) / 4)
    assert (found["average_win"], found["average_loss"]) == (2.5, -1.0)
    assert found["longest_losing_streak"] == 2
    assert found["average_bars_held"] == 2.0


def test_no_trades_have_no_rates():
    found = metrics.trade_metrics(_trades())
    assert found["trades"] == 0
    assert found["win_rate_percent"] is None
    assert found["net_profit"] == 0.0


def test_exposure_counts_bars_with_a_position_once():
    closed = _trades(1.0, 1.0, 1.0, entry_bar=[0, 1, 6], exit_bar=[2, 3, 6])
    none = _trades()
    assert metrics.exposure_percent(closed, none, {"X": 10}) == 40.0
    still_open = _trades(1.0, entry_bar=[8], exit_bar=[-1])
    assert metrics.exposure_percent(none, still_open, {"X": 10}) == 20.0
    assert metrics.exposure_percent(closed, none, {"X": 10, "Y": 10}) == 20.0


def test_months_are_calendar_months_in_utc():
    times = np.array(["2025-01-30", "2025-01-31", "2025-02-01"], dtype="datetime64[ns]").astype(np.int64)
    found = metrics.monthly_returns(Curve(times, np.array([105.0, 110.0, 99.0]), 100.0, DAY_NS))
    assert found == pytest.approx({"2025-01": 10.0, "2025-02": -10.0})


def test_groups_add_up_to_the_whole():
    trades = _trades(3.0, -1.0, 2.0, symbol=["A", "B", "A"])
    found = metrics.grouped(trades, trades["symbol"], np.full(3, np.nan))
    assert {name: numbers["net_profit"] for name, numbers in found.items()} == {"A": 5.0, "B": -1.0}


def test_the_hash_of_trades_sees_the_last_bit_and_the_order():
    trades = _trades(3.0, -1.0)
    first = trades_hash(trades)
    assert trades_hash(_trades(3.0, -1.0)) == first
    assert trades_hash(_trades(3.0, float(np.nextafter(-1.0, 0)))) != first
    assert trades_hash(_trades(-1.0, 3.0)) != first
    trades["funding"] = -trades["funding"]
    assert trades_hash(trades) == first

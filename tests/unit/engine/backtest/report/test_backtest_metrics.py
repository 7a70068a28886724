"""Metrics are what their formulas say, worked out by hand on small curves and lists."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backtest.report import metrics
from engine.backtest.report.hashes import trades_hash
from engine.backtest.report.metrics import Curve
from engine.backtest.report.trades import COLUMNS, TEXT_COLUMNS
from engine.market_data.bar_times import DAY_NS
from engine.model.bars import Bars

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
    assert fall.lasted_ns == 2 * DAY_NS
    assert fall.longest_ns == 2 * DAY_NS
    assert metrics.max_drawdown(_curve([101.0, 102.0])).percent == 0.0


def test_the_deepest_fall_need_not_be_the_longest():
    fall = metrics.max_drawdown(_curve([100.0, 99.0, 99.0, 99.0, 100.0, 50.0, 100.0]))
    assert (fall.lasted_ns, fall.longest_ns) == (DAY_NS, 3 * DAY_NS)


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


def test_weekly_returns_are_annualised_by_weeks():
    curve = _curve([100.0, 110.0, 105.0, 115.0, 110.0], 7 * DAY_NS)
    returns, a_year = metrics.daily_returns(curve), metrics.returns_a_year(curve)
    assert a_year == pytest.approx(365 / 7)
    assert metrics.sharpe(returns, a_year) == pytest.approx(
        returns.mean() / returns.std(ddof=1) * sqrt(365 / 7)
    )
    assert metrics.volatility_percent(returns, a_year) == pytest.approx(
        returns.std(ddof=1) * sqrt(365 / 7) * 100
    )


@pytest.mark.parametrize(
    ("days", "a_year"),
    [
        (np.arange(0, 700), 365.0),
        (np.arange(0, 700, 30), 365 / 30),
        (np.array([day for day in range(700) if day % 7 < 5]), 365 * 5 / 7),
    ],
)
def test_there_are_as_many_returns_a_year_as_the_data_has(days: NDArray[np.int64], a_year: float):
    bar_ns = int(np.diff(days).min()) * DAY_NS
    curve = Curve(days.astype(np.int64) * DAY_NS, np.full(len(days), 100.0), 100.0, bar_ns)
    assert metrics.returns_a_year(curve) == pytest.approx(a_year, rel=0.005)


def test_a_first_day_without_all_its_bars_changes_no_year():
    curve = Curve(np.arange(17, 480, dtype=np.int64) * HOUR_NS, np.full(463, 100.0), 100.0, HOUR_NS)
    assert metrics.returns_a_year(curve) == 365.0


def test_a_drawdown_lasts_by_the_clock():
    days = np.array([1, 2, 3, 4, 5, 25, 27, 28], dtype=np.int64)
    equity = np.array([100.0, 100.0, 101.0, 99.0, 98.0, 97.0, 101.0, 100.5])
    fall = metrics.max_drawdown(Curve(days * DAY_NS, equity, 100.0, DAY_NS))
    assert (fall.lasted_ns, fall.longest_ns) == (23 * DAY_NS, 23 * DAY_NS)
    to_the_end = metrics.max_drawdown(Curve(days[:6] * DAY_NS, equity[:6], 100.0, DAY_NS))
    assert to_the_end.lasted_ns == 22 * DAY_NS


def test_the_drawdown_of_each_bar_knows_the_initial_capital():
    curve = _curve([90.0, 100.0, 120.0, 60.0])
    assert curve.drawdown_percent == pytest.approx([-10.0, 0.0, 0.0, -50.0])
    assert -curve.drawdown_percent.min() == metrics.max_drawdown(curve).percent
    assert len(_curve([]).drawdown_percent) == 0


def test_holding_puts_equal_parts_into_the_symbols():
    curve = _curve([100.0, 100.0, 100.0])
    flat = np.ones(3)
    rises = Bars("A", DAY_NS, curve.time_ns, flat, flat, flat, np.array([1.0, 2.0, 3.0]), flat)
    late = Bars("B", DAY_NS, curve.time_ns[1:], flat[1:], flat[1:], flat[1:], np.array([0.5, 0.25]), flat[1:])
    assert metrics.hold_equity(curve, [rises]) == pytest.approx([100.0, 200.0, 300.0])
    assert metrics.hold_equity(curve, [rises, late]) == pytest.approx([100.0, 125.0, 162.5])


def test_what_open_trades_have_paid_is_in_the_costs():
    closed = _trades(3.0, entry_commission=[1.0], exit_commission=[2.0], funding=[-0.5])
    still_open = _trades(-1.0, entry_commission=[4.0], funding=[-0.25])
    found = metrics.trade_metrics(closed, None, still_open)
    assert (found["trades"], found["net_profit"]) == (1, 3.0)
    assert (found["commission"], found["funding"]) == (7.0, -0.75)
    by_symbol = metrics.grouped(closed, closed["symbol"], np.full(1, np.nan), (still_open, np.array(["Y"])))
    assert {name: one["commission"] for name, one in by_symbol.items()} == {"X": 3.0, "Y": 4.0}

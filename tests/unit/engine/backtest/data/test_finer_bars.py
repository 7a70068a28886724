"""Finer bars belong to the bar they lie in, by the calendar, or the bar goes its own path."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.backtest.data.finer_bars import check_finer, inside
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.emulator.script_runner import run_script
from engine.backtest.emulator.signal_runner import run_signals
from engine.backtest.kernel.runner import run_kernel
from engine.market_data.bar_times import usual_step_ns
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Market
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays
from engine.strategies.base import Broker, ScriptStrategy

HOUR_NS = 3_600_000_000_000
NEW_YORK = ZoneInfo("America/New_York")
Row = tuple[float, float, float, float]


def _bars(times: list[int], rows: list[Row], symbol: str = "X") -> Bars:
    stamps, table = np.array(times, np.int64), np.array(rows)
    columns = [np.ascontiguousarray(table[:, k]) for k in range(4)]
    return Bars(symbol, usual_step_ns(stamps), stamps, *columns, np.zeros(len(times)))


def _days_and_hours(dates: list[tuple[int, int]], touch: int) -> tuple[Bars, Bars]:
    """Five days of New York and their hours, all at 100 but for one hour that touches 94."""
    midnights = [int(datetime(2025, *day, tzinfo=NEW_YORK).timestamp()) * 10**9 for day in dates]
    times = list(range(midnights[0], midnights[-1] + 24 * HOUR_NS, HOUR_NS))
    hours: list[Row] = [(100.0, 100.0, 94.0 if k == touch else 100.0, 100.0) for k in range(len(times))]
    borders = [*np.searchsorted(times, midnights).tolist(), len(times)]
    lows = [min(row[2] for row in hours[borders[k] : borders[k + 1]]) for k in range(len(dates))]
    return _bars(midnights, [(100.0, 100.0, low, 100.0) for low in lows]), _bars(times, hours)


class _StopAt95(ScriptStrategy):
    name = "stop_at_95"

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        if broker.bar_index == 0:
            broker.entry("L", "long")
        if broker.position_size > 0:
            broker.exit("X", "L", stop=95)


SPRING = [(3, 6), (3, 7), (3, 8), (3, 9), (3, 10)]
"""2025-03-09 has 23 hours."""
AUTUMN = [(10, 31), (11, 1), (11, 2), (11, 3), (11, 4)]
"""2025-11-02 has 25 hours."""


@pytest.mark.parametrize(
    ("dates", "touch", "bar"),
    [(SPRING, 71, 2), (SPRING, 94, 3), (SPRING, 95, 4), (AUTUMN, 72, 2), (AUTUMN, 73, 3)],
)
def test_the_last_hour_of_a_day_is_seen_when_the_clocks_change(
    dates: list[tuple[int, int]], touch: int, bar: int
):
    days, hours = _days_and_hours(dates, touch)
    settings = BrokerSettings(market=Market(tick=0.01, qty_step=1.0))
    assert check_finer(days, hours) == ()
    for finer in (None, hours):
        (trade,) = run_script(_StopAt95(), days, settings, finer=finer).trades
        assert (trade.exit_bar, trade.exit_price) == (bar, 95.0)
    where = inside(days, hours)
    assert where.first[1:].tolist() == where.end[:-1].tolist()


def test_a_bar_whose_finer_bars_are_not_whole_goes_its_own_path():
    hours = _bars([0, HOUR_NS, 2 * HOUR_NS], [(10.0, 12.0, 9.0, 11.0)] * 3)
    quarter = HOUR_NS // 4
    whole: list[Row] = [(10.0, 12.0, 10.0, 11.0), (11.0, 11.0, 9.0, 10.0), (10.0, 10.0, 10.0, 10.0)]
    without_low: list[Row] = [(10.0, 12.0, 10.0, 11.0), (11.0, 11.0, 11.0, 11.0)]
    times = [0, quarter, 2 * quarter, HOUR_NS, HOUR_NS + quarter]
    where = inside(hours, _bars(times, [*whole, *without_low]))
    assert (where.end - where.first).tolist() == [3, 0, 0]
    assert where.differ.tolist() == [False, False, False]


def test_finer_bars_beyond_their_bar_differ():
    hours = _bars([0, HOUR_NS, 2 * HOUR_NS], [(10.0, 12.0, 9.0, 11.0)] * 3)
    finer = _bars([0, HOUR_NS // 2], [(10.0, 12.0, 10.0, 11.0), (11.0, 11.0, 8.9, 10.0)])
    assert inside(hours, finer).differ.tolist() == [True, False, False]
    with pytest.raises(ValueError, match=r"they reach from 8\.9 to 12, the bar itself from 9 to 12"):
        check_finer(hours, finer)


@pytest.mark.parametrize(("symbol", "step"), [("X", HOUR_NS), ("X", 2 * HOUR_NS), ("Y", HOUR_NS // 2)])
def test_both_engines_refuse_what_is_not_finer_or_another_symbol(symbol: str, step: int):
    hours = _bars([0, HOUR_NS, 2 * HOUR_NS], [(10.0, 12.0, 9.0, 11.0)] * 3)
    other = _bars([0, step], [(10.0, 12.0, 9.0, 11.0)] * 2, symbol)
    with pytest.raises(ValueError, match="finer bars of"):
        run_script(_StopAt95(), hours, BrokerSettings(), finer=other)
    never = np.zeros(3, np.bool_)
    signals = SignalArrays(
        never, never, never, never, np.zeros(3, np.int32), ("",), np.zeros(3), np.empty((0, 3))
    )
    plan = SymbolPlan(hours, signals, ExitRules(), BrokerSettings(), other)
    for engine in (run_kernel, run_signals):
        with pytest.raises(ValueError, match="finer bars of"):
            engine([plan])

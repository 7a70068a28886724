"""Backtests of a few bars for the tests of docs/assumptions.md, run by both engines; they must agree."""

from collections.abc import Callable, Mapping, Sequence
from math import isnan, nan
from typing import TypeVar

import numpy as np

from engine.backtest.data.plans import SymbolPlan
from engine.backtest.emulator.signal_runner import run_signals
from engine.backtest.kernel.runner import run_kernel
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings, Market, Sizing
from engine.model.exit_rules import ExitRules
from engine.model.signals import SIGNAL_NUMBERS, SignalArrays, Signals
from engine.model.trades import BacktestResult, Trade

HOUR_NS = 3_600_000_000_000
LONG, SHORT, LEAVE_LONG, LEAVE_SHORT = 1, 2, 4, 8
FLAGS = ("enter_long", "enter_short", "exit_long", "exit_short")
MARKET = Market(tick=0.5, qty_step=0.1)
PLAIN = BrokerSettings(sizing=Sizing("fixed", 1.0), market=MARKET)
DEFAULT = ExitRules()
RESTING = ExitRules(stop_kind="resting")

Row = tuple[float, float, float, float]
Said = Mapping[int, Signals]
Test = TypeVar("Test", bound=Callable[..., None])
SHOWN: set[str] = set()


def shows(section: str, *rows: str) -> Callable[[Test], Test]:
    def mark(test: Test) -> Test:
        SHOWN.update(f"{section}: {row}" for row in rows)
        return test

    return mark


def make_bars(rows: Sequence[Row], symbol: str = "X", times: Sequence[int] = (), step: int = HOUR_NS) -> Bars:
    table = np.array(rows, np.float64)
    time_ns = np.array(times or range(len(rows)), np.int64) * step
    columns = [np.ascontiguousarray(table[:, k]) for k in range(4)]
    return Bars(symbol, step, time_ns, *columns, np.zeros(len(rows)))


def make_signals(count: int, said: Said) -> SignalArrays:
    every = [said.get(bar, say(0)) for bar in range(count)]
    names = ["", *sorted({one.tag for one in every} - {""})]
    given = [name for name in SIGNAL_NUMBERS if not all(isnan(getattr(one, name)) for one in every)]
    return SignalArrays(
        *(np.array([getattr(one, name) for one in every]) for name in FLAGS),
        np.array([names.index(one.tag) for one in every], np.int32),
        tuple(names),
        np.array([one.risk_distance for one in every]),
        np.empty((0, count)),
        **{name: np.array([getattr(one, name) for one in every]) for name in given},
    )


def both(plans: list[SymbolPlan]) -> BacktestResult:
    event, kernel = run_signals(plans), run_kernel(plans)
    for name in ("trades", "open_trades", "equity", "final_equity", "margin_rejects"):
        assert getattr(kernel, name) == getattr(event, name), name
    return event


def run(
    rows: Sequence[Row],
    said: Said,
    rules: ExitRules = DEFAULT,
    settings: BrokerSettings = PLAIN,
    **more: object,
) -> BacktestResult:
    return both([SymbolPlan(make_bars(rows), make_signals(len(rows), said), rules, settings, **more)])  # type: ignore[arg-type]


def flat(*prices: float) -> list[Row]:
    """Bars that open and close at a price, half a unit of wick on either side."""
    return [(price, price + 0.5, price - 0.5, price) for price in prices]


def out(trade: Trade) -> tuple[int, float, str]:
    return trade.exit_bar, trade.exit_price, trade.exit_signal


def say(flags: int, tag: str = "", r: float = nan, **more: float) -> Signals:
    bits = (flags & bit != 0 for bit in (LONG, SHORT, LEAVE_LONG, LEAVE_SHORT))
    return Signals(*bits, tag, r, **more)

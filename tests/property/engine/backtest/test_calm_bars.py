"""Bars on which nothing is pending are only noted, and still leave what bars done one by one leave."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.data.funding import Funding
from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.script_runner import run_script
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing
from engine.model.trades import BacktestResult
from engine.strategies.base import ScriptStrategy, StrategyParams

MINUTE_NS = 60_000_000_000
ACTS = ("long", "short", "close", "close now", "all", "leave", "stop", "cancel", "nothing", "nothing", "look")


class Acting(ScriptStrategy):
    """Does what it is told on each bar and remembers all it can see where it is told to look."""

    name = "acting"
    Params = StrategyParams

    def __init__(self, acts: list[str], always_looks: bool) -> None:
        self._acts = iter(acts)
        self._always_looks = always_looks
        self.seen: list[tuple[object, ...]] = []

    def on_bar(self, bar: Bar, broker: BacktestBroker) -> None:
        act = next(self._acts)
        if act == "look":
            self.seen.append(_view(broker))
        elif self._always_looks:
            _view(broker)
        if act in ("long", "short"):
            broker.entry(act, act)
        elif act == "close":
            broker.close("long", qty_percent=50.0)
        elif act == "close now":
            broker.close_all(immediately=True)
        elif act == "all":
            broker.close_all()
        elif act == "leave":
            broker.exit("x", "long", limit=bar.close + 3.0, stop=bar.close - 2.0)
        elif act == "stop":
            broker.entry("short", "short", stop=bar.close - 1.0)
        elif act == "cancel":
            broker.cancel_all()


def _view(broker: BacktestBroker) -> tuple[object, ...]:
    lots = [(lot.best, lot.worst, lot.qty) for lot in broker.open_trades]
    drawdown, runup = (
        (broker.max_drawdown, broker.max_drawdown_percent),
        (broker.max_runup, broker.max_runup_percent),
    )
    return lots, drawdown, runup, broker.equity, broker.gross_loss


@st.composite
def markets(draw: st.DrawFn) -> tuple[Bars, list[str], BrokerSettings]:
    count = draw(st.integers(2, 60))
    draws = st.lists(st.integers(-30, 30), min_size=count, max_size=count)
    wicks = st.lists(st.integers(0, 20), min_size=count, max_size=count)
    close = 100.0 + np.cumsum(draw(draws)) / 10.0 % 60.0
    open_ = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(open_, close) + np.array(draw(wicks)) / 10.0
    low = np.minimum(open_, close) - np.array(draw(wicks)) / 10.0
    times = np.arange(count, dtype=np.int64) * MINUTE_NS
    bars = Bars("CALM", MINUTE_NS, times, open_, high, low, close, np.ones(count))
    settings_ = BrokerSettings(
        initial_capital=1000.0,
        sizing=draw(st.sampled_from([Sizing("fixed", 2.0), Sizing("percent_of_equity", 50.0)])),
        costs=Costs(taker_percent=0.1, slippage_ticks=1),
        market=Market(tick=0.1, qty_step=0.01, point_value=draw(st.sampled_from([1.0, 0.3]))),
        timing=draw(st.sampled_from(["next_bar_open", "bar_close"])),
        pyramiding=draw(st.integers(1, 3)),
    )
    return bars, draw(st.lists(st.sampled_from(ACTS), min_size=count, max_size=count)), settings_


def _run(
    case: tuple[Bars, list[str], BrokerSettings], funding: Funding | None, *, looks: bool
) -> tuple[BacktestResult, list[tuple[object, ...]]]:
    bars, acts, broker_settings = case
    script = Acting(acts, looks)
    return run_script(script, bars, broker_settings, funding=funding), script.seen


@settings(max_examples=250, deadline=None)
@given(markets())
def test_noted_bars_leave_what_bars_done_one_by_one_leave(case: tuple[Bars, list[str], BrokerSettings]):
    nothing_paid = Funding(np.array([0], np.int64), np.array([0.0]))
    assert _run(case, None, looks=False) == _run(case, nothing_paid, looks=False)


@settings(max_examples=100, deadline=None)
@given(markets())
def test_looking_changes_nothing(case: tuple[Bars, list[str], BrokerSettings]):
    assert _run(case, None, looks=False) == _run(case, None, looks=True)

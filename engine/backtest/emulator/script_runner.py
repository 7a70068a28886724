"""Runs scripts (`ScriptStrategy`) through the event-driven engine, several symbols on one account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import cast

import numpy as np

from engine.backtest.data.funding import Funding
from engine.backtest.data.price_grid import settled
from engine.backtest.emulator.account import Account
from engine.backtest.emulator.bar_rows import PriceBar, columns, funding_events, inside
from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.equity_curve import EquityCurve
from engine.backtest.emulator.only_looks import OnlyLooks
from engine.backtest.emulator.recalculation import Recalculation
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.trades import BacktestResult
from engine.strategies.base import Broker, ScriptStrategy
from engine.strategies.faults import decide, fault_of
from engine.strategies.inputs import Informative, informative_of


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """One symbol of a backtest and the script that trades it. `finer` bars give the path inside a bar,
    `beside` are bars that the script may look at.
    """

    strategy: ScriptStrategy
    bars: Bars
    settings: BrokerSettings
    finer: Bars | None = None
    funding: Funding | None = None
    beside: Sequence[Bars] = ()


def run_script(
    strategy: ScriptStrategy,
    bars: Bars,
    settings: BrokerSettings,
    *,
    finer: Bars | None = None,
    funding: Funding | None = None,
) -> BacktestResult:
    """Backtest one script on one symbol; `Bar.kind` is `exchange`."""
    return run_scripts([ScriptPlan(strategy, bars, settings, finer, funding)])


def run_scripts(plans: Sequence[ScriptPlan]) -> BacktestResult:
    """Backtest the plans together on one account; the first one's settings give the initial capital.

    A script with several inputs gets its informative bars in front of the deciding one they are known by, the
    longest first; nothing it orders on them counts, as live.

    ValueError when there is no plan, or a plan lacks bars; StrategyFault for an exception of a script.
    """
    if not plans or not all(len(plan.bars) for plan in plans):
        raise ValueError("a backtest needs at least one plan, and bars for each")
    account = Account(plans[0].settings.initial_capital)
    running = [_Running(plan, account) for plan in plans]
    equity = _run_one(running[0]) if len(running) == 1 else _run_together(running, account)
    return BacktestResult(
        trades=tuple(account.trades),
        open_trades=tuple(trade for one in running for trade in one.broker.marked_open_trades()),
        equity=tuple(equity),
        final_equity=equity[-1],
        margin_rejects=account.margin_rejects,
    )


class _Running:
    """One plan under way."""

    __slots__ = (
        "broker",
        "columns",
        "finer",
        "funding",
        "informative",
        "looks",
        "next_bar",
        "next_funding",
        "recalculation",
        "strategy",
        "symbol",
        "timeframe_ns",
    )

    def __init__(self, plan: ScriptPlan, account: Account) -> None:
        self.strategy = plan.strategy
        self.symbol = plan.bars.symbol
        self.timeframe_ns = plan.bars.timeframe_ns
        self.broker = BacktestBroker(plan.bars.symbol, settled(plan.settings, plan.bars), account)
        self.columns = columns(plan.bars)
        self.finer: dict[int, list[PriceBar]] = inside(plan.bars, plan.finer)
        self.funding = funding_events(plan.funding)
        self.informative = Informative(informative_of(plan.strategy, plan.bars, plan.beside))
        self.looks = cast("Broker", OnlyLooks(self.broker))
        self.next_bar = 0
        self.next_funding = 0
        self.recalculation = (
            Recalculation(plan.strategy, self.broker) if plan.settings.calc_on_order_fills else None
        )

    def fill(self, bar: Bar) -> None:
        """Steps 1 to 5 of one bar."""
        self.pay_funding(bar.open_time_ns + 1, bar.open)
        finer = self.finer.get(bar.open_time_ns, ())
        index = self.next_bar
        if self.recalculation is not None and not finer:
            self.recalculation.fill_bar(index, bar)
        else:
            self.broker.fill_open(index, bar.open_time_ns, bar.open, bar.high, bar.low)
            self.broker.fill_path(bar.open, bar.high, bar.low, bar.close, finer)
        self.pay_funding(bar.open_time_ns + self.timeframe_ns, bar.open)

    def decide(self, bar: Bar) -> None:
        """Step 6: the script sees what has closed."""
        for other in self.informative.until(bar.close_time_ns):
            decide(self.strategy, other, self.looks)
        decide(self.strategy, bar, self.broker)

    def pay_funding(self, before_ns: int, price: float) -> None:
        """Funding events before a time."""
        events = self.funding
        while self.next_funding < len(events) and events[self.next_funding][0] < before_ns:
            self.broker.ledger.pay_funding(price, events[self.next_funding][1])
            self.next_funding += 1

    def bar(self, index: int) -> Bar:
        """The bar of that number."""
        time_ns, open_, high, low, close, volume = (column[index] for column in self.columns)
        return Bar(self.symbol, self.timeframe_ns, int(time_ns), open_, high, low, close, volume, "exchange")

    def bars(self) -> Iterator[Bar]:
        """All bars, each made when it is asked for."""
        return map(Bar, repeat(self.symbol), repeat(self.timeframe_ns), *self.columns, repeat("exchange"))


def _run_one(one: _Running) -> list[float]:
    """The loop of one symbol."""
    if one.recalculation is None and not (one.finer or one.funding or one.informative):
        return _run_plain(one)
    broker, equity = one.broker, []
    for index, bar in enumerate(one.bars()):
        one.next_bar = index
        one.fill(bar)
        broker.settle(bar.close)
        one.decide(bar)
        broker.end_bar()
        equity.append(broker.equity)
    return equity


def _run_plain(one: _Running) -> list[float]:
    """The loop without what most backtests do not have: a microsecond here is a second of a run."""
    broker, on_bar = one.broker, one.strategy.on_bar
    fill_bar, end_bar = broker.fill_bar, broker.end_bar
    account, lots = broker.account, broker.ledger.lots
    curve, fills = EquityCurve(account.cash), 0
    times, opens, highs, lows, closes, _ = one.columns
    numbers = range(len(times))
    for index, bar, time_ns, open_, high, low, close in zip(
        numbers, one.bars(), times, opens, highs, lows, closes, strict=True
    ):
        fill_bar(index, time_ns, open_, high, low, close)
        try:
            on_bar(bar, broker)
        except (Exception, SystemExit) as error:
            raise fault_of(error, one.strategy, bar) from error
        filled = end_bar()
        if filled != fills:
            fills = filled
            curve.note(index, account.cash, lots)
    return curve.values(np.asarray(closes), broker.point_value)


def _run_together(running: Sequence[_Running], account: Account) -> list[float]:
    equity = []
    for time_ns in _times(running):
        here = [
            (one, one.bar(one.next_bar))
            for one in running
            if one.next_bar < len(one.columns[0]) and one.columns[0][one.next_bar] == time_ns
        ]
        for one, bar in here:
            one.fill(bar)
        for one, bar in here:
            one.broker.settle(bar.close)
        for one, bar in here:
            one.decide(bar)
        for one, _ in here:
            one.broker.end_bar()
            one.next_bar += 1
        equity.append(account.equity)
    return equity


def _times(running: Sequence[_Running]) -> Iterator[int]:
    yield from sorted({time_ns for one in running for time_ns in one.columns[0]})

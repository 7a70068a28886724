"""Runs scripts (`ScriptStrategy`) through the event-driven engine, several symbols on one account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.backtest.account import Account
from engine.backtest.bar_rows import PriceBar, TimedBar, funding_events, inside, rows
from engine.backtest.broker import BacktestBroker
from engine.backtest.fill_recalculation import Recalculation
from engine.backtest.plans import Funding
from engine.backtest.settings import BrokerSettings
from engine.backtest.trades import BacktestResult
from engine.market_data.bars import Bar, Bars
from engine.strategies.base import ScriptStrategy


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """One symbol of a backtest and the script that trades it. `finer` bars give the path inside a bar."""

    strategy: ScriptStrategy
    bars: Bars
    settings: BrokerSettings
    finer: Bars | None = None
    funding: Funding | None = None


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

    ValueError when there is no plan or a plan has no bars.
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
        "finer",
        "funding",
        "next_bar",
        "next_funding",
        "recalculation",
        "rows",
        "strategy",
        "symbol",
        "timeframe_ns",
    )

    def __init__(self, plan: ScriptPlan, account: Account) -> None:
        self.strategy = plan.strategy
        self.symbol = plan.bars.symbol
        self.timeframe_ns = plan.bars.timeframe_ns
        self.broker = BacktestBroker(plan.bars.symbol, plan.settings, account)
        self.rows: list[TimedBar] = rows(plan.bars)
        self.finer: dict[int, list[PriceBar]] = inside(plan.bars, plan.finer)
        self.funding = funding_events(plan.funding)
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
            self.broker.fill_open(index, bar.open_time_ns, bar.open)
            self.broker.fill_path(bar.open, bar.high, bar.low, bar.close, finer)
        self.pay_funding(bar.open_time_ns + self.timeframe_ns, bar.open)

    def pay_funding(self, before_ns: int, price: float) -> None:
        """Funding events before a time."""
        events = self.funding
        while self.next_funding < len(events) and events[self.next_funding][0] < before_ns:
            self.broker.ledger.pay_funding(price, events[self.next_funding][1])
            self.next_funding += 1

    def bar(self, index: int) -> Bar:
        """The bar of that number."""
        time_ns, open_, high, low, close, volume = self.rows[index]
        return Bar(self.symbol, self.timeframe_ns, time_ns, open_, high, low, close, volume, "exchange")


def _run_one(one: _Running) -> list[float]:
    """The loop of one symbol, without what only several symbols need."""
    broker, on_bar = one.broker, one.strategy.on_bar
    symbol, timeframe_ns = one.symbol, one.timeframe_ns
    fill_bar, end_bar = broker.fill_bar, broker.end_bar
    is_plain = one.recalculation is None and not one.finer and not one.funding
    equity: list[float] = []
    mark = equity.append
    for index, (time_ns, open_, high, low, close, volume) in enumerate(one.rows):
        bar = Bar(symbol, timeframe_ns, time_ns, open_, high, low, close, volume, "exchange")
        if is_plain:
            fill_bar(index, time_ns, open_, high, low, close)
        else:
            one.next_bar = index
            one.fill(bar)
            broker.settle(close)
        on_bar(bar, broker)
        end_bar()
        mark(broker.equity)
    return equity


def _run_together(running: Sequence[_Running], account: Account) -> list[float]:
    equity = []
    for time_ns in _times(running):
        here = [
            (one, one.bar(one.next_bar))
            for one in running
            if one.next_bar < len(one.rows) and one.rows[one.next_bar][0] == time_ns
        ]
        for one, bar in here:
            one.fill(bar)
        for one, bar in here:
            one.broker.settle(bar.close)
        for one, bar in here:
            one.strategy.on_bar(bar, one.broker)
        for one, _ in here:
            one.broker.end_bar()
            one.next_bar += 1
        equity.append(account.equity)
    return equity


def _times(running: Sequence[_Running]) -> Iterator[int]:
    yield from sorted({row[0] for one in running for row in one.rows})

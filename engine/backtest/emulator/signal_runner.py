"""Runs signal strategies through the event-driven engine, several symbols on one account."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import nan
from typing import Any

from engine.backtest.data.plans import SymbolPlan
from engine.backtest.data.price_grid import settled
from engine.backtest.emulator.account import Account
from engine.backtest.emulator.bar_rows import inside
from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.signal_rules import SignalRow
from engine.backtest.emulator.signal_script import SignalScript
from engine.model.bars import Bars
from engine.model.signals import SIGNAL_LEVELS, SignalArrays
from engine.model.trades import BacktestResult, Trade


@dataclass(slots=True)
class _Running:
    script: SignalScript
    rows: list[tuple[int, float, float, float, float]]
    signals: list[SignalRow]
    finer: dict[int, list[tuple[float, float, float, float]]]
    funding: list[tuple[int, float]]
    timeframe_ns: int
    next_bar: int = 0
    next_funding: int = 0


def run_signals(plans: Sequence[SymbolPlan]) -> BacktestResult:
    """Backtest the plans together; the first one's settings give the initial capital."""
    account = Account(plans[0].settings.initial_capital)
    running = [_start(plan, account) for plan in plans]
    equity = []
    for time_ns in _times(running):
        here = [one for one in running if _is_here(one, time_ns)]
        for one in here:
            _fill(one)
        for one in here:
            one.script.broker.settle(one.rows[one.next_bar][4])
        for one in here:
            times_ns = (time_ns, time_ns + one.timeframe_ns)
            one.script.on_bar(one.next_bar, one.signals[one.next_bar], times_ns)
        for one in here:
            one.script.broker.end_bar()
            one.next_bar += 1
        equity.append(account.equity)
    return BacktestResult(
        trades=tuple(account.trades),
        open_trades=tuple(trade for one in running for trade in _open_trades(one)),
        equity=tuple(equity),
        final_equity=equity[-1] if equity else account.initial_capital,
        margin_rejects=account.margin_rejects,
    )


def _fill(one: _Running) -> None:
    """Steps 1 to 5 of one bar."""
    broker = one.script.broker
    time_ns, open_, high, low, close = one.rows[one.next_bar]
    while one.next_funding < len(one.funding) and one.funding[one.next_funding][0] <= time_ns:
        broker.ledger.pay_funding(open_, one.funding[one.next_funding][1])
        one.next_funding += 1
    broker.fill_open(one.next_bar, time_ns, open_, high, low)
    broker.fill_path(open_, high, low, close, one.finer.get(time_ns, ()))
    while (
        one.next_funding < len(one.funding) and one.funding[one.next_funding][0] < time_ns + one.timeframe_ns
    ):
        broker.ledger.pay_funding(open_, one.funding[one.next_funding][1])
        one.next_funding += 1


def _times(running: Sequence[_Running]) -> Iterator[int]:
    yield from sorted({row[0] for one in running for row in one.rows})


def _is_here(one: _Running, time_ns: int) -> bool:
    return one.next_bar < len(one.rows) and one.rows[one.next_bar][0] == time_ns


def _start(plan: SymbolPlan, account: Account) -> _Running:
    bars, signals = plan.bars, plan.signals
    settings = settled(plan.settings, bars)
    broker = BacktestBroker(bars.symbol, settings, account)
    return _Running(
        SignalScript(broker, plan.exit_rules, settings),
        _rows(bars),
        _signal_rows(signals),
        inside(bars, plan.finer),
        []
        if plan.funding is None
        else list(zip(plan.funding.time_ns.tolist(), plan.funding.rate.tolist(), strict=True)),
        bars.timeframe_ns,
    )


def _signal_rows(signals: SignalArrays) -> list[SignalRow]:
    flags = (signals.enter_long, signals.enter_short, signals.exit_long, signals.exit_short)
    count = len(signals.enter_long)
    more: list[Iterable[object]] = []
    for name in (*SIGNAL_LEVELS, "strength"):
        array = getattr(signals, name)
        more.append(repeat(nan, count) if array is None else array.tolist())
    tags = [signals.tags[tag] for tag in signals.tag.tolist()]
    columns: list[Any] = [*(flag.tolist() for flag in flags), tags, signals.risk_distance.tolist(), *more]
    return [SignalRow(*row) for row in zip(*columns, strict=True)]


def _rows(bars: Bars) -> list[tuple[int, float, float, float, float]]:
    return list(
        zip(
            bars.open_time_ns.tolist(),
            bars.open.tolist(),
            bars.high.tolist(),
            bars.low.tolist(),
            bars.close.tolist(),
            strict=True,
        )
    )


def _open_trades(one: _Running) -> list[Trade]:
    broker = one.script.broker
    return [broker.ledger.marked(lot, broker.mark, one.rows[-1][0]) for lot in broker.ledger.lots]

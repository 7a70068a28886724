"""From plans to the kernel's arrays."""

from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.backtest.kernel.grid import whole_per_unit
from engine.backtest.kernel.layout import ACCOUNT, LOT, PARTIAL_EXIT, SYMBOL, TRADE, Desk, Symbol, Tape
from engine.backtest.plans import SymbolPlan
from engine.backtest.settings import BrokerSettings
from engine.execution.exit_layout import ACTIONS_SIZE, encode, new_state
from engine.execution.exit_rules import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, ExitRules
from engine.market_data.bars import Bars
from engine.strategies.base import SignalArrays

_Number = TypeVar("_Number", bound=np.generic)
_SIZINGS = ("fixed", "cash", "percent_of_equity", "risk_percent")
_ENTRIES = ("market", "limit", "stop", "stop_limit")
_FIRST_TRADES = 1 << 16


def most_trades_a_time(plans: Sequence[SymbolPlan]) -> int:
    """Upper bound of the trades that one bar of every symbol can close.

    One entry may fill in a bar and one at its close. Each lot closes once, and each partial exit of the at
    most three positions may split one more.
    """
    return sum(
        max(1, plan.settings.pyramiding) + 2 + 3 * (len(plan.exit_rules.partial_exits) + 1) for plan in plans
    )


def make_tape(plans: Sequence[SymbolPlan]) -> Tape:
    """Bars, signals, finer bars and funding of all symbols, one symbol after the other."""
    finer = [plan.finer for plan in plans]
    offsets = np.cumsum([0] + [0 if bars is None else len(bars) for bars in finer])
    places = [_finer_places(plan, int(offset)) for plan, offset in zip(plans, offsets[:-1], strict=True)]
    given = [bars for bars in finer if bars is not None]
    funding = [plan.funding for plan in plans if plan.funding is not None]
    return Tape(
        time_ns=_joined([plan.bars.open_time_ns for plan in plans], np.int64),
        open=_joined([plan.bars.open for plan in plans], np.float64),
        high=_joined([plan.bars.high for plan in plans], np.float64),
        low=_joined([plan.bars.low for plan in plans], np.float64),
        close=_joined([plan.bars.close for plan in plans], np.float64),
        flags=_joined([_flags(plan.signals) for plan in plans], np.uint8),
        tag=_joined([_tags(plan.signals) for plan in plans], np.int32),
        risk=_joined([plan.signals.risk_distance for plan in plans], np.float64),
        finer_first=_joined([first for first, _ in places], np.int64),
        finer_end=_joined([end for _, end in places], np.int64),
        finer_open=_joined([bars.open for bars in given], np.float64),
        finer_high=_joined([bars.high for bars in given], np.float64),
        finer_low=_joined([bars.low for bars in given], np.float64),
        finer_close=_joined([bars.close for bars in given], np.float64),
        funding_time_ns=_joined([events.time_ns for events in funding], np.int64),
        funding_rate=_joined([events.rate for events in funding], np.float64),
    )


def make_desk(plans: Sequence[SymbolPlan]) -> Desk:
    """Everything remembered, before the first bar."""
    account = np.zeros(1, ACCOUNT)
    account["initial_capital"] = plans[0].settings.initial_capital
    rules = [encode(_rules(plan)) for plan in plans]
    partials = max(len(plan.exit_rules.partial_exits) for plan in plans)
    lots = max(max(1, plan.settings.pyramiding) for plan in plans)
    brackets = max(len(plan.settings.market.brackets) for plan in plans)
    desk = Desk(
        account=account,
        symbols=np.zeros(len(plans), SYMBOL),
        lots=np.zeros((len(plans), lots + 1), LOT),
        partials=np.zeros((len(plans), partials), PARTIAL_EXIT),
        brackets=np.zeros((len(plans), brackets, 3)),
        rules=np.zeros((len(plans), max(len(row) for row in rules))),
        rule_states=np.array([new_state() for _ in plans]),
        actions=np.zeros((len(plans), ACTIONS_SIZE)),
        tags_seen=np.zeros((len(plans), max(len(plan.signals.tags) for plan in plans)), np.bool_),
        trades=np.empty(max(_FIRST_TRADES, 2 * most_trades_a_time(plans)), TRADE),
        equity=np.empty(sum(len(plan.bars) for plan in plans)),
    )
    bar = funding = 0
    for k, plan in enumerate(plans):
        desk.rules[k, : len(rules[k])] = rules[k]
        desk.brackets[k, : len(plan.settings.market.brackets)] = plan.settings.market.brackets or 0.0
        s: Symbol = desk.symbols[k]
        _write_settings(s, plan.settings)
        s.has_finer = int(plan.finer is not None)
        s.timeframe_ns = plan.bars.timeframe_ns
        s.first_bar = s.next_bar = bar
        s.next_funding = funding
        bar += len(plan.bars)
        funding += 0 if plan.funding is None else len(plan.funding.time_ns)
        s.end_bar, s.end_funding = bar, funding
    return desk


def _write_settings(s: Symbol, settings: BrokerSettings) -> None:
    market, costs, entry = settings.market, settings.costs, settings.entry
    s.tick, s.ticks_per_unit = market.tick, whole_per_unit(market.tick)
    s.step, s.steps_per_unit = market.qty_step, whole_per_unit(market.qty_step)
    s.point_value = market.point_value
    s.min_qty, s.min_notional = market.min_qty, market.min_notional
    s.leverage, s.brackets = market.leverage, len(market.brackets)
    s.taker_percent = costs.taker_percent
    s.maker_percent = costs.taker_percent if costs.maker_percent is None else costs.maker_percent
    s.cash_per_order, s.cash_per_contract = costs.cash_per_order, costs.cash_per_contract
    s.slippage_ticks, s.slippage_bps = costs.slippage_ticks, costs.slippage_bps
    s.sizing, s.sizing_value = _SIZINGS.index(settings.sizing.kind), settings.sizing.value
    s.entry_kind = _ENTRIES.index(entry.kind)
    s.entry_offset, s.entry_limit_offset = entry.offset_percent, entry.limit_offset_percent
    s.entry_valid_bars = entry.valid_bars
    s.pyramiding = max(1, settings.pyramiding)
    s.newest_first = int(settings.close_rule == "ANY")
    s.on_close = int(settings.timing == "bar_close")
    s.time_ns = -1
    s.mark = s.stop = s.stop_unrounded = s.target = s.liquidation = nan
    s.up, s.down = np.inf, -np.inf


def _rules(plan: SymbolPlan) -> ExitRules:
    if plan.settings.timing == "intrabar":
        return replace(plan.exit_rules, stop_kind="resting")
    return plan.exit_rules


def _joined(parts: Sequence[NDArray[Any]], kind: type[_Number]) -> NDArray[_Number]:
    """One C-contiguous array of that kind; a single part that is one already is not copied."""
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0], dtype=kind)
    return np.concatenate([np.empty(0, kind), *(part.astype(kind, copy=False) for part in parts)])


def _flags(signals: SignalArrays) -> NDArray[np.uint8]:
    flags = signals.enter_long.astype(np.uint8) * np.uint8(ENTER_LONG)
    flags |= signals.enter_short.astype(np.uint8) * np.uint8(ENTER_SHORT)
    flags |= signals.exit_long.astype(np.uint8) * np.uint8(EXIT_LONG)
    flags |= signals.exit_short.astype(np.uint8) * np.uint8(EXIT_SHORT)
    return flags


def _tags(signals: SignalArrays) -> NDArray[np.int32]:
    """Indices of tags, equal texts having equal ones."""
    first = {text: index for index, text in reversed(list(enumerate(signals.tags)))}
    if len(first) == len(signals.tags) and signals.tags[0] == "":
        return signals.tag
    same = np.array([0 if text == "" else first[text] for text in signals.tags], np.int32)
    return same[signals.tag]


def _finer_places(plan: SymbolPlan, offset: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the finer bars inside each bar begin and end on the tape."""
    starts = plan.bars.open_time_ns
    finer: Bars | None = plan.finer
    if finer is None:
        nowhere = np.zeros(len(starts), np.int64)
        return nowhere, nowhere
    ends = starts + plan.bars.timeframe_ns
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    return (
        np.searchsorted(finer.open_time_ns, starts) + offset,
        np.searchsorted(finer.open_time_ns, ends) + offset,
    )

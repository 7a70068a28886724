"""From plans to the records and arrays of the kernel."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.data.finer_bars import inside
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.data.price_grid import settled
from engine.backtest.kernel.grid import whole_per_unit
from engine.backtest.kernel.layout import ACCOUNT, BRACKET, LOT, PARTIAL_EXIT, SYMBOL, TRADE, Account, Symbol
from engine.exits.calls import calls_of
from engine.exits.layout import encode, new_call, new_state
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, ExitRules

if TYPE_CHECKING:
    from engine.model.signals import SignalArrays

_SIZINGS = ("fixed", "cash", "percent_of_equity", "risk_percent")
_ENTRIES = ("market", "limit", "stop", "stop_limit")
_FIRST_TRADES = 1 << 16


@dataclass(slots=True)
class Memory:
    """The arrays a run works on, alive as long as this is; records hold their addresses.

    `account` has one record, `symbols` one a plan.
    """

    account: NDArray[np.void]
    symbols: NDArray[np.void]
    trades: NDArray[np.void]
    equity: NDArray[np.float64]
    others: list[NDArray[Any]] = field(default_factory=list)

    def keep(self, array: NDArray[Any], dtype: np.dtype[Any] | type[np.generic]) -> int:
        """Keep an array, of that type and without gaps; returns its address."""
        array = np.ascontiguousarray(array, dtype=dtype)
        self.others.append(array)
        return array.ctypes.data

    def give_room(self, rows: int) -> None:
        """Make room for that many trades and keep the ones recorded."""
        trades = np.empty(rows, TRADE)
        kept = min(rows, len(self.trades))
        trades[:kept] = self.trades[:kept]
        self.trades = trades
        account: Account = self.account[0]
        account.trades_at, account.room_for_trades = trades.ctypes.data, rows


def most_trades_a_time(plans: Sequence[SymbolPlan]) -> int:
    """Upper bound of the trades that one bar of every symbol can close.

    One entry may fill in a bar and one at its close. Each lot closes once, and each partial exit of the at
    most three positions may split one more.
    """
    return sum(
        max(1, plan.settings.pyramiding) + 2 + 3 * (len(plan.exit_rules.partial_exits) + 1) for plan in plans
    )


def make_memory(plans: Sequence[SymbolPlan]) -> Memory:
    """The kernel's memory before the first bar."""
    memory = Memory(
        np.zeros(1, ACCOUNT),
        np.zeros(len(plans), SYMBOL),
        np.empty(0, TRADE),
        np.empty(sum(len(plan.bars) for plan in plans)),
    )
    account: Account = memory.account[0]
    account.initial_capital = account.cash = plans[0].settings.initial_capital
    account.symbols, account.symbols_at = len(plans), memory.symbols.ctypes.data
    account.equity_at = memory.equity.ctypes.data
    memory.give_room(max(_FIRST_TRADES, 2 * most_trades_a_time(plans)))
    for k, plan in enumerate(plans):
        s: Symbol = memory.symbols[k]
        s.index, s.account_at = k, memory.account.ctypes.data
        _write_settings(s, settled(plan.settings, plan.bars))
        _write_market(memory, s, plan)
        _write_signals(memory, s, plan)
        _write_state(memory, s, plan)
    return memory


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


def _write_market(memory: Memory, s: Symbol, plan: SymbolPlan) -> None:
    bars, finer, funding = plan.bars, plan.finer, plan.funding
    s.bars, s.timeframe_ns = len(bars), bars.timeframe_ns
    s.time_at = memory.keep(bars.open_time_ns, np.int64)
    s.open_at = memory.keep(bars.open, np.float64)
    s.high_at = memory.keep(bars.high, np.float64)
    s.low_at = memory.keep(bars.low, np.float64)
    s.close_at = memory.keep(bars.close, np.float64)
    if finer is not None:
        where = inside(bars, finer)
        s.has_finer = 1
        s.finer_first_at = memory.keep(where.first, np.int64)
        s.finer_end_at = memory.keep(where.end, np.int64)
        s.finer_open_at = memory.keep(finer.open, np.float64)
        s.finer_high_at = memory.keep(finer.high, np.float64)
        s.finer_low_at = memory.keep(finer.low, np.float64)
        s.finer_close_at = memory.keep(finer.close, np.float64)
    if funding is not None:
        s.funding_events = len(funding.time_ns)
        s.funding_time_at = memory.keep(funding.time_ns, np.int64)
        s.funding_rate_at = memory.keep(funding.rate, np.float64)


def _write_signals(memory: Memory, s: Symbol, plan: SymbolPlan) -> None:
    signals = plan.signals
    s.flags_at = memory.keep(_flags(signals), np.uint8)
    s.risk_at = memory.keep(signals.risk_distance, np.float64)
    if plan.settings.sizing.by_strength and signals.strength is not None:
        s.strength_at = memory.keep(signals.strength, np.float64)
    if plan.exit_rules.dedupe_tags:
        s.tags = len(signals.tags)
        s.tag_at = memory.keep(_tags(signals), np.int64)
        s.tags_seen_at = memory.keep(np.zeros(s.tags), np.float64)


def _write_state(memory: Memory, s: Symbol, plan: SymbolPlan) -> None:
    rules = encode(_rules(plan))
    s.rules_at, s.rules_size = memory.keep(rules, np.float64), len(rules)
    s.state_at = memory.keep(new_state(), np.float64)
    calls = calls_of(plan.exit_rules, plan.signals, plan.bars)
    s.call_step = 0 if calls is None else calls.strides[0]
    s.call_at = memory.keep(new_call() if calls is None else calls, np.float64)
    s.lots_at = memory.keep(np.zeros(s.pyramiding + 1, LOT), LOT)
    s.partials_at = memory.keep(np.zeros(len(plan.exit_rules.partial_exits), PARTIAL_EXIT), PARTIAL_EXIT)
    s.brackets_at = memory.keep(np.array(list(plan.settings.market.brackets), BRACKET), BRACKET)
    s.time_ns = -1
    s.mark = s.stop = s.stop_unrounded = s.target = s.target_unrounded = s.liquidation = nan
    s.up, s.down = inf, -inf


def _rules(plan: SymbolPlan) -> ExitRules:
    if plan.settings.timing == "intrabar":
        return replace(plan.exit_rules, stop_kind="resting")
    return plan.exit_rules


def _flags(signals: "SignalArrays") -> NDArray[np.uint8]:
    flags = signals.enter_long.astype(np.uint8) * np.uint8(ENTER_LONG)
    flags |= signals.enter_short.astype(np.uint8) * np.uint8(ENTER_SHORT)
    flags |= signals.exit_long.astype(np.uint8) * np.uint8(EXIT_LONG)
    flags |= signals.exit_short.astype(np.uint8) * np.uint8(EXIT_SHORT)
    return flags


def _tags(signals: "SignalArrays") -> NDArray[np.int64]:
    """Indices of tags, equal texts having equal ones and "" having 0."""
    first = {text: index for index, text in reversed(list(enumerate(signals.tags)))}
    same = [0 if text == "" else first[text] for text in signals.tags]
    return np.array(same, np.int64)[signals.tag]

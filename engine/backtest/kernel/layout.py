"""The flat records the kernel works on. One class is both the type for readers and the numpy record.

Fields annotated `int` are int64, `float` are float64. Levels that do not exist are nan; money is account
currency; `bar` counts within a symbol, indices into the tape count over all symbols.
"""

import numpy as np

from engine.compiled.functions import compiled
from engine.compiled.memory import record_at
from engine.model.exit_rules import SIGNAL_TEXTS

LIQUIDATION = len(SIGNAL_TEXTS)
TEXTS = (*SIGNAL_TEXTS, "Liquidation")
"""Signal texts by the codes in the trade records."""

FIXED, CASH, PERCENT_OF_EQUITY, RISK_PERCENT = 0, 1, 2, 3
MARKET, LIMIT, STOP, STOP_LIMIT = 0, 1, 2, 3


class Symbol:
    """Settings, state and memory of one symbol.

    `*_at` are addresses of arrays with an element a bar, a finer bar, a funding event, a lot, and so on.
    `*_per_unit` are 1/tick and 1/step where those are whole numbers, else 0. `up` is the lowest level that a
    rising price touches, `down` the highest that a falling one touches; market orders make `up` -inf.
    `call_step` is the number of bytes from a bar's call of the plan to the next one's, 0 where all share one.
    `strength_at` is 0 where entries have their full size.
    `entry_tag` is the tag of an entry that waits at its signal's price, 0 for none.
    `filling_*` describe the order that is being filled. `is_idle`: the plan has seen that the symbol is flat
    and has nothing left to count down.
    """

    account_at: int
    time_at: int
    open_at: int
    high_at: int
    low_at: int
    close_at: int
    flags_at: int
    tag_at: int
    risk_at: int
    strength_at: int
    finer_first_at: int
    finer_end_at: int
    finer_open_at: int
    finer_high_at: int
    finer_low_at: int
    finer_close_at: int
    funding_time_at: int
    funding_rate_at: int
    lots_at: int
    partials_at: int
    brackets_at: int
    rules_at: int
    state_at: int
    call_at: int
    call_step: int
    tags_seen_at: int
    rules_size: int
    tags: int

    index: int
    tick: float
    ticks_per_unit: float
    step: float
    steps_per_unit: float
    point_value: float
    min_qty: float
    min_notional: float
    leverage: float
    brackets: int
    taker_percent: float
    maker_percent: float
    cash_per_order: float
    cash_per_contract: float
    slippage_ticks: float
    slippage_bps: float
    sizing: int
    sizing_value: float
    entry_kind: int
    entry_offset: float
    entry_limit_offset: float
    entry_valid_bars: int
    pyramiding: int
    newest_first: int
    on_close: int
    has_finer: int
    timeframe_ns: int

    bars: int
    next_bar: int
    funding_events: int
    next_funding: int
    bar: int
    time_ns: int
    mark: float
    position: float
    lots: int
    is_idle: int
    first_qty: float
    realised: float
    commission_paid: float
    funding_paid: float
    is_inside: int
    lived_high: float
    lived_low: float

    entry_rests: int
    entry_direction: float
    entry_qty: float
    entry_limit: float
    entry_stop: float
    entry_armed: int
    entry_text: int
    entry_dies_after: int
    entry_tag: int
    close_qty: float
    close_text: int
    stop: float
    stop_unrounded: float
    stop_text: int
    target: float
    target_unrounded: float
    target_text: int
    partials: int
    liquidation: float
    up: float
    down: float

    filling_text: int
    filling_maker: int
    filling_newest_first: int


class Lot:
    """An open entry, or what is left of it."""

    direction: float
    qty: float
    price: float
    bar: int
    time_ns: int
    text: int
    commission: float
    funding: float
    best: float
    worst: float


class Partial:
    """A resting partial exit; `price` is nan once it is done or where there is none."""

    price: float
    qty: float


class TradeRow:
    """A trade as a record; the fields of `Trade`, texts and symbol as numbers."""

    symbol: int
    direction: int
    qty: float
    entry_bar: int
    entry_time_ns: int
    entry_price: float
    entry_text: int
    exit_bar: int
    exit_time_ns: int
    exit_price: float
    exit_text: int
    entry_commission: float
    exit_commission: float
    pnl: float
    run_up: float
    drawdown: float
    funding: float


class Bracket:
    """A maintenance bracket."""

    floor: float
    ratio: float
    cum: float


class Account:
    """What the symbols share, and how far the run has come. `is_stale`: `cash` must be counted anew."""

    initial_capital: float
    cash: float
    is_stale: int
    symbols: int
    symbols_at: int
    trades: int
    trades_at: int
    room_for_trades: int
    times: int
    equity_at: int
    margin_rejects: int


def record(fields: type) -> np.dtype[np.void]:
    """The numpy record of one of the classes above."""
    kinds = {int: np.int64, float: np.float64}
    return np.dtype((np.record, [(name, kinds[kind]) for name, kind in fields.__annotations__.items()]))


SYMBOL, LOT, PARTIAL_EXIT = record(Symbol), record(Lot), record(Partial)
BRACKET, TRADE, ACCOUNT = record(Bracket), record(TradeRow), record(Account)

_SYMBOL_BYTES, _LOT_BYTES, _PARTIAL_BYTES = SYMBOL.itemsize, LOT.itemsize, PARTIAL_EXIT.itemsize
_BRACKET_BYTES, _TRADE_BYTES = BRACKET.itemsize, TRADE.itemsize

_account_at = record_at(ACCOUNT, Account)
_symbol_at = record_at(SYMBOL, Symbol)
_lot_at = record_at(LOT, Lot)
_partial_at = record_at(PARTIAL_EXIT, Partial)
_bracket_at = record_at(BRACKET, Bracket)
_trade_at = record_at(TRADE, TradeRow)


@compiled
def account_of(s: Symbol) -> Account:
    """The account a symbol trades on."""
    return _account_at(s.account_at)


@compiled
def symbol_of(account: Account, k: int) -> Symbol:
    """Symbol `k` of the account."""
    return _symbol_at(account.symbols_at + k * _SYMBOL_BYTES)


@compiled
def lot_of(s: Symbol, j: int) -> Lot:
    """Open lot `j`, 0 being the oldest."""
    return _lot_at(s.lots_at + j * _LOT_BYTES)


@compiled
def partial_of(s: Symbol, p: int) -> Partial:
    """Partial exit `p`, 0 being the nearest."""
    return _partial_at(s.partials_at + p * _PARTIAL_BYTES)


@compiled
def bracket_of(s: Symbol, row: int) -> Bracket:
    """Maintenance bracket `row`, 0 having the lowest floor."""
    return _bracket_at(s.brackets_at + row * _BRACKET_BYTES)


@compiled
def trade_of(account: Account, row: int) -> TradeRow:
    """Row `row` of the trade list."""
    return _trade_at(account.trades_at + row * _TRADE_BYTES)

"""The flat records the kernel works on. One class is both the type for readers and the numpy record.

Fields annotated `int` are int64, `float` are float64. Levels that do not exist are nan; money is account
currency; `bar` counts within a symbol, indices into the tape count over all symbols.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.execution.exit_rules import SIGNAL_TEXTS

LIQUIDATION = len(SIGNAL_TEXTS)
TEXTS = (*SIGNAL_TEXTS, "Liquidation")
"""Signal texts by the codes in the trade records."""

FIXED, CASH, PERCENT_OF_EQUITY, RISK_PERCENT = 0, 1, 2, 3
MARKET, LIMIT, STOP, STOP_LIMIT = 0, 1, 2, 3


class Symbol:
    """Settings and state of one symbol.

    `next_bar`, `end_bar`, `next_funding` and `end_funding` are indices into the tape. `*_per_unit` are 1/tick
    and 1/step where those are whole numbers, else 0. `up` is the lowest level that a rising price touches,
    `down` the highest that a falling one touches; `up` is -inf while market orders wait.
    """

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

    first_bar: int
    next_bar: int
    end_bar: int
    next_funding: int
    end_funding: int
    bar: int
    time_ns: int
    mark: float
    position: float
    lots: int
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
    close_qty: float
    close_text: int
    stop: float
    stop_unrounded: float
    stop_text: int
    target: float
    partials: int
    liquidation: float
    up: float
    down: float


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


class Account:
    """What the symbols share, and how far the run has come."""

    initial_capital: float
    trades: int
    margin_rejects: int
    times: int


def record(fields: type) -> np.dtype[np.void]:
    """The numpy record of one of the classes above."""
    kinds = {int: np.int64, float: np.float64}
    return np.dtype((np.record, [(name, kinds[kind]) for name, kind in fields.__annotations__.items()]))


SYMBOL, LOT, PARTIAL_EXIT = record(Symbol), record(Lot), record(Partial)
TRADE, ACCOUNT = record(TradeRow), record(Account)


class Tape(NamedTuple):
    """What happens, all symbols one after the other.

    The finer bars inside bar i are those from `finer_first[i]` up to, not including, `finer_end[i]`.
    """

    time_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    flags: NDArray[np.uint8]
    tag: NDArray[np.int32]
    risk: NDArray[np.float64]
    finer_first: NDArray[np.int64]
    finer_end: NDArray[np.int64]
    finer_open: NDArray[np.float64]
    finer_high: NDArray[np.float64]
    finer_low: NDArray[np.float64]
    finer_close: NDArray[np.float64]
    funding_time_ns: NDArray[np.int64]
    funding_rate: NDArray[np.float64]


class Desk(NamedTuple):
    """What is remembered: one row a symbol, but `account`, `trades` and `equity`."""

    account: NDArray[np.void]
    symbols: NDArray[np.void]
    lots: NDArray[np.void]
    partials: NDArray[np.void]
    brackets: NDArray[np.float64]
    rules: NDArray[np.float64]
    rule_states: NDArray[np.float64]
    actions: NDArray[np.float64]
    tags_seen: NDArray[np.bool_]
    trades: NDArray[np.void]
    equity: NDArray[np.float64]

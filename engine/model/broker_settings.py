"""What a backtest is told about broker and market; both engines read this, neither adds rules to it."""

from dataclasses import dataclass, field
from math import isnan
from typing import Literal

FillTiming = Literal["next_bar_open", "bar_close", "intrabar"]
SizingKind = Literal["fixed", "cash", "percent_of_equity", "risk_percent"]


@dataclass(frozen=True, slots=True)
class Sizing:
    """How much a default-sized entry buys.

    fixed: `value` base units. cash: `value` account currency of notional. percent_of_equity: `value` %
    of equity as notional. risk_percent: `value` % of equity is lost when price moves one R. `by_strength`:
    times `share_of` the signal's strength.
    """

    kind: SizingKind = "fixed"
    value: float = 1.0
    by_strength: bool = False


def share_of(strength: float) -> float:
    """The part of its size that an entry of that strength buys: from 0 to 1, all of it where it has none."""
    return 1.0 if isnan(strength) else min(max(strength, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Costs:
    """Rates are percents of notional; `cash_per_order` and `cash_per_contract` are account currency.

    `slippage_ticks` and `slippage_bps` add up, always adverse, on market and stop fills only. Without
    `maker_percent`, limits pay `taker_percent` like everything else.
    """

    taker_percent: float = 0.0
    maker_percent: float | None = None
    cash_per_order: float = 0.0
    cash_per_contract: float = 0.0
    slippage_ticks: int = 0
    slippage_bps: float = 0.0


@dataclass(frozen=True, slots=True)
class EntryOrder:
    """How a signal strategy's entry is placed; prices are offsets from the signal bar's close.

    limit: `offset_percent` on the better side. stop: `offset_percent` on the worse side. stop_limit: as
    stop, then a limit `limit_offset_percent` beyond the stop on the worse side. A resting entry lives
    `valid_bars` bars; a new entry signal replaces it.
    """

    kind: Literal["market", "limit", "stop", "stop_limit"] = "market"
    offset_percent: float = 0.0
    limit_offset_percent: float = 0.0
    valid_bars: int = 1


@dataclass(frozen=True, slots=True)
class Market:
    """Grid and margin of one symbol. A `tick` or `qty_step` of 0 is found from the symbol's bars.

    `leverage` 0 means neither margin check nor liquidation. `brackets` rows: notional floor,
    maintenance ratio, cum; without rows maintenance is 0.
    """

    tick: float = 0.0
    qty_step: float = 0.0
    point_value: float = 1.0
    min_qty: float = 0.0
    min_notional: float = 0.0
    leverage: float = 0.0
    brackets: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Account, timing and costs of one backtest.

    `timing` is when market orders fill; "intrabar" is "next_bar_open" with every stop and target of the
    exit rules resting inside the bar.

    `pyramiding` counts entries in one direction (0 and 1 both mean one). `margin_long_percent` 0 turns
    TradingView's margin calls off.
    """

    initial_capital: float = 100_000.0
    sizing: Sizing = field(default_factory=Sizing)
    costs: Costs = field(default_factory=Costs)
    market: Market = field(default_factory=Market)
    timing: FillTiming = "next_bar_open"
    entry: EntryOrder = field(default_factory=EntryOrder)
    pyramiding: int = 1
    close_rule: Literal["FIFO", "ANY"] = "FIFO"
    margin_long_percent: float = 0.0
    margin_short_percent: float = 0.0
    calc_on_order_fills: bool = False
    backtest_fill_limits_assumption_ticks: int = 0

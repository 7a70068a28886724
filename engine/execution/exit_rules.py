"""Everything about leaving a position that a signal strategy does not know, as data.

The rules are evaluated once for each closed bar, in the order of TradingView's common script
(stop, target, exit signal, flip, max holding; first match wins) by the compiled `plan` that the numba
engine inlines and the live TradeExecutor calls. The event-driven engine has its own, readable form.
"""

from dataclasses import dataclass
from typing import Literal

EntryBar = Literal["keep", "signal_bar", "fill_bar", "pending"]
"""What a flip does to the bar from which holding is counted; see `ExitRules.entry_bar`."""

StopKind = Literal["bar_close", "resting"]
"""bar_close: tested on the closed bar, leaves at the next open. resting: an order inside the bar."""


@dataclass(frozen=True, slots=True)
class PartialExit:
    """Leave `fraction` of the initial quantity when price has moved `at_r` multiples of R in favour."""

    at_r: float
    fraction: float


@dataclass(frozen=True, slots=True)
class ExitRules:
    """Percents are of the entry price; None is off. R is the signal's `risk_distance`.

    `stop_r` and `take_profit_r` place levels at multiples of R instead of percents. `break_even_at_r`
    moves a resting stop to the entry price once price has moved that far. `trailing_percent` trails the
    best price since entry. `entry_bar` says what a flip does to the holding count: keep (goes on from
    the first trade of the chain), signal_bar, fill_bar, pending (Pine's lazy `ta.change`, see
    PYTHON_PINE_COMPARISON.md). `signal_exits` false ignores exit flags. `protective_stop_percent` is a
    wider, always resting stop for the day the engine is dead.
    """

    stop_loss_percent: float | None = None
    take_profit_percent: float | None = None
    stop_kind: StopKind = "bar_close"
    stop_r: float | None = None
    take_profit_r: float | None = None
    break_even_at_r: float | None = None
    trailing_percent: float | None = None
    partial_exits: tuple[PartialExit, ...] = ()
    signal_exits: bool = True
    max_holding_bars: int | None = None
    max_holding_strict: bool = False
    cooldown_bars: int = 0
    allow_flip: bool = True
    flip_needs_cooldown: bool = False
    entry_bar: EntryBar = "keep"
    dedupe_tags: bool = False
    protective_stop_percent: float | None = None

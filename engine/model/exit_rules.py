"""Everything about leaving a position that a signal strategy does not know, as data.

The rules are evaluated once for each closed bar, by the compiled `plan` that the numba engine inlines
and the live TradeExecutor calls. The event-driven engine has its own, readable form. Both follow these
steps, the order of TradingView's common script (pine_semantics 5.1). "In a position" means as of the
close of the bar, after fills; entry price is the average price; comparisons tolerate 1e-10 as Pine's do.

1. While flat, a cooldown that is left counts down by one.
2. The bar that holding is counted from is kept (`entry_bar`); held = this bar - that bar.
3. An entry flag whose tag was entered before counts as not set, with `dedupe_tags`; "" never was.
4. Flat and no cooldown left: enter on the long flag, else on the short flag. Nothing further.
5. In a position the first match wins:
   a. `bar_close` stop: low at or below the stop level for a long, high at or above it for a short. Leaves,
      and the cooldown begins. (A resting stop begins it when it fills, before step 1 of that bar.)
   b. `bar_close` target: high at or above it for a long, low at or below it for a short. Leaves ("TP").
      Then the same for the price of `minimal_roi` after the time held at this close ("ROI").
   c. `signal_exits` and the exit flag of the position's side: leaves ("Mid Exit").
   d. `allow_flip` and the opposite entry flag, and no cooldown left if `flip_needs_cooldown`: leaves
      ("Flip") and, if no cooldown is left, enters the other side ("Flip to ...").
   e. held >= `max_holding_bars` (`>` if `max_holding_strict`): leaves ("Max Hold").
   f. `exit_time` has come since the first bar that saw the position opened: leaves ("Time Exit").
   g. `bar_close` partial exits whose level the bar reached: leaves that fraction of the first quantity.
6. Still in the position: the best price since entry takes in this bar, then trailing, break-even and, with
   `signal_levels` "bar", the signal's stop tighten the stop level; that signal's target replaces the one
   before. For the next bar on.
7. Not leaving in part, no cooldown left, and pyramiding leaves room: enter once more on the flag of the
   position's own side.

The stop level is the tightest of percent, R, the signal's, break-even and trailing; the target the nearest of
percent, R, the signal's and `minimal_roi`. Levels measured in R do not exist for a signal without
`risk_distance`. The signal of a position is the one that its first entry was ordered on.

Everything leaves by market orders (a close before an entry) at the next open, or at this close if the broker
is told so. Entries do too, unless their signal has a `limit_long` or `limit_short`: then the entry waits at
that price through the next bar and is removed at its close; where the flag is set again it is ordered anew.
`resting` stops, targets and partial exits, and the protective stop, are orders inside the bar, valid from the
entry fill on.
"""

from dataclasses import dataclass
from datetime import time
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.model.named_arguments import names_checked

EntryBar = Literal["keep", "signal_bar", "fill_bar", "pending"]
"""What a flip does to the bar from which holding is counted; see `ExitRules.entry_bar`."""

StopKind = Literal["bar_close", "resting"]
"""bar_close: tested on the closed bar, leaves at the next open. resting: an order inside the bar."""

OfWhichBar = Literal["entry", "bar"]
"""The bar on whose close the position's entry was ordered, or each bar in the position."""

ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT = 1, 2, 4, 8
"""Bits of a signal's flags, where they travel as one number."""

NO_TEXT = 0
LONG_ENTRY = 1
SHORT_ENTRY = 2
FLIP_TO_LONG = 3
FLIP_TO_SHORT = 4
STOP_LOSS = 5
TAKE_PROFIT = 6
MID_EXIT = 7
FLIP = 8
MAX_HOLD = 9
PARTIAL_EXIT = 10
PROTECTIVE_STOP = 11
MINIMAL_ROI = 12
TIME_EXIT = 13

SIGNAL_TEXTS = (
    "",
    "Long Entry",
    "Short Entry",
    "Flip to Long",
    "Flip to Short",
    "SL",
    "TP",
    "Mid Exit",
    "Flip",
    "Max Hold",
    "Partial",
    "Protective Stop",
    "ROI",
    "Time Exit",
)
"""What the trade list prints, by the codes above; all ten TradingView scripts use these words."""


@names_checked("nb.PartialExit")
@dataclass(frozen=True, slots=True)
class PartialExit:
    """Leave `fraction` of the initial quantity when price has moved `at_r` multiples of R in favour."""

    at_r: float
    fraction: float


@names_checked("nb.RoiStep")
@dataclass(frozen=True, slots=True)
class RoiStep:
    """From that many minutes in a position on, a profit of `percent` is enough to leave with; it may be 0 or
    a loss."""

    after_minutes: float
    percent: float


@names_checked("nb.ExitRules", {"stoploss": "stop_loss_percent", "trailing_stop": "trailing_percent"})
@dataclass(frozen=True, slots=True)
class ExitRules:
    """Percents are of the entry price; None is off. R is the signal's `risk_distance`.

    `stop_r` and `take_profit_r` place levels at multiples of R. `break_even_at_r` and `break_even_at_percent`
    move the stop to the entry price, `break_even_offset_percent` beyond it, once price has moved that far.

    `trailing_percent` trails the best price since entry by that percentage of it, `trailing_r` by that
    multiple of R: of the entry's, or with `trailing_r_of` "bar" of each bar's `risk_distance` (a bar without
    one moves nothing), so that an ATR there makes a chandelier exit. Trailing begins with the entry, or where
    `trailing_after_percent` or `trailing_after_r` is given once the best price is that far (both: that far
    by both).

    `signal_levels` "entry": `stop_*` and `target_*` of the entry's signal hold as long as the position;
    "bar": those of each bar's signal take their place, a stop only where it is tighter.

    `minimal_roi` is a table by holding time, in any order, counted from the open of the first bar that sees
    the position: the row in force is the latest one reached. `exit_time` ("15:55", in `exit_timezone`) leaves
    on the first close at or after that time of day; a position entered at it leaves a day later.

    `cooldown_bars`: the first flat bar after a stop is number one, and an entry is possible from bar
    number `cooldown_bars` on; other exits begin no cooldown. `signal_exits` false ignores exit flags.
    `protective_stop_percent` is a wider, always resting stop for the day the engine is dead.

    `entry_bar` says from which bar holding is counted. Normally it is the first bar whose close sees the
    position. After a flip, which no close sees flat: keep goes on from the first trade of the chain,
    signal_bar starts on the bar of the flip signal, fill_bar on the first bar that sees the new
    position. pending: every entry announces the bar after its signal; that bar counts, but on a later bar
    in the position Pine's lazy `ta.change(position_size)` is evaluated and moves the count to that bar when
    the size differs from the one at its previous evaluation (none yet: no difference). It is not
    evaluated on the announced bar, so it compares with the previous trade's size.
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
    trailing_r: float | None = None
    trailing_r_of: OfWhichBar = "entry"
    trailing_after_percent: float | None = None
    trailing_after_r: float | None = None
    break_even_at_percent: float | None = None
    break_even_offset_percent: float | None = None
    signal_levels: OfWhichBar = "entry"
    minimal_roi: tuple[RoiStep, ...] = ()
    exit_time: str | None = None
    exit_timezone: str = "UTC"

    def __post_init__(self) -> None:
        """ValueError for a time or a time zone that there is not."""
        if self.exit_time is not None:
            clock_time(self.exit_time)
        try:
            ZoneInfo(self.exit_timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            text = "it should be the name of one, such as America/New_York"
            raise ValueError(f"exit_timezone: there is no time zone {self.exit_timezone!r}, {text}") from None


IN_R = ("stop_r", "take_profit_r", "break_even_at_r", "trailing_r", "trailing_after_r", "partial_exits")
"""The rules that are measured in multiples of a signal's `risk_distance`."""


def rule_in_r(rules: ExitRules) -> str:
    """The first of those rules that is on, "" for none."""
    return next((name for name in IN_R if getattr(rules, name)), "")


def clock_time(text: str) -> time:
    """The time of day "15:55"; ValueError where it is none."""
    try:
        hour, minute = text.split(":")
        if len(hour) == len(minute) == 2:
            return time(int(hour), int(minute))
    except (AttributeError, ValueError):
        pass
    raise ValueError(f"exit_time is {text!r}, it should be a time of day such as 15:55")

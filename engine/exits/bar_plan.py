"""What one closed bar asks for, given the position: the compiled exit rules as the live engine calls them."""

from decimal import Decimal
from math import isnan, nan
from typing import Literal

import msgspec

from engine.exits.exit_plan import ExitPlan, ExitPlanState
from engine.exits.layout import S_STOP
from engine.model.bars import Bar
from engine.model.exit_rules import PARTIAL_EXIT, SIGNAL_TEXTS, ExitRules
from engine.model.leg import CLOSE, Leg
from engine.model.signals import Signals

ZERO = Decimal(0)


class Action(msgspec.Struct, frozen=True):
    """`close` leaves `qty_base` of the position (None: all of it); `enter` takes the `direction`, 1 or -1.

    `leg` names the order of a close among those of one bar. `limit` is where an entry waits, None for at
    market.
    """

    kind: Literal["close", "enter"]
    text: str
    direction: int = 0
    qty_base: Decimal | None = None
    entry_id: str = ""
    leg: Leg = CLOSE
    limit: float | None = None


class WaitingEntry(msgspec.Struct, frozen=True, array_like=True):
    """An entry that waits at its signal's price, until a bar's close.

    `left_base` has yet to fill. `cause` is the text of what it was first ordered on.
    """

    direction: int
    price: Decimal
    left_base: Decimal
    text: str
    until_ns: int
    cause: str


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    plan: ExitPlanState
    first_qty_base: Decimal
    direction: int
    entry: WaitingEntry | None = None
    entered_inside: bool = False


class BarPlan:
    """The exit rules of one strategy on one symbol.

    Bars are numbered by their open time, so the count of held bars goes on over a restart. `entry` is the one
    that waits; each bar ends it.
    """

    def __init__(self, rules: ExitRules) -> None:
        self.rules = rules
        self.exits = ExitPlan(rules)
        self._first_qty_base = ZERO
        self._direction = 0
        self.entry: WaitingEntry | None = None
        self._entered_inside = False
        self._encoded = b""
        self._encoded_of: tuple[object, ...] = ()

    def on_bar(
        self, bar: Bar, signals: Signals, position_base: Decimal, entry_price: Decimal
    ) -> tuple[Action, ...]:
        """What to do at the next open. `position_base` is signed."""
        self.on_position(position_base)
        self.entry = None
        high, low = self._lived(bar, position_base, entry_price)
        self._entered_inside = False
        planned = self.exits.on_bar(
            bar.open_time_ns // bar.timeframe_ns,
            high,
            low,
            signals,
            float(position_base),
            float(entry_price) if position_base else nan,
            times_ns=(bar.open_time_ns, bar.close_time_ns) if self.exits.needs_times else None,
        )
        actions: tuple[Action, ...] = ()
        if planned.close:
            actions += (Action("close", planned.close),)
        elif planned.partial_fraction:
            qty = min(abs(position_base), self.part_of_trade(planned.partial_fraction))
            actions += (Action("close", SIGNAL_TEXTS[PARTIAL_EXIT], 0, qty),)
        if planned.enter_direction:
            direction, limit = planned.enter_direction, planned.enter_limit
            actions += (Action("enter", planned.enter_text, direction, limit=limit),)
            self._encoded_of = ()  # its tag is remembered
        return actions

    def _lived(self, bar: Bar, position_base: Decimal, entry_price: Decimal) -> tuple[float, float]:
        """High and low that the position has seen of the bar.

        An entry that waited below the open of the bar, above it for a short, has seen all that was against
        it. What was in its favour may have been before the fill: only the close is known to be behind it.
        """
        price = float(entry_price)
        if not self._entered_inside or not position_base or (price - bar.open) * float(position_base) >= 0.0:
            return bar.high, bar.low
        if position_base > ZERO:
            return max(price, bar.close), bar.low
        return bar.high, min(price, bar.close)

    def on_entry_filled(self, qty_base: Decimal) -> None:
        """That much of the entry that waits has filled."""
        self._entered_inside = True
        entry = self.entry
        if entry is not None:
            left = entry.left_base - qty_base
            self.entry = msgspec.structs.replace(entry, left_base=left) if left > ZERO else None

    def on_position(self, position_base: Decimal) -> None:
        """Remember the largest size of the running trade: partial exits are fractions of it."""
        direction = (position_base > ZERO) - (position_base < ZERO)
        size = abs(position_base)
        if direction != self._direction:
            self._direction = direction
            self._first_qty_base = size
        else:
            self._first_qty_base = max(size, self._first_qty_base)

    def seen_of(self, position_base: Decimal) -> Decimal:
        """How much of that position the rules have met: nothing of one that has turned since."""
        if position_base * self._direction <= ZERO:
            return ZERO
        return self._direction * min(abs(position_base), self._first_qty_base)

    def part_of_trade(self, fraction: float) -> Decimal:
        """That fraction of the running trade's largest size, not yet on the grid."""
        return self._first_qty_base * Decimal(repr(fraction))

    @property
    def partials_done(self) -> int:
        """How many partial exits of the running trade are behind it."""
        return len(self.rules.partial_exits) - len(self.exits.levels().partial_exits)

    @property
    def watched_stop(self) -> float | None:
        """Level of a stop that is tested on closed bars and rests nowhere; None without one."""
        level = nan if self.rules.stop_kind == "resting" else self.exits.snapshot().values[S_STOP]
        return None if isnan(level) else level

    def state(self) -> bytes:
        """For the journal. It is asked for after each bar, and few bars change it."""
        exits = self.exits
        own = (self._first_qty_base, self._direction, self.entry, self._entered_inside)
        of = (exits.state.tobytes(), exits.waiting_tag, *own)
        if of != self._encoded_of:
            saved = _Saved(exits.snapshot(), *own)
            self._encoded_of, self._encoded = of, msgspec.msgpack.encode(saved)
        return self._encoded

    def restore(self, state: bytes) -> None:
        """From the journal; ValueError when it is of another version."""
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self.exits.restore(saved.plan)
        self._first_qty_base = saved.first_qty_base
        self._direction = saved.direction
        self.entry = saved.entry
        self._entered_inside = saved.entered_inside
        self._encoded_of = ()

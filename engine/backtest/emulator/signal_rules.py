"""The decision rules of a signal strategy's position, as in docs/assumptions.md (event-driven engine).

The numba engine and the live engine run the compiled plan instead; neither form imports the other.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isnan, nan
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.model.exit_rules import ExitRules
from engine.model.timeframes import SECOND_NS

_TOLERANCE = 1e-10


class SignalRow(NamedTuple):
    """A strategy's signals on one closed bar."""

    enter_long: bool
    enter_short: bool
    exit_long: bool
    exit_short: bool
    tag: str = ""
    risk_distance: float = nan
    limit_long: float = nan
    limit_short: float = nan
    stop_long: float = nan
    stop_short: float = nan
    target_long: float = nan
    target_short: float = nan
    strength: float = nan

    def limit(self, direction: int) -> float:
        """Where an entry of that direction waits, nan for at market."""
        return self.limit_long if direction > 0 else self.limit_short

    def stop(self, direction: int) -> float:
        """Stop level of a position of that direction, nan for none."""
        return self.stop_long if direction > 0 else self.stop_short

    def target(self, direction: int) -> float:
        """Target level of a position of that direction, nan for none."""
        return self.target_long if direction > 0 else self.target_short


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a closed bar. `close` and `enter` are signal texts, "" for none.

    `direction` is the entry's, 1 or -1. `partial` is the fraction of the first quantity to leave.
    """

    close: str = ""
    enter: str = ""
    direction: int = 0
    partial: float = 0.0


@dataclass(frozen=True, slots=True)
class Ordered:
    """What the signal of the last entry says about the position that it opens."""

    risk_distance: float = nan
    stop: float = nan
    target: float = nan


@dataclass(slots=True)
class Levels:
    """Prices at which a position leaves, made from its first fill; nan is none.

    `roi` is a target too: what `minimal_roi` is content with now.
    `opened_ns` is the open time of the first bar that saw the position, 0 before one has.
    """

    direction: int
    price: float
    risk_distance: float
    best: float
    stop: float
    target: float
    protective: float
    roi: float = nan
    partials_done: int = 0
    opened_ns: int = 0

    @property
    def resting_target(self) -> tuple[float, str]:
        """The nearer of the two targets, and its text."""
        if isnan(self.roi) or self.direction * (self.roi - self.target) >= 0.0:
            return self.target, "TP"
        return self.roi, "ROI"


_NOTHING = Decision()


class SignalRules:
    """Remembers cooldown, holding, tags and levels of one strategy on one symbol."""

    def __init__(self, rules: ExitRules, pyramiding: int) -> None:
        partials = tuple(sorted(rules.partial_exits, key=lambda p: p.at_r))
        self._rules = replace(rules, partial_exits=partials)
        self._pyramiding = pyramiding
        self._trails = rules.trailing_percent is not None or rules.trailing_r is not None
        self._cooldown = 0
        self._entry_bar: int | None = None
        self._pending_bar: int | None = None
        self._compared_size: float | None = None
        self._ordered = Ordered()
        self._used_tags: set[str] = set()
        self.levels: Levels | None = None

    @property
    def rests(self) -> bool:
        """Stops, targets and partial exits are orders inside the bar."""
        return self._rules.stop_kind == "resting"

    def opened(self, direction: int, price: float) -> None:
        """The first lot of a position has filled: make its levels."""
        rules, r = self._rules, self._ordered.risk_distance
        stops = (
            _off(price, -direction, rules.stop_loss_percent),
            price - direction * rules.stop_r * r if rules.stop_r is not None else nan,
            self._ordered.stop,
        )
        self.levels = Levels(
            direction,
            price,
            r,
            best=price,
            stop=_nearest(direction, stops),
            target=self._target(direction, price, r, self._ordered.target),
            protective=_off(price, -direction, rules.protective_stop_percent),
            roi=self._roi(direction, price, 0.0),
        )
        self.levels.stop = _nearest(direction, (self.levels.stop, self._trail(self.levels, r)))

    def _target(self, direction: int, price: float, r: float, of_signal: float) -> float:
        """The nearest target by percent, R and signal."""
        by_percent = _off(price, direction, self._rules.take_profit_percent)
        multiple = self._rules.take_profit_r
        by_r = nan if multiple is None else price + direction * multiple * r
        return _nearest(-direction, (by_percent, by_r, of_signal))

    def stopped(self) -> None:
        """A resting stop has filled."""
        self._cooldown = self._rules.cooldown_bars

    def forget_tag(self, tag: str) -> None:
        """An entry has not filled at the price of its signal: its tag was not entered."""
        self._used_tags.discard(tag)

    def partial_level(self, k: int) -> float:
        """Price of the k-th partial exit of the open position, nan when R is unknown."""
        assert self.levels is not None
        at_r = self._rules.partial_exits[k].at_r
        return self.levels.price + self.levels.direction * at_r * self.levels.risk_distance

    @property
    def partials(self) -> list[tuple[int, float]]:
        """Index and fraction of the partial exits still to be done."""
        done = self.levels.partials_done if self.levels else 0
        return [(k, part.fraction) for k, part in enumerate(self._rules.partial_exits) if k >= done]

    def decide(
        self,
        bar: int,
        high: float,
        low: float,
        signal: SignalRow,
        size: float,
        lots: int,
        times_ns: tuple[int, int],
    ) -> Decision:
        """Steps 1 to 7 on one closed bar; `size` is signed, `high` and `low` those the position saw.

        `times_ns` are when the bar opened and closed.
        """
        if self._rules.dedupe_tags and signal.tag and signal.tag in self._used_tags:
            signal = signal._replace(enter_long=False, enter_short=False)
        if size == 0.0:
            return self._decide_flat(bar, signal)
        self._count_holding(bar, size)
        self._grow_old(times_ns)
        close = self._reason_to_leave(bar, high, low, signal, size, times_ns[1])
        if close:
            return self._leave(bar, close, signal, size)
        partial = 0.0 if self.rests else self._partials_reached(high, low)
        self._move_levels(high, low, signal)
        if partial:
            return Decision(partial=partial)
        same = signal.enter_long if size > 0 else signal.enter_short
        if same and self._cooldown == 0 and lots < self._pyramiding:
            return self._enter(bar, 1 if size > 0 else -1, signal, flip=False)
        return _NOTHING

    def _decide_flat(self, bar: int, signal: SignalRow) -> Decision:
        self.levels = None
        self._entry_bar = None
        if self._cooldown > 0:
            self._cooldown -= 1
        if self._cooldown == 0:
            if signal.enter_long:
                return self._enter(bar, 1, signal, flip=False)
            if signal.enter_short:
                return self._enter(bar, -1, signal, flip=False)
        return _NOTHING

    def _count_holding(self, bar: int, size: float) -> None:
        if self._rules.entry_bar == "pending":
            if self._pending_bar is not None:
                self._entry_bar, self._pending_bar = self._pending_bar, None
            elif self._entry_bar is None:
                self._entry_bar = bar
            else:
                before, self._compared_size = self._compared_size, size
                if before is not None and abs(size - before) > _TOLERANCE:
                    self._entry_bar = bar
        elif self._entry_bar is None:
            self._entry_bar = bar

    def _grow_old(self, times_ns: tuple[int, int]) -> None:
        """Note the first bar that sees the position, and what is enough to leave with now."""
        levels, (opened, closed) = self.levels, times_ns
        assert levels is not None
        levels.opened_ns = levels.opened_ns or opened
        if self._rules.minimal_roi:
            held_minutes = (closed - levels.opened_ns) / (60 * SECOND_NS)
            levels.roi = self._roi(levels.direction, levels.price, held_minutes)

    def _roi(self, direction: int, price: float, held_minutes: float) -> float:
        """What `minimal_roi` is content with after that time, nan for nothing yet."""
        reached = [step for step in self._rules.minimal_roi if step.after_minutes <= held_minutes]
        latest = max(reached, key=lambda step: step.after_minutes, default=None)
        return nan if latest is None else _off(price, direction, latest.percent)

    def _is_time_to_leave(self, opened_ns: int, closed_ns: int) -> bool:
        """Whether `exit_time` has come between these times, by the clocks of its zone."""
        return self._day(closed_ns) > self._day(opened_ns)

    def _day(self, time_ns: int) -> int:
        """The local day, counted from `exit_time` to `exit_time`."""
        assert self._rules.exit_time is not None
        zone = ZoneInfo(self._rules.exit_timezone)
        there = datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(zone)
        begun = there.strftime("%H:%M") >= self._rules.exit_time
        return there.toordinal() - (0 if begun else 1)

    def _reason_to_leave(
        self, bar: int, high: float, low: float, signal: SignalRow, size: float, closed_ns: int
    ) -> str:
        rules, levels = self._rules, self.levels
        assert levels is not None
        assert self._entry_bar is not None
        long = size > 0
        adverse, favourable = (low, high) if long else (high, low)
        if not self.rests:
            if levels.direction * (adverse - levels.stop) <= _TOLERANCE:
                return "SL"
            if levels.direction * (favourable - levels.target) >= -_TOLERANCE:
                return "TP"
            if levels.direction * (favourable - levels.roi) >= -_TOLERANCE:
                return "ROI"
        if rules.signal_exits and (signal.exit_long if long else signal.exit_short):
            return "Mid Exit"
        opposite = signal.enter_short if long else signal.enter_long
        if opposite and rules.allow_flip and (not rules.flip_needs_cooldown or self._cooldown == 0):
            return "Flip"
        if rules.max_holding_bars is not None:
            held = bar - self._entry_bar
            if held > rules.max_holding_bars or (
                held == rules.max_holding_bars and not rules.max_holding_strict
            ):
                return "Max Hold"
        if rules.exit_time is not None and self._is_time_to_leave(levels.opened_ns, closed_ns):
            return "Time Exit"
        return ""

    def _leave(self, bar: int, text: str, signal: SignalRow, size: float) -> Decision:
        if text == "SL":
            self._cooldown = self._rules.cooldown_bars
        if text != "Flip" or self._cooldown > 0:
            return Decision(close=text)
        entry = self._enter(bar, -1 if size > 0 else 1, signal, flip=True)
        if self._rules.entry_bar == "signal_bar":
            self._entry_bar = bar
        elif self._rules.entry_bar == "fill_bar":
            self._entry_bar = None
        return replace(entry, close=text)

    def _enter(self, bar: int, direction: int, signal: SignalRow, *, flip: bool) -> Decision:
        self._ordered = Ordered(signal.risk_distance, signal.stop(direction), signal.target(direction))
        if self._rules.entry_bar == "pending":
            self._pending_bar = bar + 1
        if signal.tag:
            self._used_tags.add(signal.tag)
        side = "Long" if direction > 0 else "Short"
        return Decision(enter=f"Flip to {side}" if flip else f"{side} Entry", direction=direction)

    def _partials_reached(self, high: float, low: float) -> float:
        levels = self.levels
        assert levels is not None
        favourable = high if levels.direction > 0 else low
        fraction = 0.0
        for k, part in self.partials:
            if not levels.direction * (favourable - self.partial_level(k)) >= -_TOLERANCE:
                break
            fraction += part
            levels.partials_done = k + 1
        return fraction

    def _move_levels(self, high: float, low: float, signal: SignalRow) -> None:
        rules, levels = self._rules, self.levels
        assert levels is not None
        sign = levels.direction
        levels.best = max(levels.best, high) if sign > 0 else min(levels.best, low)
        stops = [levels.stop]
        if self._trails:
            r = signal.risk_distance if rules.trailing_r_of == "bar" else levels.risk_distance
            stops.append(self._trail(levels, r))
        if self._is_gained(levels, rules.break_even_at_percent, rules.break_even_at_r):
            stops.append(_off(levels.price, sign, rules.break_even_offset_percent or 0.0))
        if rules.signal_levels == "bar":
            stops.append(signal.stop(sign))
            if not isnan(signal.target(sign)):
                levels.target = self._target(sign, levels.price, levels.risk_distance, signal.target(sign))
        if len(stops) > 1:
            levels.stop = _nearest(sign, stops)

    def _trail(self, levels: Levels, r: float) -> float:
        """Level of the trailing stop behind the best price, nan while there is none."""
        rules = self._rules
        for percent, multiple in ((rules.trailing_after_percent, None), (None, rules.trailing_after_r)):
            is_asked = percent is not None or multiple is not None
            if is_asked and not self._is_gained(levels, percent, multiple):
                return nan
        by_percent = _off(levels.best, -levels.direction, rules.trailing_percent)
        by_r = nan if rules.trailing_r is None else levels.best - levels.direction * rules.trailing_r * r
        return _nearest(levels.direction, (by_percent, by_r))

    def _is_gained(self, levels: Levels, percent: float | None, multiple_of_r: float | None) -> bool:
        """Whether the best price is that far in favour, by either measure."""
        gain = levels.direction * (levels.best - levels.price)
        if percent is not None and gain - levels.price * percent / 100.0 >= -_TOLERANCE:
            return True
        return multiple_of_r is not None and gain - multiple_of_r * levels.risk_distance >= -_TOLERANCE


def _off(price: float, direction: int, percent: float | None) -> float:
    """`price` moved by a percentage of itself, nan where there is none."""
    return nan if percent is None else price * (1.0 + direction * percent / 100.0)


def _nearest(direction: int, levels: tuple[float, ...] | list[float]) -> float:
    """Of several levels on one side of price, the one reached first; nan when there is none."""
    given = [level for level in levels if not isnan(level)]
    if not given:
        return nan
    return max(given) if direction > 0 else min(given)

"""The decision rules of a signal strategy's position, as in docs/assumptions.md (event-driven engine).

The numba engine and the live engine run the compiled plan instead; neither form imports the other.
"""

from dataclasses import dataclass, replace
from math import isnan, nan

from engine.model.exit_rules import ExitRules

_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A strategy's signals on one closed bar."""

    enter_long: bool
    enter_short: bool
    exit_long: bool
    exit_short: bool
    tag: str = ""
    risk_distance: float = nan


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a closed bar. `close` and `enter` are signal texts, "" for none.

    `direction` is the entry's, 1 or -1. `partial` is the fraction of the first quantity to leave.
    """

    close: str = ""
    enter: str = ""
    direction: int = 0
    partial: float = 0.0


@dataclass(slots=True)
class Levels:
    """Prices at which a position leaves, made from its first fill; nan is none."""

    direction: int
    price: float
    risk_distance: float
    best: float
    stop: float
    target: float
    protective: float
    partials_done: int = 0


_NOTHING = Decision()


class SignalRules:
    """Remembers cooldown, holding, tags and levels of one strategy on one symbol."""

    def __init__(self, rules: ExitRules, pyramiding: int) -> None:
        partials = tuple(sorted(rules.partial_exits, key=lambda p: p.at_r))
        self._rules = replace(rules, partial_exits=partials)
        self._pyramiding = pyramiding
        self._cooldown = 0
        self._entry_bar: int | None = None
        self._pending_bar: int | None = None
        self._compared_size: float | None = None
        self._ordered_risk = nan
        self._used_tags: set[str] = set()
        self.levels: Levels | None = None

    @property
    def rests(self) -> bool:
        """Stops, targets and partial exits are orders inside the bar."""
        return self._rules.stop_kind == "resting"

    def opened(self, direction: int, price: float) -> None:
        """The first lot of a position has filled: make its levels."""
        rules = self._rules
        r = self._ordered_risk
        stops = (
            _off(price, -direction, rules.stop_loss_percent),
            price - direction * rules.stop_r * r if rules.stop_r is not None else nan,
            _off(price, -direction, rules.trailing_percent),
        )
        targets = (
            _off(price, direction, rules.take_profit_percent),
            price + direction * rules.take_profit_r * r if rules.take_profit_r is not None else nan,
        )
        self.levels = Levels(
            direction,
            price,
            r,
            best=price,
            stop=_nearest(direction, stops),
            target=_nearest(-direction, targets),
            protective=_off(price, -direction, rules.protective_stop_percent),
        )

    def stopped(self) -> None:
        """A resting stop has filled."""
        self._cooldown = self._rules.cooldown_bars

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
        self, bar: int, high: float, low: float, signal: SignalRow, size: float, lots: int
    ) -> Decision:
        """Steps 1 to 7 on one closed bar; `size` is signed, `high` and `low` those the position saw."""
        if self._rules.dedupe_tags and signal.tag and signal.tag in self._used_tags:
            signal = replace(signal, enter_long=False, enter_short=False)
        if size == 0.0:
            return self._decide_flat(bar, signal)
        self._count_holding(bar, size)
        close = self._reason_to_leave(bar, high, low, signal, size)
        if close:
            return self._leave(bar, close, signal, size)
        partial = 0.0 if self.rests else self._partials_reached(high, low)
        self._move_stop(high, low)
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

    def _reason_to_leave(self, bar: int, high: float, low: float, signal: SignalRow, size: float) -> str:
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
        self._ordered_risk = signal.risk_distance
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

    def _move_stop(self, high: float, low: float) -> None:
        rules, levels = self._rules, self.levels
        assert levels is not None
        sign = levels.direction
        levels.best = max(levels.best, high) if sign > 0 else min(levels.best, low)
        stops = [levels.stop, _off(levels.best, -sign, rules.trailing_percent)]
        if rules.break_even_at_r is not None:
            needed = rules.break_even_at_r * levels.risk_distance
            if sign * (levels.best - levels.price) - needed >= -_TOLERANCE:
                stops.append(levels.price)
        levels.stop = _nearest(sign, stops)


def _off(price: float, direction: int, percent: float | None) -> float:
    """`price` moved by a percentage of itself, nan where there is none."""
    return nan if percent is None else price * (1.0 + direction * percent / 100.0)


def _nearest(direction: int, levels: tuple[float, ...] | list[float]) -> float:
    """Of several levels on one side of price, the one reached first; nan when there is none."""
    given = [level for level in levels if not isnan(level)]
    if not given:
        return nan
    return max(given) if direction > 0 else min(given)

"""A signal strategy's position on the event-driven broker: rules in, orders out.

One `SignalScript` is one symbol. Rules: docs/assumptions.md; decisions: `signal_rules.py`.
"""

from dataclasses import replace
from math import inf, isnan, nan

from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.grid import floor_qty, round_level_down, round_level_up, snap
from engine.backtest.emulator.orders import FIRST_PARTIAL_RANK, STOP_RANK, TARGET_RANK
from engine.backtest.emulator.signal_rules import SignalRow, SignalRules
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules

_SIDE = {1: "Long", -1: "Short"}


class SignalScript:
    """Calls the broker's verbs as `SignalRules` decide, and keeps the resting exits of the position."""

    def __init__(self, symbol_broker: BacktestBroker, rules: ExitRules, settings: BrokerSettings) -> None:
        if settings.timing == "intrabar":
            rules = replace(rules, stop_kind="resting")
        self.broker = symbol_broker
        self._settings = settings
        self.rules = SignalRules(rules, max(1, settings.pyramiding))
        self._entry_dies_after = -1
        self._waiting_tag = ""
        self._rested: tuple[float, ...] = ()
        self._first_qty = 0.0
        symbol_broker.watch(self._on_opened, self._on_level)

    def on_bar(self, index: int, signal: SignalRow, times_ns: tuple[int, int]) -> None:
        """Step 6 of a bar: decide once and order."""
        broker = self.broker
        if self._entry_dies_after == index:
            if broker.is_pending("Long") or broker.is_pending("Short"):
                self.rules.forget_tag(self._waiting_tag)
            broker.cancel("Long")
            broker.cancel("Short")
        decision = self.rules.decide(
            index,
            broker.lived_high,
            broker.lived_low,
            signal,
            broker.position_size,
            len(broker.ledger.lots),
            times_ns,
        )
        if decision.close:
            broker.drop_levels()
            self._rested = ()
            broker.close_all(comment=decision.close)
        elif broker.position_size:
            if decision.partial:
                self._leave_part(decision.partial)
            self._rest_levels()
        if decision.enter:
            self._enter(index, decision.direction, decision.enter, signal)

    def _enter(self, index: int, direction: int, text: str, signal: SignalRow) -> None:
        broker, entry = self.broker, self._settings.entry
        broker.cancel("Long")
        broker.cancel("Short")
        limit, stop, valid_bars = *self._entry_levels(direction), entry.valid_bars
        if not isnan(signal.limit(direction)):
            limit, stop, valid_bars = self._better(signal.limit(direction), direction), nan, 1
        market, costs = self._settings.market, self._settings.costs
        price = stop if isnan(limit) else limit
        if isnan(price):
            price = snap(broker.mark, market.tick) + direction * costs.slippage_ticks * market.tick
        qty = self._quantity(price, signal) if price > 0.0 else 0.0
        if qty <= 0.0 or qty < market.min_qty or qty * price * market.point_value < market.min_notional:
            return
        is_priced = not (isnan(limit) and isnan(stop))
        self._entry_dies_after = index + valid_bars if is_priced else -1
        self._waiting_tag = "" if isnan(signal.limit(direction)) else signal.tag
        # Not `entry`: a flip has its own close, so there is nothing for Pine's reversal to add.
        broker.order(
            _SIDE[direction],
            "long" if direction > 0 else "short",
            qty,
            limit=limit,
            stop=stop,
            comment=text,
        )

    def _entry_levels(self, direction: int) -> tuple[float, float]:
        """Limit and stop of an entry, rounded as levels are; nan where there is none."""
        entry, close, tick = self._settings.entry, self.broker.mark, self._settings.market.tick
        worse = round_level_up if direction > 0 else round_level_down
        if entry.kind == "market":
            return nan, nan
        if entry.kind == "limit":
            return self._better(close * (1.0 - direction * entry.offset_percent / 100.0), direction), nan
        stop = worse(close * (1.0 + direction * entry.offset_percent / 100.0), tick)
        if entry.kind == "stop":
            return nan, stop
        return self._better(stop * (1.0 + direction * entry.limit_offset_percent / 100.0), direction), stop

    def _better(self, limit: float, direction: int) -> float:
        """A limit on the price grid."""
        round_level = round_level_down if direction > 0 else round_level_up
        return round_level(limit, self._settings.market.tick)

    def _quantity(self, price: float, signal: SignalRow) -> float:
        """Quantity of an entry at its sizing price."""
        sizing, market = self._settings.sizing, self._settings.market
        per_unit = price * market.point_value
        if sizing.kind == "fixed":
            wanted = sizing.value
        elif sizing.kind == "cash":
            wanted = sizing.value / per_unit
        else:
            budget = self.broker.equity * sizing.value / 100.0
            if sizing.kind == "percent_of_equity":
                wanted = budget / (per_unit * (1.0 + self._settings.costs.taker_percent / 100.0))
            elif signal.risk_distance > 0.0:
                wanted = budget / (signal.risk_distance * market.point_value)
            else:
                return 0.0
        if sizing.by_strength and not isnan(signal.strength):
            wanted *= min(max(signal.strength, 0.0), 1.0)
        return floor_qty(wanted, market.qty_step)

    def _leave_part(self, fraction: float) -> None:
        qty = floor_qty(self._first_qty * fraction, self._settings.market.qty_step)
        if qty > 0.0:
            self.broker.close_part(min(qty, abs(self.broker.position_size)), comment="Partial")

    def _on_opened(self, direction: int, price: float) -> None:
        self._first_qty = self.broker.ledger.lots[0].qty
        self.rules.opened(direction, price)
        self._rested = ()
        self._rest_levels()

    def _on_level(self, name: str) -> None:
        if name == "Stop":
            self.rules.stopped()
        elif name.startswith("Partial"):
            levels = self.rules.levels
            if levels is not None:
                levels.partials_done = int(name.removeprefix("Partial"))

    def _rest_levels(self) -> None:
        """Place the position's levels anew; what is not wanted any more is gone."""
        levels = self.rules.levels
        if levels is None:
            return
        broker, tick, long = self.broker, self._settings.market.tick, levels.direction > 0
        wanted: tuple[float, ...] = (levels.stop, levels.protective, levels.target, levels.roi)
        wanted += (levels.partials_done,)
        if wanted == self._rested:
            broker.drop_liquidation()
            return
        self._rested = wanted
        stop_side = round_level_down if long else round_level_up
        limit_side = round_level_up if long else round_level_down
        broker.drop_levels()
        stop, text = levels.protective, "Protective Stop"
        own = levels.stop if self.rules.rests else nan
        if not isnan(own) and not levels.direction * (own - stop) < 0:
            stop, text = own, "SL"
        if not isnan(stop):
            broker.rest_level("Stop", STOP_RANK, stop=stop_side(stop, tick), qty=inf, signal=text)
        if not self.rules.rests:
            return
        target, text = levels.resting_target
        if not isnan(target):
            broker.rest_level("Target", TARGET_RANK, limit=limit_side(target, tick), qty=inf, signal=text)
        for k, fraction in self.rules.partials:
            level = self.rules.partial_level(k)
            qty = floor_qty(self._first_qty * fraction, self._settings.market.qty_step)
            if not isnan(level) and levels.risk_distance > 0.0 and qty > 0.0:
                broker.rest_level(
                    f"Partial {k + 1}",
                    FIRST_PARTIAL_RANK + k,
                    limit=limit_side(level, tick),
                    qty=qty,
                    signal="Partial",
                )

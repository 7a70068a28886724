"""Resting stops, targets and partial exits of a position, as its exit rules want them.

The protective stop is reduce-only with a quantity, computed for each symbol from the position; it goes out
with the first fill of an entry, not with the last. Where several strategies share a symbol there are no
resting exits of one of them: such a configuration is refused at start.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from engine.account.state import AccountStateStore
from engine.execution.exits.exit_size import exit_size
from engine.execution.sending.order_gate import OrderGate
from engine.execution.sending.resting import RestingOrder, RestingOrders
from engine.exits.bar_plan import BarPlan
from engine.exits.changed import ExitsRefused, changed_exits
from engine.model.bars import Bar
from engine.model.cause import Cause
from engine.model.context import Clock, Outbox
from engine.model.exit_rules import PARTIAL_EXIT, SIGNAL_TEXTS, ExitRules
from engine.model.leg import STOP, TARGET, Leg, partial_exit
from engine.model.lots import level_to_tick, quantity_down
from engine.model.timeframes import NEVER_NS, SECOND_NS
from engine.orders.order_states import OrderState
from engine.orders.order_store import Applied
from engine.strategies.base import SignalStrategy
from engine.strategies.slot import StrategyRefused, StrategySlot
from gateways.wire.messages import Side

ZERO = Decimal(0)
ALARM_AFTER_NS = 5 * SECOND_NS
WHOLE_PRICE_PERCENT = 100.0
LEAVE_AFTER_NS = 30 * SECOND_NS


Asked = Callable[[], Mapping[Leg, RestingOrder]]


def rules_of(slot: StrategySlot, *, shared: bool) -> ExitRules:
    """A strategy's exit rules with the configured protective stop in them; a script has no others.

    `StrategyRefused` when the configuration changes a rule that there is not, or they need resting orders on
    a symbol that several strategies trade, or one that no exchange takes.
    """
    rules = _configured(slot)
    if slot.spec.protective_stop_percent is not None:
        rules = replace(rules, protective_stop_percent=float(slot.spec.protective_stop_percent))
    resting = rules.stop_kind == "resting"
    if shared and (resting or rules.protective_stop_percent is not None):
        raise StrategyRefused(
            f"strategy {slot.owner} wants orders that rest on {slot.symbol}, which other strategies trade too"
        )
    resting_stops = ("stop_loss_percent", "trailing_percent") if resting else ()
    for name in ("protective_stop_percent", *resting_stops):
        percent = getattr(rules, name)
        if percent is not None and percent >= WHOLE_PRICE_PERCENT:
            raise StrategyRefused(
                f"strategy {slot.owner}: {name} is {percent:g}: a long's stop would rest at a price of 0 or "
                "below, which no exchange takes; it must be below 100"
            )
    return rules


def _configured(slot: StrategySlot) -> ExitRules:
    spec, strategy = slot.spec, slot.strategy
    if not isinstance(strategy, SignalStrategy):
        if spec.exits:
            what = "is a script: it closes positions itself and takes no exit rules"
            raise StrategyRefused(f"{spec.key}.exits: {spec.name} {what}")
        return spec.exit_rules or ExitRules()
    try:
        rules = spec.exit_rules or strategy.exit_rules
        return changed_exits(rules, spec.exits, gives_distance=strategy.gives_distance)
    except ExitsRefused as error:
        raise StrategyRefused(f"{spec.key}.{error}") from None


class Protection:
    """Keeps the resting exits of one strategy on one symbol in line with its position.

    `plan` is the state of its exit rules; `asked` gives what else should rest: a script's orders, or the
    entry of a signal.
    """

    def __init__(
        self,
        slot: StrategySlot,
        plan: BarPlan,
        clock: Clock,
        out: Outbox,
        gate: OrderGate,
        account: AccountStateStore,
        resting: RestingOrders,
        asked: Asked,
    ) -> None:
        self._slot = slot
        self._asked = asked
        self.plan = plan
        self._clock = clock
        self._out = out
        self._gate = gate
        self._account = account
        self._resting = resting
        rules = plan.rules
        self._has_levels = rules.protective_stop_percent is not None or rules.stop_kind == "resting"
        self._has_asked = False
        self._size_base = ZERO
        self._unprotected_since_ns = 0
        self._next_ns = 0
        self._alarmed = False
        self._deadline_ns = NEVER_NS
        self.waiting: set[Protection] = set()
        """Those with a deadline; all traders share one set, since nearly all of many have none."""

    @property
    def deadline_ns(self) -> int:
        """When `on_time` is due."""
        return self._deadline_ns

    @deadline_ns.setter
    def deadline_ns(self, deadline_ns: int) -> None:
        self._deadline_ns = deadline_ns
        if deadline_ns == NEVER_NS:
            self.waiting.discard(self)
        else:
            self.waiting.add(self)

    def on_position(self, cause: Cause) -> None:
        """The position changed, or a bar moved the levels: update the wanted orders."""
        self._renew(cause, self._asked())

    def _renew(self, cause: Cause, asked: Mapping[Leg, RestingOrder]) -> None:
        slot = self._slot
        is_needed = self._has_levels or asked or self._has_asked
        if not is_needed:
            self._resting.want(slot.owner, slot.symbol, {}, cause)  # an earlier configuration's stop
        if not is_needed or slot.symbol not in self._gate.instruments:
            return
        self._has_asked = bool(asked)
        position = self._account.strategy_position(slot.owner, slot.symbol)
        held, before = position.qty_base, self._size_base
        self._size_base = held
        if held and (abs(held) > abs(before) or held * before < ZERO):
            self.plan.exits.opened(1 if held > ZERO else -1, float(position.entry_price))
        self.plan.on_position(held)
        wanted = self._wanted(held) if held else {}
        self._resting.want(slot.owner, slot.symbol, {**asked, **wanted}, cause)
        self._watch()

    def on_bar(self, bar: Bar) -> None:
        """A bar may have moved the levels, or what else is asked for."""
        asked = self._asked()
        if self._size_base or asked or self._has_asked:
            self._renew(Cause.bar(bar.timeframe_ns, bar.open_time_ns), asked)

    def restore_size(self) -> None:
        """After a restart: the part of the position that the exit rules know is not new.

        The last fill may be on record without the state of the rules that followed it: what they have not
        seen is opened as soon as the account is compared.
        """
        held = self._account.strategy_position(self._slot.owner, self._slot.symbol).qty_base
        self._size_base = self.plan.seen_of(held)

    def on_applied(self, applied: Applied) -> None:
        """An order update, before `RestingOrders` gets it: a completely filled exit is done."""
        order = applied.order
        is_filled = order.state is OrderState.FILLED and not order.evidence.missing_base
        leg = self._resting.leg_of(order.client_order_id) if applied.fill and is_filled else None
        if leg == STOP:
            self.plan.exits.stopped()
        elif leg is not None and leg.kind == "partial":
            self.plan.exits.partial_filled()

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: wait for a missing stop from now."""
        if self._unprotected_since_ns:
            self._unprotected_since_ns = min(self._unprotected_since_ns, now_ns)
            self._next_ns = self.deadline_ns = min(self._next_ns, now_ns + ALARM_AFTER_NS)

    def on_time(self) -> bool:
        """Whether the position has been without its stop for too long and must be closed."""
        self._watch()
        now = self._clock.now_ns
        if not self._unprotected_since_ns or now < self.deadline_ns:
            return False
        if not self._alarmed:
            self._alarmed = True
            self._out.notice("critical", f"{self._slot.owner} on {self._slot.symbol} has no confirmed stop")
            self._next_ns = self._unprotected_since_ns + LEAVE_AFTER_NS
            self.deadline_ns = self._next_ns
            return False
        self._next_ns = self.deadline_ns = now + ALARM_AFTER_NS
        return True

    def _watch(self) -> None:
        """A confirmed stop is due within seconds of a fill."""
        slot = self._slot
        needs = self.plan.exits.levels().stop is not None and self._size_base != ZERO
        if not needs or self._resting.has(slot.owner, slot.symbol, STOP):
            self._unprotected_since_ns = 0
            self._alarmed = False
            self.deadline_ns = NEVER_NS
            return
        if not self._unprotected_since_ns:
            self._unprotected_since_ns = self._clock.now_ns
            self._next_ns = self._unprotected_since_ns + ALARM_AFTER_NS
        self.deadline_ns = self._next_ns

    def _wanted(self, held: Decimal) -> dict[Leg, RestingOrder]:
        instrument = self._gate.instruments[self._slot.symbol]
        levels = self.plan.exits.levels()
        side: Side = "SELL" if held > ZERO else "BUY"
        tick, left = instrument.price_tick, abs(held)
        wanted: dict[Leg, RestingOrder] = {}
        # No order rests at a price of 0 or below, and the market never gets there.
        if levels.stop is not None and (at := level_to_tick(levels.stop, tick, side, is_stop=True)) > ZERO:
            # The exchange cuts its market order down to the position, which may be off a changed grid.
            is_alone = self._account.position(self._slot.symbol).qty_base == held
            qty = exit_size(left, instrument, is_cut=is_alone).qty_base
            if qty > ZERO:
                wanted[STOP] = RestingOrder("STOP_MARKET", side, qty, None, at, True, levels.stop_text)
        for index, (price, fraction) in enumerate(levels.partial_exits):
            if levels.target is not None and (price - levels.target) * float(held) > 0.0:
                break  # the target comes first, and leaves all of the position
            leg = partial_exit(index + self.plan.partials_done)
            part = quantity_down(self.plan.part_of_trade(fraction), instrument.qty_step_base)
            qty = min(left, part - self._resting.filled(self._slot.owner, self._slot.symbol, leg))
            if qty > ZERO and (at := level_to_tick(price, tick, side, is_stop=False)) > ZERO:
                left -= qty
                text = SIGNAL_TEXTS[PARTIAL_EXIT]
                wanted[leg] = RestingOrder("LIMIT", side, qty, at, None, True, text)
        left = quantity_down(left, instrument.qty_step_base)
        at = ZERO if levels.target is None else level_to_tick(levels.target, tick, side, is_stop=False)
        if at > ZERO and left >= max(instrument.min_qty_base, instrument.qty_step_base):
            wanted[TARGET] = RestingOrder("LIMIT", side, left, at, None, True, levels.target_text)
        return wanted

"""Every order is checked here before its intent is journalled."""

from collections.abc import Mapping

from engine.model.limits import ALLOWED, RiskLimits, Verdict
from engine.model.records import Intent
from engine.model.sentences import what_and_where
from engine.orders.order_states import OrderState
from engine.orders.order_store import Applied
from engine.risk.configured import configured_rules
from engine.risk.facts.context import ZERO, RiskContext, reduces
from engine.risk.facts.gates import CONNECTION, AccountFacts, Closed, SymbolFacts, closed_gate
from engine.risk.rules.foreign_position import ForeignPosition
from engine.risk.rules.leverage import Leverage
from engine.risk.rules.open_orders import OpenOrders
from engine.risk.rules.order_notional import OrderNotional
from engine.risk.rules.order_rate import OrderRate
from engine.risk.rules.position_notional import PositionNotional
from engine.risk.rules.price_band import PriceBand
from engine.risk.rules.refused_entries import RefusedEntries
from engine.risk.rules.rule import Rule
from engine.risk.rules.strategy import StrategyRunning
from engine.risk.rules.total_notional import TotalNotional

_NO_QUANTITY = Verdict(allowed=False, rule="quantity", reason="an order needs a quantity above 0")
_NOT_CONNECTED = Verdict(False, CONNECTION.name, "there is no connection to the gateway")


class RiskManager:
    """Runs each order through the gates and the rules; the first one that says no gives its name.

    Orders that can only reduce a position need nothing but a connection, so that one can always leave.
    """

    def __init__(self, limits: RiskLimits, bars_ns: Mapping[str, int] | None = None) -> None:
        """`bars_ns`: bar lengths by strategy, for entries that the exchange refuses bar after bar.

        `RuleRefused` says what is wrong with a rule that is configured by its name.
        """
        self._refused = RefusedEntries(bars_ns or {})
        self._rate: OrderRate | None = None
        self._rules: tuple[Rule, ...] = tuple(self._rules_of(limits))
        self._open_for: dict[str, tuple[AccountFacts, SymbolFacts]] = {}

    def _rules_of(self, limits: RiskLimits) -> list[Rule]:
        rules: list[Rule] = [StrategyRunning(), ForeignPosition(), self._refused]
        if limits.max_orders_per_window is not None:
            self._rate = OrderRate(limits.max_orders_per_window, limits.order_window_ns)
            rules.append(self._rate)
        if limits.max_open_orders is not None:
            rules.append(OpenOrders(limits.max_open_orders))
        if limits.price_band_fraction is not None:
            rules.append(PriceBand(limits.price_band_fraction))
        if limits.max_order_notional_quote is not None:
            rules.append(OrderNotional(limits.max_order_notional_quote))
        if limits.max_position_notional_quote is not None:
            rules.append(PositionNotional(limits.max_position_notional_quote))
        if limits.max_total_notional_quote is not None:
            rules.append(TotalNotional(limits.max_total_notional_quote))
        if limits.max_leverage is not None:
            rules.append(Leverage(limits.max_leverage))
        rules += configured_rules(limits.rules)
        return rules

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The rules in force, in order."""
        return tuple(rule.name for rule in self._rules)

    def validate_order(self, order: Intent, context: RiskContext) -> Verdict:
        """Whether the order may go out. Counts nothing: call `note_sent` when it does."""
        verdict = self.validate_exit(order, is_connected=context.account.connected)
        if not verdict.allowed or reduces(order, context):
            return verdict
        closed = self._closed_gate(context.account, context.symbol)
        if closed is not None:
            return Verdict(allowed=False, rule=closed.name, reason=closed.sentence)
        for rule in self._rules:
            try:
                reason = rule.check(order, context)
            except Exception as error:  # noqa: BLE001  # a rule that cannot say yes must not end the engine
                reason = f"the rule has failed: {what_and_where(error, type(rule))}"
            if reason:
                return Verdict(allowed=False, rule=rule.name, reason=reason)
        return ALLOWED

    def _closed_gate(self, account: AccountFacts, symbol: SymbolFacts) -> Closed | None:
        """The first closed gate. Facts that seldom change and opened all gates are not judged again."""
        if self._open_for.get(symbol.symbol) == (account, symbol):
            return None
        closed = closed_gate(account, symbol)
        if closed is None:
            self._open_for[symbol.symbol] = (account, symbol)
        return closed

    def validate_exit(self, order: Intent, *, is_connected: bool) -> Verdict:
        """Whether an order that can only reduce may go out."""
        if order.qty_base <= ZERO and not order.close_position:
            return _NO_QUANTITY
        if not is_connected:
            return _NOT_CONNECTED
        return ALLOWED

    def note_sent(self, now_ns: int) -> None:
        """Count an order for the rate rule."""
        if self._rate is not None:
            self._rate.note(now_ns)

    def on_applied(self, applied: Applied, now_ns: int) -> str:
        """Note whether entries are accepted or refused. Returns what to report ("": nothing)."""
        order = applied.order
        intent = order.intent
        if intent.is_exit or intent.reduce_only or intent.close_position or order.is_external:
            return ""
        if applied.is_rejection:
            return self._refused.note_refused(intent, order.reason, now_ns)
        if order.state in {OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED}:
            self._refused.note_taken(intent)
        return ""

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: orders from the future count as sent now."""
        self._refused.on_set_back(now_ns)
        if self._rate is not None:
            self._rate.on_set_back(now_ns)

    def forget_refused(self) -> None:
        """Entries that the exchange has refused may be tried again at once."""
        self._refused.forget()

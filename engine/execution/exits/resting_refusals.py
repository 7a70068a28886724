"""Handles resting orders that are refused, or stops that were triggered but not filled."""

from collections.abc import Callable

from engine.execution.exits.market_exits import NOTHING_TO_REDUCE, MarketExits
from engine.execution.sending.order_gate import OrderGate
from engine.execution.sending.resting import RestingOrders
from engine.model.cause import Cause
from engine.model.context import Outbox
from engine.model.leg import STOP, Leg
from engine.orders.order_store import Order
from engine.orders.refusals import is_nothing_to_reduce, is_triggered_unfilled
from gateways.wire.words import Refusal


class RestingRefusals:
    """Reports them, and closes a position at market when the price is past its stop."""

    def __init__(
        self,
        out: Outbox,
        gate: OrderGate,
        resting: RestingOrders,
        exits: MarketExits,
        on_doubt: Callable[[str], None],
    ) -> None:
        self._out = out
        self._gate = gate
        self._resting = resting
        self._exits = exits
        self._on_doubt = on_doubt

    def on_refused(self, owner: str, symbol: str, leg: Leg, order: Order) -> None:
        """An order could not be placed, or was triggered and not filled."""
        intent, refusals = order.intent, self._resting.refusals(owner, symbol, leg)
        is_stop = leg == STOP or (intent.reduce_only and intent.order_type == "STOP_MARKET")
        has_failed = is_stop and is_triggered_unfilled(order)
        why = order.reason or order.state.name.lower()
        if has_failed:
            at = f"at {self._gate.show_price(symbol, intent.stop_price)} " if intent.stop_price else ""
            text = f"the stop {at}was triggered and did not fill ({why}): closing the position at market"
            self._out.notice("critical", f"{owner} on {symbol}: {text}")
        elif refusals <= 1:  # it is retried, and reported once
            self._out.notice("warning", f"{owner} on {symbol}: {leg.name} order was not placed: {why}")
        if is_nothing_to_reduce(order) and refusals == 1:
            self._on_doubt(NOTHING_TO_REDUCE)
        if has_failed or (is_stop and order.refusal is Refusal.WOULD_TRIGGER):
            self._exits.leave(
                owner,
                symbol,
                qty_base=None if leg == STOP else intent.qty_base,
                cause=Cause.parse(intent.cause),
                leg=leg.past_stop(intent.attempt),
                signal=intent.signal,
            )

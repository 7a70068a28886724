"""The dead man's switch: resting entries are cancelled when the engine has been silent for too long.

The engine's heartbeats reset it. The exchange's own countdown also works when engine and gateway are both
down, but it cancels every ordinary order of a symbol, so it runs only while nothing but entries of the engine
rests there. While the gateway is up it also cancels the entries itself: where a target or a foreign order
rests the countdown is off, and a countdown request may have been lost. Neither cancels conditional orders, so
protective stops stay in place.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateways.binance.orders.open_orders import OpenOrders
from gateways.binance.orders.sender import OrderSender
from gateways.wire.messages import OrderUpdate

MIN_COUNTDOWN_MS = 5_000
AGAIN_NS = 5_000_000_000
"""An entry that still rests is cancelled again after this long."""


@dataclass(slots=True)
class _Watch:
    """The last heartbeat for one symbol. `prefix` begins the client ids of its engine."""

    prefix: str
    countdown_ms: int
    beat_ns: int
    cancelled_ns: int = 0


class DeadManSwitch:
    """`send(symbol, countdown_ms)` sets the exchange's countdown; 0 disarms. `resting(symbol)` returns the
    ordinary open orders, `cancel` cancels one. Called on the event loop."""

    def __init__(
        self,
        send: Callable[[str, int], None],
        monotonic_ns: Callable[[], int],
        resting: Callable[[str], list[OrderUpdate]],
        cancel: Callable[[OrderUpdate], None],
    ) -> None:
        self._send = send
        self._monotonic_ns = monotonic_ns
        self._resting = resting
        self._cancel = cancel
        self._fed: dict[str, int] = {}
        self._watched: dict[str, _Watch] = {}

    @property
    def armed(self) -> frozenset[str]:
        """Symbols whose countdown runs at the exchange, as far as we know."""
        return frozenset(self._fed)

    def heartbeat(self, symbols: Iterable[str], countdown_ms: int, prefix: str) -> None:
        """Reset the countdown, at most four times within it; a heartbeat without a countdown disarms."""
        now_ns = self._monotonic_ns()
        for symbol in sorted(symbols):
            if countdown_ms <= 0:
                self._watched.pop(symbol, None)
                self._disarm(symbol)
                continue
            whole_ms = max(countdown_ms, MIN_COUNTDOWN_MS)
            self._watched[symbol] = _Watch(prefix, whole_ms, now_ns)
            last_ns = self._fed.get(symbol)
            is_due = last_ns is None or now_ns - last_ns >= whole_ms * 1_000_000 // 4
            if not self._has_only_entries(symbol):
                self._disarm(symbol)
            elif is_due:
                self._fed[symbol] = now_ns
                self._send(symbol, whole_ms)

    def on_order(self, symbol: str) -> None:
        """Orders of that symbol have changed: disarm where the countdown would cancel more than entries."""
        if symbol in self._fed and not self._has_only_entries(symbol):
            self._disarm(symbol)

    def on_time(self) -> None:
        """Cancel the entries of a silent engine; the exchange's countdown may have been faster."""
        now_ns = self._monotonic_ns()
        for symbol in tuple(self._fed):
            self.on_order(symbol)  # a disarming may not have arrived
        for symbol, watch in self._watched.items():
            is_silent = now_ns - watch.beat_ns >= watch.countdown_ms * 1_000_000
            is_due = not watch.cancelled_ns or now_ns - watch.cancelled_ns >= AGAIN_NS
            if is_silent and is_due:
                watch.cancelled_ns = now_ns
                for order in self._resting(symbol):
                    if _is_entry(order, watch.prefix):
                        self._cancel(order)

    def failed(self, symbol: str) -> None:
        """A countdown request failed, so its state is unknown: it is sent again soon."""
        self._fed[symbol] = self._monotonic_ns() - 3_600_000_000_000

    def _has_only_entries(self, symbol: str) -> bool:
        watch = self._watched.get(symbol)
        return watch is not None and all(_is_entry(order, watch.prefix) for order in self._resting(symbol))

    def _disarm(self, symbol: str) -> None:
        if self._fed.pop(symbol, None) is not None:
            self._send(symbol, 0)


def switch_for(sender: OrderSender, orders: OpenOrders, monotonic_ns: Callable[[], int]) -> DeadManSwitch:
    """A switch that sends its countdowns and cancels through this sender."""
    switch = DeadManSwitch(
        lambda symbol, countdown_ms: sender.countdown(symbol, countdown_ms, switch.failed),
        monotonic_ns,
        orders.ordinary,
        sender.cancel_unasked,
    )
    return switch


def _is_entry(order: OrderUpdate, prefix: str) -> bool:
    """Whether the engine with that prefix sent it and it may open or increase a position."""
    return not order.reduce_only and order.client_order_id.startswith(prefix)

"""A listener of the simulated exchange that ignores everything; tests override what they look at."""

from gateways.simulator.exchange.model.events import ForcedOrder, Trade, UserEvent


class NullListener:
    """Ignores every event."""

    def on_trade(self, trade: Trade) -> None:
        """Ignore it."""

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        """Ignore it."""

    def on_user(self, account_id: str, event: UserEvent) -> None:
        """Ignore it."""

    def on_forced_order(self, forced: ForcedOrder) -> None:
        """Ignore it."""

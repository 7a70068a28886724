"""Skeleton: filled in shortly; the signatures stand."""

from decimal import Decimal

import msgspec

from engine.storage.records import Adjustment, Fill
from gateways.wire.messages import AccountUpdate, MarkPrice, Snapshot


class Position(msgspec.Struct):
    """A net position by our fills. `qty_base` is signed; prices and money in quote."""

    symbol: str
    qty_base: Decimal
    entry_price: Decimal
    realised_pnl: Decimal
    fees: Decimal


class PositionMismatch(msgspec.Struct, frozen=True):
    """The exchange's quantity is not the sum of our fills and adjustments."""

    symbol: str
    venue_base: Decimal
    ours_base: Decimal


class AccountStateStore:
    """Balances and positions as the exchange says, and positions as our fills say."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take the exchange's balances and positions."""
        raise NotImplementedError

    def on_account_update(self, update: AccountUpdate) -> None:
        """Take changed balances and positions."""
        raise NotImplementedError

    def on_fill(self, fill: Fill) -> None:
        """Count one fill (the order store has removed repetitions)."""
        raise NotImplementedError

    def on_adjustment(self, adjustment: Adjustment) -> None:
        """Count an accepted adjustment."""
        raise NotImplementedError

    def on_mark(self, mark: MarkPrice) -> None:
        """Newest mark price."""
        raise NotImplementedError

    def position(self, symbol: str) -> Position:
        """By our fills, all owners together."""
        raise NotImplementedError

    def strategy_position(self, strategy: str, symbol: str) -> Position:
        """By the fills of one owner."""
        raise NotImplementedError

    def venue_base(self, symbol: str) -> Decimal:
        """The exchange's own signed quantity."""
        raise NotImplementedError

    def mismatches(self) -> tuple[PositionMismatch, ...]:
        """Symbols where the exchange and our fills disagree, by symbol."""
        raise NotImplementedError

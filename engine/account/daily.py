"""Profit since 00:00 UTC, by event time, and which changes of a balance are no profit."""

from decimal import Decimal

import msgspec

DAY_NS = 86_400_000_000_000
TRANSFERS = frozenset(
    {
        *("DEPOSIT", "WITHDRAW", "WITHDRAW_REJECT", "ADMIN_DEPOSIT", "ADMIN_WITHDRAW"),
        *("MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE", "ASSET_TRANSFER", "AUTO_EXCHANGE"),
        *("COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW"),
    }
)
"""Binance's reasons of account updates that move money and earn or lose none; every other one counts."""


class DailyPnl(msgspec.Struct, array_like=True):
    """`baseline` is the total P&L (realised, open, less fees) when the first event of `day` arrived."""

    day: int = -1
    baseline: Decimal = Decimal(0)

    @classmethod
    def beginning(cls, now_ns: int, total_pnl: Decimal) -> "DailyPnl":
        """A new day, at the first event of it."""
        return cls(now_ns // DAY_NS, total_pnl)

    def is_over(self, now_ns: int) -> bool:
        """Whether that event belongs to a later day. Time never goes back: older events change nothing."""
        return now_ns >= (self.day + 1) * DAY_NS

    def value(self, total_pnl: Decimal) -> Decimal:
        """P&L of the day so far."""
        return total_pnl - self.baseline

"""Profit since 00:00 UTC, by event time."""

from decimal import Decimal

import msgspec

DAY_NS = 86_400_000_000_000


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

"""Limits and verdicts of the risk manager."""

from decimal import Decimal

import msgspec


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the quote asset; None switches a limit off. `max_position_notional_quote` is per symbol,
    `order_window_ns` the window of `max_orders_per_window`.
    """

    max_order_notional_quote: Decimal | None = None
    max_position_notional_quote: Decimal | None = None
    max_total_notional_quote: Decimal | None = None
    max_leverage: Decimal | None = None
    max_open_orders: int | None = None
    price_band_fraction: Decimal | None = None
    max_orders_per_window: int | None = None
    order_window_ns: int = 0
    max_daily_loss_quote: Decimal | None = None


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Outcome of the chain: `rule` is "" when allowed, else the name of the first rule that said no."""

    allowed: bool
    rule: str = ""
    reason: str = ""


ALLOWED = Verdict(allowed=True)

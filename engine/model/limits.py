"""Limits and verdicts of the risk manager."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from engine.model.signals import Fate


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the quote asset; None switches a limit off. `max_position_notional_quote` is per symbol,
    `order_window_ns` the window of `max_orders_per_window`. `rules` are further rules by name, with the raw
    parameters of each.
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
    rules: Mapping[str, Mapping[str, object]] = {}


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Whether an order may go out. `rule` is the gate or rule that said no ("" where none was asked),
    `reason` one sentence for a person, `fate` what becomes of the signal behind it."""

    allowed: bool
    rule: str = ""
    reason: str = ""
    fate: Fate = "vetoed"


ALLOWED = Verdict(allowed=True)

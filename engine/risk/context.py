"""What the risk rules may look at, as of the moment of decision."""

from decimal import Decimal

import msgspec

ZERO = Decimal(0)


class RiskContext(msgspec.Struct, gc=False, kw_only=True):
    """Facts for one order. Quantities are of the order's symbol, in base; money in quote.

    `position_base` is signed and by our fills or the exchange, whichever is larger in size.
    `open_buy_base` and `open_sell_base` sum what is unfilled of open and in-flight orders that are not
    reduce-only. `other_notional_quote` is the absolute notional of all other symbols, open orders
    included. `reference_price` is what a MARKET order is expected to pay. `daily_pnl_quote` is realised plus
    open, since 00:00 UTC. `blocked` is why entries are closed right now ("" if they are not).
    """

    now_ns: int
    mark_price: Decimal
    reference_price: Decimal
    position_base: Decimal = ZERO
    open_buy_base: Decimal = ZERO
    open_sell_base: Decimal = ZERO
    other_notional_quote: Decimal = ZERO
    open_orders: int = 0
    equity_quote: Decimal = ZERO
    daily_pnl_quote: Decimal = ZERO
    connected: bool = True
    data_fresh: bool = True
    reconciled: bool = True
    clock_ok: bool = True
    journal_ok: bool = True
    paused: bool = False
    strategy_running: bool = True

"""Positions as our fills make them: one-way, average entry price, exact quantities.

Reducing keeps the entry price, increasing averages it by quantity, crossing zero closes and opens anew
(binance_protocol section 13). Quantities are exact; the average price is rounded to 28 digits.
"""

from decimal import Decimal

import msgspec

from gateways.wire.messages import Side

ZERO = Decimal(0)


class Position(msgspec.Struct, array_like=True):
    """One net position. `qty_base` is signed; `entry_price` is 0 while flat; money is in the quote asset.

    `realised_pnl` is before fees, by our own arithmetic; `venue_realised_pnl` sums the exchange's numbers.
    `fees` are positive when paid.
    """

    symbol: str
    qty_base: Decimal = ZERO
    entry_price: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    venue_realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    fills: int = 0
    adjusted_base: Decimal = ZERO

    def trade(self, side: Side, qty_base: Decimal, price: Decimal) -> Decimal:
        """Book one execution; returns the P&L it realised before fees."""
        signed = qty_base if side == "BUY" else -qty_base
        held = self.qty_base
        after = held + signed
        realised = ZERO
        if held == ZERO or (held > ZERO) == (signed > ZERO):
            self.entry_price = price if held == ZERO else (self.entry_price * held + price * signed) / after
        else:
            closed = min(abs(held), qty_base)
            move = price - self.entry_price
            realised = closed * (move if held > ZERO else -move)
            if qty_base > abs(held):
                self.entry_price = price
            elif after == ZERO:
                self.entry_price = ZERO
        self.qty_base = after
        self.realised_pnl += realised
        return realised

    def adjust(self, qty_base: Decimal, entry_price: Decimal) -> None:
        """Take over an accepted difference: no price was paid and nothing is realised."""
        self.qty_base += qty_base
        self.adjusted_base += qty_base
        self.entry_price = entry_price if self.qty_base else ZERO

    def unrealised(self, mark_price: Decimal) -> Decimal:
        """Open P&L at a mark price."""
        return self.qty_base * (mark_price - self.entry_price)

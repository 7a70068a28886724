"""Margin and liquidation price of one-way cross positions (binance_protocol section 13). All Decimal.

Notional is |quantity| x mark price. Maintenance margin is notional x ratio - cum of the leverage bracket the
notional falls into, which is continuous and grows with the notional. Initial margin is notional over the
chosen leverage. Open orders reserve what the worse side would add; reduce-only orders reserve nothing.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from gateways.wire.messages import Bracket, Instrument

ZERO = Decimal(0)


class HeldPosition(msgspec.Struct, frozen=True):
    """One position as margin sees it; `qty_base` is signed."""

    symbol: str
    qty_base: Decimal
    entry_price: Decimal
    mark_price: Decimal

    @property
    def notional(self) -> Decimal:
        """Absolute, at mark price."""
        return abs(self.qty_base) * self.mark_price

    @property
    def unrealised_pnl(self) -> Decimal:
        """At mark price."""
        return self.qty_base * (self.mark_price - self.entry_price)


class OpenSides(msgspec.Struct, frozen=True):
    """Notional of open orders that are not reduce-only, buys and sells, each at its own price."""

    buy_quote: Decimal = ZERO
    sell_quote: Decimal = ZERO


class SymbolMargin(msgspec.Struct, frozen=True):
    """Margin of one symbol in the quote asset."""

    symbol: str
    notional: Decimal
    unrealised_pnl: Decimal
    position_initial: Decimal
    open_order_initial: Decimal
    maintenance: Decimal

    @property
    def initial(self) -> Decimal:
        """Of position and open orders."""
        return self.position_initial + self.open_order_initial


class AccountMargin(msgspec.Struct, frozen=True):
    """Margin of the whole cross account in the quote asset."""

    symbols: tuple[SymbolMargin, ...]
    initial: Decimal
    maintenance: Decimal
    margin_balance: Decimal
    available: Decimal


class MarginCalculator:
    """Knows the brackets and leverage of each symbol; ValueError for a symbol nobody described."""

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}

    def on_instrument(self, instrument: Instrument) -> None:
        """Take filters, leverage and brackets, replacing older ones."""
        if not instrument.brackets:
            raise ValueError(f"{instrument.symbol} has no leverage brackets")
        if instrument.leverage < 1:
            raise ValueError(
                f"{instrument.symbol} has leverage {instrument.leverage}, at least 1 was expected"
            )
        self._instruments[instrument.symbol] = instrument

    def knows(self, symbol: str) -> bool:
        """Whether the symbol was described."""
        return symbol in self._instruments

    def bracket(self, symbol: str, notional: Decimal) -> Bracket:
        """The bracket with floor <= notional < cap; the last one has no cap."""
        return bracket_for(self._instrument(symbol).brackets, notional)

    def maintenance(self, symbol: str, notional: Decimal) -> Decimal:
        """Maintenance margin of a notional."""
        return maintenance_of(self._instrument(symbol).brackets, notional)

    def max_notional(self, symbol: str) -> Decimal:
        """Largest notional that may be opened with the symbol's present leverage."""
        instrument = self._instrument(symbol)
        allowed = [b.cap_quote for b in instrument.brackets if b.max_leverage >= instrument.leverage]
        return max(allowed, default=ZERO)

    def of_symbol(self, position: HeldPosition, sides: OpenSides = OpenSides()) -> SymbolMargin:  # noqa: B008  # frozen
        """Margin of one position and its open orders."""
        instrument = self._instrument(position.symbol)
        signed = position.qty_base * position.mark_price
        worst = max(abs(signed + sides.buy_quote), abs(signed - sides.sell_quote))
        notional = position.notional
        own = notional / instrument.leverage
        return SymbolMargin(
            symbol=position.symbol,
            notional=notional,
            unrealised_pnl=position.unrealised_pnl,
            position_initial=own,
            open_order_initial=max(ZERO, worst / instrument.leverage - own),
            maintenance=maintenance_of(instrument.brackets, notional),
        )

    def of_account(
        self,
        cross_wallet: Decimal,
        positions: Sequence[HeldPosition],
        orders: Mapping[str, OpenSides] | None = None,
    ) -> AccountMargin:
        """Margin of all cross positions. A symbol with orders but no position needs a flat entry."""
        sides = orders or {}
        symbols = tuple(
            self.of_symbol(position, sides.get(position.symbol, OpenSides())) for position in positions
        )
        initial = sum((one.initial for one in symbols), ZERO)
        balance = cross_wallet + sum((one.unrealised_pnl for one in symbols), ZERO)
        return AccountMargin(
            symbols=symbols,
            initial=initial,
            maintenance=sum((one.maintenance for one in symbols), ZERO),
            margin_balance=balance,
            available=max(ZERO, balance - initial),
        )

    def liquidation_price(
        self, symbol: str, cross_wallet: Decimal, positions: Sequence[HeldPosition]
    ) -> Decimal | None:
        """Mark price of `symbol` at which maintenance equals the margin balance, the others unchanged.

        None while flat; 0 where no positive price liquidates. Evaluated with the bracket that is valid at
        the liquidation price itself.
        """
        held = next((p for p in positions if p.symbol == symbol and p.qty_base), None)
        if held is None:
            return None
        backing = cross_wallet
        for other in positions:
            if other.symbol != symbol:
                backing += other.unrealised_pnl - self.maintenance(other.symbol, other.notional)
        return liquidation_price(self._instrument(symbol).brackets, held.qty_base, held.entry_price, backing)

    def _instrument(self, symbol: str) -> Instrument:
        try:
            return self._instruments[symbol]
        except KeyError:
            raise ValueError(f"no filters and brackets of {symbol} are known") from None


def bracket_for(brackets: Sequence[Bracket], notional: Decimal) -> Bracket:
    """The bracket with floor <= notional < cap; the last one has no cap."""
    for bracket in brackets:
        if notional < bracket.cap_quote:
            return bracket
    return brackets[-1]


def maintenance_of(brackets: Sequence[Bracket], notional: Decimal) -> Decimal:
    """notional x ratio - cum."""
    bracket = bracket_for(brackets, notional)
    return notional * bracket.maintenance_ratio - bracket.cum_quote


def liquidation_price(
    brackets: Sequence[Bracket], qty_base: Decimal, entry_price: Decimal, backing_quote: Decimal
) -> Decimal:
    """LP = (WB - TMM + UPNL + cum - side x Q x EP) / (Q x mmr - side x Q) in the bracket valid at LP.

    `backing_quote` is WB - TMM + UPNL: wallet less maintenance plus open profit of everything else. Balance
    less maintenance is continuous and monotone in the price, so the bracket that holds its root is found by
    its sign at the bracket's ends, which needs no division.
    """
    side = 1 if qty_base > ZERO else -1
    entry_notional = qty_base * entry_price

    def excess(bracket: Bracket, notional: Decimal) -> Decimal:
        """Balance less maintenance at that notional; times `side` it grows with the price."""
        maintenance = notional * bracket.maintenance_ratio - bracket.cum_quote
        return side * (backing_quote + side * notional - entry_notional - maintenance)

    if excess(brackets[0], ZERO) > ZERO:
        return ZERO
    holding = next((b for b in brackets[:-1] if excess(b, b.cap_quote) > ZERO), brackets[-1])
    slope = abs(qty_base) * holding.maintenance_ratio - qty_base
    return (backing_quote + holding.cum_quote - entry_notional) / slope

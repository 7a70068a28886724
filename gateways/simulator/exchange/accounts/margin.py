"""Margin: what positions and open orders reserve, what is available, when a position is liquidated.

Formulas (quote; MP mark price, q signed quantity): notional N = |q|*MP; maintenance margin
MM = N*mmr - cum of N's bracket; position margin N / leverage; open orders (one-way)
max(|q*MP + bids|, |q*MP - asks|) / leverage minus the position margin, sides counted separately in hedge
mode; reduce-only orders reserve nothing. Source: Binance's documentation of futures margin.
"""

from dataclasses import dataclass
from decimal import Decimal

from gateways.simulator.exchange.accounts.positions import cross_wallet, money, unrealized
from gateways.simulator.exchange.model.accounts import ZERO, Position
from gateways.simulator.exchange.model.state import AccountState, ExchangeState, MarketState
from gateways.simulator.exchange.model.symbols import SymbolSpec


@dataclass(slots=True)
class SymbolMargin:
    """Margin one symbol reserves in an account."""

    position: Decimal
    open_orders: Decimal
    bids: Decimal
    asks: Decimal

    @property
    def total(self) -> Decimal:
        """Return position and open order margin together."""
        return self.position + self.open_orders


def maintenance(spec: SymbolSpec, notional: Decimal) -> Decimal:
    """Return the maintenance margin of a notional."""
    if not notional:
        return ZERO
    bracket = spec.bracket_for(notional)
    return notional * bracket.maint_margin_ratio - bracket.cum


def mark_notional(spec: SymbolSpec, lots: int, mark: Decimal) -> Decimal:
    """Return |q| * MP."""
    return spec.lots_to_qty(abs(lots)) * mark


def side_notionals(
    user: AccountState, spec: SymbolSpec, *, position_side: str | None = None, without: int = 0
) -> tuple[Decimal, Decimal]:
    """Return the notionals of open buys and sells that reserve margin (no reduce-only)."""
    bids = asks = 0
    for order in user.open_of(spec.symbol).values():
        if order.reduce_only or order.order_id == without:
            continue
        if position_side is not None and order.position_side != position_side:
            continue
        left = order.price_ticks * order.remaining_lots
        if order.side == "BUY":
            bids += left
        else:
            asks += left
    unit = spec.tick_size * spec.step_size
    return bids * unit, asks * unit


def symbol_margin(
    user: AccountState,
    market: MarketState,
    *,
    extra_buy: Decimal = ZERO,
    extra_sell: Decimal = ZERO,
    extra_side: str = "BOTH",
    without: int = 0,
    leverage: int | None = None,
) -> SymbolMargin:
    """Return a symbol's margin, optionally with an additional order and without an existing one."""
    spec, mark = market.spec, market.mark
    lev = leverage or user.config(spec.symbol).leverage
    if not user.account.hedge_mode:
        bids, asks = side_notionals(user, spec, without=without)
        bids, asks = bids + extra_buy, asks + extra_sell
        held = spec.lots_to_qty(user.lots(spec.symbol, "BOTH")) * mark
        position = abs(held) / lev
        total = max(abs(held + bids), abs(held - asks)) / lev
        return SymbolMargin(money(position), money(max(ZERO, total - position)), bids, asks)
    position = open_orders = all_bids = all_asks = ZERO
    for side in ("LONG", "SHORT"):
        bids, asks = side_notionals(user, spec, position_side=side, without=without)
        if side == extra_side:
            bids, asks = bids + extra_buy, asks + extra_sell
        position += mark_notional(spec, user.lots(spec.symbol, side), mark) / lev
        open_orders += (bids if side == "LONG" else asks) / lev
        all_bids, all_asks = all_bids + bids, all_asks + asks
    return SymbolMargin(money(position), money(open_orders), all_bids, all_asks)


@dataclass(slots=True)
class Totals:
    """An account's margin totals; `cross_*` leave isolated positions out."""

    unrealized: Decimal = ZERO
    cross_unrealized: Decimal = ZERO
    maintenance: Decimal = ZERO
    cross_maintenance: Decimal = ZERO
    position_margin: Decimal = ZERO
    open_order_margin: Decimal = ZERO
    cross_reserved: Decimal = ZERO
    """What reduces the available balance: cross position margin and all open order margin."""


def relevant_symbols(user: AccountState) -> list[str]:
    """Return the symbols in which the account has a position or an open order, in a fixed order."""
    names = {position.symbol for position in user.account.positions.values() if position.lots}
    names.update(symbol for symbol, orders in user.open_by_symbol.items() if orders)
    return sorted(names)


def totals(state: ExchangeState, user: AccountState) -> Totals:
    """Return the account's totals at the current mark prices."""
    found = Totals()
    for symbol in relevant_symbols(user):
        market = state.markets[symbol]
        isolated = user.config(symbol).isolated
        margin = symbol_margin(user, market)
        found.position_margin += margin.position
        found.open_order_margin += margin.open_orders
        found.cross_reserved += margin.open_orders if isolated else margin.total
        for position in user.held(symbol):
            pnl = unrealized(market.spec, position, market.mark)
            maint = money(maintenance(market.spec, mark_notional(market.spec, position.lots, market.mark)))
            found.unrealized += pnl
            found.maintenance += maint
            if not isolated:
                found.cross_unrealized += pnl
                found.cross_maintenance += maint
    return found


def available_balance(state: ExchangeState, user: AccountState) -> Decimal:
    """Return the balance available for new orders, never negative."""
    found = totals(state, user)
    return max(ZERO, cross_wallet(user) + found.cross_unrealized - found.cross_reserved)


def liquidation_price(state: ExchangeState, user: AccountState, position: Position) -> Decimal:
    """Return the mark price at which the position is liquidated, 0 when there is none.

    `LP = (WB - TMM + UPNL + cum - cost) / (Q*mmr - q)` with the bracket at LP itself; in hedge
    mode both sides of a cross symbol enter one formula.
    """
    if not position.lots:
        return ZERO
    market = state.markets[position.symbol]
    spec = market.spec
    if user.config(spec.symbol).isolated:
        return _solve(spec, position.isolated_wallet, market.mark, [position])
    wallet = cross_wallet(user)
    for other in user.held():
        if other.symbol != spec.symbol and not user.config(other.symbol).isolated:
            other_market = state.markets[other.symbol]
            notional = mark_notional(other_market.spec, other.lots, other_market.mark)
            wallet += unrealized(other_market.spec, other, other_market.mark)
            wallet -= maintenance(other_market.spec, notional)
    return _solve(spec, wallet, market.mark, user.held(spec.symbol))


def bankruptcy_price(state: ExchangeState, user: AccountState, position: Position) -> Decimal:
    """Return the price at which closing the position leaves its margin at exactly zero (not below 0)."""
    market = state.markets[position.symbol]
    signed = market.spec.lots_to_qty(position.lots)
    if user.config(position.symbol).isolated:
        return max(ZERO, (position.cost - position.isolated_wallet) / signed)
    wallet = cross_wallet(user)
    for other in user.held():
        if other is not position and not user.config(other.symbol).isolated:
            other_market = state.markets[other.symbol]
            wallet += unrealized(other_market.spec, other, other_market.mark)
    return max(ZERO, (position.cost - wallet) / signed)


def _solve(spec: SymbolSpec, wallet: Decimal, mark: Decimal, positions: list[Position]) -> Decimal:
    """Find the price where wallet + profit equals maintenance, trying each combination of brackets."""
    sizes = [spec.lots_to_qty(position.lots) for position in positions]
    cost = sum((position.cost for position in positions), ZERO)
    net = sum(sizes, ZERO)
    solutions = []
    for ratio, cum, low, high in _bracket_ranges(spec, [abs(size) for size in sizes]):
        denominator = ratio - net
        if not denominator:
            continue
        price = (wallet + cum - cost) / denominator
        if price > 0 and low <= price <= high:
            solutions.append(price)
    # One position has one solution at most; two hedge sides can have another, far away.
    return min(solutions, key=lambda price: abs(price - mark), default=ZERO)


def _bracket_ranges(
    spec: SymbolSpec, sizes: list[Decimal]
) -> list[tuple[Decimal, Decimal, Decimal, Decimal]]:
    """Return (sum of Q*mmr, sum of cum, lowest price, highest price) for each price range.

    The borders are the prices at which one of the sizes crosses into another bracket.
    """
    borders = sorted({bracket.notional_cap / size for size in sizes for bracket in spec.brackets[:-1]})
    ranges = []
    low = ZERO
    for high in [*borders, Decimal("Infinity")]:
        probe = (low + high) / 2 if high.is_finite() else low + 1
        brackets = [spec.bracket_for(size * probe) for size in sizes]
        ratio = sum((size * b.maint_margin_ratio for size, b in zip(sizes, brackets, strict=True)), ZERO)
        cum = sum((b.cum for b in brackets), ZERO)
        ranges.append((ratio, cum, low, high))
        low = high
    return ranges

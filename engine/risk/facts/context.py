"""The facts that risk rules decide on."""

from decimal import Decimal

import msgspec

from engine.account.state import AccountStateStore
from engine.model.records import Intent
from engine.orders.order_store import OrderStore
from engine.risk.facts.gates import AccountFacts, SymbolFacts

ZERO = Decimal(0)


class RiskContext(msgspec.Struct, gc=False, kw_only=True):
    """Facts for one order. Quantities are of the order's symbol, in base; money in quote.

    `account` and `symbol` are what the gates look at, `strategy_running` whether the order's strategy may
    enter. `position_base` is signed, by our fills; `foreign_base` is what of it nobody here has traded.
    `open_buy_base` and `open_sell_base` sum what is unfilled of open and in-flight orders that are not
    reduce-only. `other_notional_quote` is the absolute notional of all other symbols, open orders included.
    `reference_price` is what a MARKET order is expected to pay (0: unknown, the mark is taken).
    """

    now_ns: int
    account: AccountFacts
    symbol: SymbolFacts
    strategy_running: bool
    mark_price: Decimal
    reference_price: Decimal
    position_base: Decimal
    foreign_base: Decimal
    open_buy_base: Decimal
    open_sell_base: Decimal
    other_notional_quote: Decimal
    open_orders: int
    equity_quote: Decimal


def context_for(
    symbol: str,
    *,
    now_ns: int,
    orders: OrderStore,
    account: AccountStateStore,
    gates: tuple[AccountFacts, SymbolFacts],
    strategy_running: bool,
    foreign_base: Decimal,
    reference_price: Decimal,
) -> RiskContext:
    """The facts for an order of that symbol: of the gates, and of the stores.

    Without a mark price the reference price stands in for it, and the other way round; of other symbols that
    of the entry.
    """
    buys: dict[str, Decimal] = {}
    sells: dict[str, Decimal] = {}
    for order in orders.open_orders():
        intent = order.intent
        if not (intent.reduce_only or intent.close_position):
            sums = buys if intent.side == "BUY" else sells
            sums[intent.symbol] = sums.get(intent.symbol, ZERO) + order.unfilled_base
    other = ZERO
    others = {p.symbol for p in account.positions() if p.qty_base} | buys.keys() | sells.keys()
    others.discard(symbol)
    for name in sorted(others):
        position = account.position(name)
        held, price = position.qty_base, account.mark(name) or position.entry_price
        worst = max(abs(held + buys.get(name, ZERO)), abs(held - sells.get(name, ZERO)))
        other += worst * price
    return RiskContext(
        now_ns=now_ns,
        account=gates[0],
        symbol=gates[1],
        strategy_running=strategy_running,
        mark_price=account.mark(symbol) or reference_price,
        reference_price=reference_price,
        position_base=account.position(symbol).qty_base,
        foreign_base=foreign_base,
        open_buy_base=buys.get(symbol, ZERO),
        open_sell_base=sells.get(symbol, ZERO),
        other_notional_quote=other,
        open_orders=orders.open_count,
        equity_quote=account.equity,
    )


def reduces(order: Intent, context: RiskContext) -> bool:
    """Whether an order only reduces a position, so that it needs nothing but a connection.

    Reduce-only is the exchange's own promise. An exit without it (of one of several strategies on a symbol)
    must either face the symbol's position and, with what is open on its side, not be larger; or what we
    believe of positions must have been compared with the exchange. An entry never counts as reducing.
    """
    if order.reduce_only or order.close_position:
        return True
    if not order.is_exit:
        return False
    if context.account.positions_known:
        return True
    if order.side == "SELL":
        return order.qty_base + context.open_sell_base <= context.position_base
    return order.qty_base + context.open_buy_base <= -context.position_base

"""Lots, trades and money of one symbol in the kernel."""

from engine.backtest.kernel.grid import round_qty
from engine.backtest.kernel.layout import Lot, Symbol, TradeRow, account_of, lot_of, trade_of
from engine.compiled.functions import compiled
from engine.model.exit_rules import NO_TEXT


@compiled
def mark_lot(lot: Lot, price: float) -> None:
    """Record a price reached while the lot was open."""
    if lot.direction * (price - lot.best) > 0.0:
        lot.best = price
    elif lot.direction * (price - lot.worst) < 0.0:
        lot.worst = price


@compiled
def mark_lots(s: Symbol, price: float) -> None:
    """Record a price reached for every open lot; there must be one."""
    mark_lot(lot_of(s, 0), price)
    for j in range(1, s.lots):
        mark_lot(lot_of(s, j), price)


@compiled
def open_profit(s: Symbol, price: float) -> float:
    """Gross profit of the open lots at `price`; there must be one."""
    first = lot_of(s, 0)
    profit = first.direction * first.qty * (price - first.price) * s.point_value
    for j in range(1, s.lots):
        lot = lot_of(s, j)
        profit += lot.direction * lot.qty * (price - lot.price) * s.point_value
    return profit


@compiled
def average_price(s: Symbol) -> float:
    """Quantity-weighted entry price of the open lots; there must be one."""
    first = lot_of(s, 0)
    if s.lots == 1:
        return first.price
    value = qty = 0.0
    for j in range(s.lots):
        lot = lot_of(s, j)
        value += lot.qty * lot.price
        qty += lot.qty
    return value / qty


@compiled
def _commission(s: Symbol, qty: float, price: float, share: float) -> float:
    percent = s.maker_percent if s.filling_maker != 0 else s.taker_percent
    return (
        price * qty * s.point_value * percent / 100.0 + s.cash_per_contract * qty + s.cash_per_order * share
    )


@compiled
def pay_funding(s: Symbol, price: float, rate: float) -> None:
    """Longs pay `size * price * rate`, shorts receive it."""
    for j in range(s.lots):
        lot = lot_of(s, j)
        amount = -(lot.direction * lot.qty) * price * s.point_value * rate
        lot.funding += amount
        s.funding_paid += amount
    account_of(s).is_stale = 1


@compiled
def open_lot(s: Symbol, direction: float, qty: float, price: float, share: float) -> None:
    """Open a lot on this bar and pay its commission."""
    commission = _commission(s, qty, price, share)
    lot = lot_of(s, s.lots)
    lot.direction = direction
    lot.qty = qty
    lot.price = price
    lot.bar = s.bar
    lot.time_ns = s.time_ns
    lot.text = s.filling_text
    lot.commission = commission
    lot.funding = 0.0
    lot.best = price
    lot.worst = price
    s.lots += 1
    s.commission_paid += commission
    account_of(s).is_stale = 1
    s.position = round_qty(s, s.position + direction * qty)


@compiled
def _move_lot(to: Lot, lot: Lot) -> None:
    to.direction = lot.direction
    to.qty = lot.qty
    to.price = lot.price
    to.bar = lot.bar
    to.time_ns = lot.time_ns
    to.text = lot.text
    to.commission = lot.commission
    to.funding = lot.funding
    to.best = lot.best
    to.worst = lot.worst


@compiled
def close_lots(s: Symbol, qty: float, price: float) -> float:
    """Close up to `qty`, oldest lot first unless the order says otherwise; returns the quantity closed."""
    newest_first = s.filling_newest_first != 0
    left = qty
    j = s.lots - 1 if newest_first else 0
    while left > 0.0 and 0 <= j < s.lots:
        lot = lot_of(s, j)
        part = min(left, lot.qty)
        whole = part >= lot.qty
        _close_part(s, lot, part, price, part / qty)
        left = round_qty(s, left - part)
        if whole:
            s.lots -= 1
            for later in range(j, s.lots):
                _move_lot(lot_of(s, later), lot_of(s, later + 1))
        if newest_first:
            j -= 1
        elif not whole:
            j += 1
    return round_qty(s, qty - left)


@compiled
def _close_part(s: Symbol, lot: Lot, qty: float, price: float, share: float) -> None:
    whole = qty >= lot.qty
    entry_commission = lot.commission if whole else lot.commission * (qty / lot.qty)
    funding = lot.funding if whole else lot.funding * (qty / lot.qty)
    exit_commission = _commission(s, qty, price, share)
    value = lot.direction * qty * s.point_value
    gross = value * (price - lot.price)
    mark_lot(lot, price)
    account = account_of(s)
    trade = trade_of(account, account.trades)
    account.trades += 1
    trade.symbol = s.index
    trade.exit_bar = s.bar
    trade.exit_time_ns = s.time_ns
    trade.exit_price = price
    trade.exit_text = s.filling_text
    trade.exit_commission = exit_commission
    trade.pnl = gross - entry_commission - exit_commission + funding
    _describe_lot(trade, lot, qty, value, entry_commission, funding)
    account.is_stale = 1
    s.realised += gross
    s.commission_paid += exit_commission
    s.position = round_qty(s, s.position - lot.direction * qty)
    if not whole:
        lot.qty = round_qty(s, lot.qty - qty)
        lot.commission -= entry_commission
        lot.funding -= funding


@compiled
def _describe_lot(
    trade: TradeRow, lot: Lot, qty: float, value: float, entry_commission: float, funding: float
) -> None:
    """The fields of a trade that come from its entry, and its excursions."""
    trade.direction = int(lot.direction)
    trade.qty = qty
    trade.entry_bar = lot.bar
    trade.entry_time_ns = lot.time_ns
    trade.entry_price = lot.price
    trade.entry_text = lot.text
    trade.entry_commission = entry_commission
    trade.run_up = max(0.0, value * (lot.best - lot.price) - entry_commission)
    trade.drawdown = min(0.0, value * (lot.worst - lot.price) - entry_commission)
    trade.funding = funding


@compiled
def list_open_lots(s: Symbol, time_ns: int) -> None:
    """Append the open lots to the trade list, marked at the last price, nothing paid for leaving."""
    account = account_of(s)
    for j in range(s.lots):
        lot = lot_of(s, j)
        trade = trade_of(account, account.trades)
        account.trades += 1
        value = lot.direction * lot.qty * s.point_value
        gross = value * (s.mark - lot.price)
        trade.symbol = s.index
        trade.exit_bar = -1
        trade.exit_time_ns = time_ns
        trade.exit_price = s.mark
        trade.exit_text = NO_TEXT
        trade.exit_commission = 0.0
        trade.pnl = gross - lot.commission + lot.funding
        _describe_lot(trade, lot, lot.qty, value, lot.commission, lot.funding)

"""TradingView's margin calls: part of a position is closed when its margin exceeds the account's equity.

Judged at the open, at both extremes of the path and at the close. Closed is four times what is missing, in
whole quantity steps; a shortfall below one step closes one whole contract.
"""

from engine.backtest.broker_desk import Desk
from engine.backtest.broker_exits import Exits
from engine.backtest.broker_margin import margin_ratio

SIGNAL = "Margin call"
_TIMES_THE_SHORTFALL = 4


class MarginCalls:
    """Acts on one desk."""

    __slots__ = ("_desk", "_exits", "are_on")

    def __init__(self, desk: Desk, exits: Exits) -> None:
        self._desk = desk
        self._exits = exits
        self.are_on = desk.settings.margin_long_percent > 0 or desk.settings.margin_short_percent > 0

    def check(self, price: float) -> None:
        """Price stands at `price`: close what the account cannot carry."""
        desk = self._desk
        if not self.are_on or not desk.ledger.lots:
            return
        size = desk.ledger.position_size
        ratio = margin_ratio(desk, 1 if size > 0 else -1)
        unit = price * desk.point_value
        missing = abs(size) * unit * ratio - desk.equity_at(price)
        if ratio <= 0.0 or missing <= 0.0:
            return
        steps = int(missing / ratio / unit / desk.step)
        qty = desk.round_qty(_TIMES_THE_SHORTFALL * steps * desk.step) if steps else max(1.0, desk.step)
        self._close(min(qty, abs(size)), desk.fill_price(price, -1 if size > 0 else 1, slipped=True))

    def sweep(self) -> None:
        """After a bar: resting entries go that the account could not margin at the close."""
        desk = self._desk
        equity = desk.account.equity
        for order in [order for order in desk.orders.values() if order.kind == "entry"]:
            unit = desk.close * desk.point_value * margin_ratio(desk, order.direction)
            if order.qty * unit > equity:
                del desk.orders[order.key]

    def _close(self, qty: float, price: float) -> None:
        """Oldest first; with `close_rule` ANY every trade loses that much."""
        desk = self._desk
        if desk.settings.close_rule == "FIFO":
            self._close_part("", None, qty, price)
            return
        for lot in list(desk.ledger.lots):
            self._close_part(lot.entry_id, lot.seq, min(qty, lot.qty), price)

    def _close_part(self, entry_id: str, seq: int | None, qty: float, price: float) -> None:
        desk = self._desk
        closed = desk.ledger.close(
            qty,
            price,
            SIGNAL,
            desk.bar_index,
            desk.time_ns,
            only=None if seq is None else lambda lot: lot.seq == seq,
            maker=False,
            order_qty=qty,
        )
        desk.fills += 1
        self._exits.settle(closed, entry_id)
        if not desk.ledger.lots:
            desk.drop_levels()

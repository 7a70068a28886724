"""Turns a touched order into trades: reversal, pyramiding, margin, OCA groups."""

from math import inf, isnan

from engine.backtest.broker_desk import Desk
from engine.backtest.broker_exits import Exits
from engine.backtest.broker_margin import margin_allows
from engine.backtest.broker_orders import PendingOrder
from engine.backtest.grid import snap


class Fills:
    """Acts on one desk."""

    __slots__ = ("_desk", "_exits")

    def __init__(self, desk: Desk, exits: Exits) -> None:
        self._desk = desk
        self._exits = exits

    def fill(self, order: PendingOrder, price: float, *, slipped: bool) -> None:
        """Trade an entry, order or close at `price`."""
        desk = self._desk
        fill_price = desk.slip(price, order.direction) if slipped else snap(price, desk.tick)
        position = desk.ledger.position_size
        against = position * order.direction < 0
        if order.kind == "close":
            if against:
                self._trade(order, min(order.qty, abs(position)), fill_price, maker=False, only=order.id)
            return
        if order.kind == "level":
            self._fill_level(order, price, slipped=slipped)
            return
        if order.kind == "entry" and position * order.direction > 0 and desk.pyramid_is_full():
            return
        qty = order.qty
        if order.default_sized and not order.is_market:
            qty = desk.default_qty(order.direction, fill_price)
        if order.kind == "entry":
            flip = (abs(position) if against else 0.0) if order.flip_qty is None else order.flip_qty
            qty = desk.round_qty(qty + flip)
        self._trade(order, qty, fill_price, maker=not slipped, only="")
        desk.settle_oca(order.oca_name, order.oca_type, qty)

    def _fill_level(self, order: PendingOrder, price: float, *, slipped: bool) -> None:
        """An exit level of a signal strategy's position; a liquidation has no slippage."""
        desk = self._desk
        slipped = slipped and order.signal != "Liquidation"
        fill_price = desk.slip(price, order.direction) if slipped else snap(price, desk.tick)
        qty = min(order.qty, abs(desk.ledger.position_size))
        desk.ledger.close(
            qty,
            fill_price,
            order.signal,
            desk.bar_index,
            desk.time_ns,
            only=None,
            maker=isnan(order.stop),
            order_qty=qty,
            newest_first=desk.settings.close_rule == "ANY" and order.qty != inf,
        )
        if not desk.ledger.lots:
            desk.drop_levels()
        if desk.on_level:
            desk.on_level(order.id)

    def _trade(self, order: PendingOrder, qty: float, price: float, *, maker: bool, only: str) -> None:
        desk = self._desk
        if qty <= 0.0:
            return
        ledger = desk.ledger
        closed = 0.0
        if ledger.position_size * order.direction < 0:
            accept = desk.closing_rule(only)
            closed = ledger.close(
                qty,
                price,
                order.signal,
                desk.bar_index,
                desk.time_ns,
                only=accept,
                maker=maker,
                order_qty=qty,
                newest_first=desk.settings.close_rule == "ANY" and order.kind == "close" and not only,
            )
        opened = desk.round_qty(qty - closed)
        if closed and not ledger.lots:
            desk.drop_levels()
        if opened > 0.0 and order.kind != "close" and margin_allows(desk, opened, price):
            was_flat = not ledger.lots
            ledger.open(
                order.id,
                order.signal,
                order.direction,
                opened,
                price,
                desk.bar_index,
                desk.time_ns,
                maker=maker,
                share=opened / qty,
            )
            if was_flat:
                desk.lived_from(price)
                if desk.on_opened:
                    desk.on_opened(order.direction, price)
        self._exits.drop_dead()

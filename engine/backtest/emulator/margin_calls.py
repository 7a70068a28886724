"""TradingView's margin calls: part of a position is closed when its margin exceeds the account's equity.

Judged at the open, at both extremes of the path and after the script at the close. Closed is four times what
is missing, in whole quantity steps; a shortfall below one step closes one whole contract. A leg of the path
that filled something is judged at the price of its last fill too. A call has a second stage (`_Proceeds`).
Source: measurements described in pynesys-pynecore's documentation of margin calls.
"""

from engine.backtest.emulator.desk import Desk
from engine.backtest.emulator.exits import Exits
from engine.backtest.emulator.margin import margin_ratio
from engine.backtest.emulator.orders import MARGIN_CALL

_TIMES_THE_SHORTFALL = 4


class _Proceeds:
    """What TradingView counts as received when it judges an account again, on the bar of a margin call.

    It goes through the trades there were before the call, oldest first, and credits what each cost at once,
    but what it gained one trade late. It stops before that covers the whole shortfall: what is missing then
    is called for a second time, at the next point of the bar that is judged, in units of the first price.
    """

    __slots__ = ("_desk", "_missing", "bar", "direction", "price")

    def __init__(self, desk: Desk, missing: float, price: float) -> None:
        self._desk = desk
        self.bar = desk.bar_index
        self.direction = 1 if desk.ledger.position_size > 0 else -1
        self.price = price
        self._missing = self._left(missing)

    def missing(self) -> float:
        """Account currency still missing, 0 where a first trade alone covers it."""
        return self._missing

    def _left(self, missing: float) -> float:
        """Walk the trades as they are now, before the call closes any."""
        desk = self._desk
        cost = gain = left = 0.0
        for lot in desk.ledger.lots:
            value = lot.qty * desk.point_value
            cost += value * lot.entry_price
            if missing - cost - gain < 0.0:
                break
            left = missing - cost - gain
            fee = desk.ledger.commission(lot.qty, self.price, maker=False, share=1.0)
            gain += lot.direction * value * (self.price - lot.entry_price) - fee
        return left


class MarginCalls:
    """Acts on one desk."""

    __slots__ = ("_desk", "_exits", "_proceeds", "are_on")

    def __init__(self, desk: Desk, exits: Exits) -> None:
        self._desk = desk
        self._exits = exits
        self._proceeds: _Proceeds | None = None
        self.are_on = desk.settings.margin_long_percent > 0 or desk.settings.margin_short_percent > 0

    def check(self, price: float) -> None:
        """Price stands at `price`: close what the account cannot carry."""
        if self.are_on and self._desk.ledger.lots and not (self._proceeds and self._call_again(price)):
            self._call(price, price)

    def begin_leg(self, start: float, end: float) -> None:
        """A second stage that is due comes at the extreme in favour before what fills on the way there."""
        if self._proceeds is not None and self._desk.ledger.position_size * (end - start) > 0:
            self.check(end)

    def check_leg(self, price: float, fills: int) -> None:
        """The same at the end of a leg of the path that began when `fills` orders had filled.

        An entry may need more margin where it filled than where the leg ends: that is called for here.
        """
        desk = self._desk
        if not self.are_on:
            return
        has_filled, filled_at, before = desk.fills != fills, desk.last_fill_price, desk.fills
        self.check(price)
        if has_filled and desk.fills == before:
            self._call(filled_at, price, least=0.0)

    def sweep(self) -> None:
        """After a bar: resting entries go that the account could not margin at the close."""
        desk = self._desk
        equity = desk.account.equity
        for order in [order for order in desk.orders.values() if order.kind == "entry"]:
            unit = desk.close * desk.point_value * margin_ratio(desk, order.direction)
            if order.qty * unit > equity:
                del desk.orders[order.key]

    def _call(self, judged_at: float, price: float, *, least: float = 1.0) -> None:
        """Close at `price` what is missing at `judged_at`, `least` contracts where that is below one step."""
        desk = self._desk
        size = desk.ledger.position_size
        ratio = margin_ratio(desk, 1 if size > 0 else -1)
        if not size or ratio <= 0.0:
            return
        unit = judged_at * desk.point_value
        missing = abs(size) * unit * ratio - desk.equity_at(judged_at)
        if missing <= 0.0:
            return
        qty = self._called(missing / ratio / unit) or (max(least, desk.step) if least else 0.0)
        if qty > 0.0:
            self._proceeds = _Proceeds(desk, missing, judged_at)
            self._close(qty, price)

    def _call_again(self, price: float) -> bool:
        """The second stage of the bar's last call, if it has one; it takes the place of a first one here."""
        desk, proceeds = self._desk, self._proceeds
        size = desk.ledger.position_size
        if proceeds is None or not size:
            return False
        self._proceeds = None
        if proceeds.bar != desk.bar_index or proceeds.direction * size < 0:
            return False
        ratio = margin_ratio(desk, proceeds.direction)
        qty = self._called(proceeds.missing() / ratio / (proceeds.price * desk.point_value))
        if qty > 0.0:
            self._close(qty, price)
        return qty > 0.0

    def _called(self, short_by: float) -> float:
        """Quantity to close for a shortfall given as a quantity."""
        desk = self._desk
        return desk.round_qty(_TIMES_THE_SHORTFALL * int(short_by / desk.step) * desk.step)

    def _close(self, qty: float, price: float) -> None:
        """Oldest first; with `close_rule` ANY every trade loses that much."""
        desk = self._desk
        size = desk.ledger.position_size
        qty = min(qty, abs(size))
        price = desk.fill_price(price, -1 if size > 0 else 1, slipped=True)
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
            MARGIN_CALL,
            desk.bar_index,
            desk.time_ns,
            only=None if seq is None else lambda lot: lot.seq == seq,
            maker=False,
            order_qty=qty,
        )
        desk.note_fill(price)
        self._exits.settle(closed, entry_id)
        if not desk.ledger.lots:
            desk.drop_levels()

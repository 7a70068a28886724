"""TradingView's margin calls: part of a position is closed when its margin exceeds the account's equity.

Judged at the open, at both extremes of the path and after the script at the close. Closed is four times what
is missing, in whole quantity steps; a shortfall below one step closes one whole contract. A leg of the path
that filled something is judged at the price of its last fill too. A call has a second stage (`_Proceeds`).
Source: measurements described in pynesys-pynecore's documentation of margin calls.
"""

from engine.backtest.emulator.exits import Exits
from engine.backtest.emulator.margin import margin_ratio
from engine.backtest.emulator.orders import MARGIN_CALL
from engine.backtest.emulator.symbol_state import SymbolState

_TIMES_THE_SHORTFALL = 4


class _Proceeds:
    """What TradingView counts as received when it judges an account again, on the bar of a margin call.

    It goes through the trades there were before the call, oldest first, and credits what each cost at once,
    but what it gained one trade late. It stops before that covers the whole shortfall: what is missing then
    is called for a second time, at the next point of the bar that is judged, in units of the first price.
    """

    __slots__ = ("_missing", "_state", "bar", "direction", "price")

    def __init__(self, state: SymbolState, missing: float, price: float) -> None:
        self._state = state
        self.bar = state.bar_index
        self.direction = 1 if state.ledger.position_size > 0 else -1
        self.price = price
        self._missing = self._left(missing)

    def missing(self) -> float:
        """Account currency still missing, 0 where a first trade alone covers it."""
        return self._missing

    def _left(self, missing: float) -> float:
        """Walk the trades as they are now, before the call closes any."""
        state = self._state
        cost = gain = left = 0.0
        for lot in state.ledger.lots:
            value = lot.qty * state.point_value
            cost += value * lot.entry_price
            if missing - cost - gain < 0.0:
                break
            left = missing - cost - gain
            fee = state.ledger.commission(lot.qty, self.price, maker=False, share=1.0)
            gain += lot.direction * value * (self.price - lot.entry_price) - fee
        return left


class MarginCalls:
    """Judges and closes the position of one symbol."""

    __slots__ = ("_exits", "_proceeds", "_state", "are_on")

    def __init__(self, state: SymbolState, exits: Exits) -> None:
        self._state = state
        self._exits = exits
        self._proceeds: _Proceeds | None = None
        self.are_on = state.settings.margin_long_percent > 0 or state.settings.margin_short_percent > 0

    def check(self, price: float) -> None:
        """Close what the account cannot carry at `price`."""
        if self.are_on and self._state.ledger.lots and not (self._proceeds and self._call_again(price)):
            self._call(price, price)

    def begin_leg(self, start: float, end: float) -> None:
        """A second stage that is due comes at the extreme in favour before what fills on the way there."""
        if self._proceeds is not None and self._state.ledger.position_size * (end - start) > 0:
            self.check(end)

    def check_leg(self, price: float, fills: int) -> None:
        """The same at the end of a leg of the path that began when `fills` orders had filled.

        An entry may need more margin where it filled than where the leg ends: that is called for here.
        """
        state = self._state
        if not self.are_on:
            return
        has_filled, filled_at, before = state.fills != fills, state.last_fill_price, state.fills
        self.check(price)
        if has_filled and state.fills == before:
            self._call(filled_at, price, least=0.0)

    def sweep(self) -> None:
        """After a bar, remove resting entries that the account could not margin at the close."""
        state = self._state
        equity = state.account.equity
        for order in [order for order in state.orders.values() if order.kind == "entry"]:
            unit = state.close * state.point_value * margin_ratio(state, order.direction)
            if order.qty * unit > equity:
                del state.orders[order.key]

    def _call(self, judged_at: float, price: float, *, least: float = 1.0) -> None:
        """Close at `price` what is missing at `judged_at`, `least` contracts where that is below one step."""
        state = self._state
        size = state.ledger.position_size
        ratio = margin_ratio(state, 1 if size > 0 else -1)
        if not size or ratio <= 0.0:
            return
        unit = judged_at * state.point_value
        missing = abs(size) * unit * ratio - state.equity_at(judged_at)
        if missing <= 0.0:
            return
        qty = self._called(missing / ratio / unit) or (max(least, state.step) if least else 0.0)
        if qty > 0.0:
            self._proceeds = _Proceeds(state, missing, judged_at)
            self._close(qty, price)

    def _call_again(self, price: float) -> bool:
        """The second stage of the bar's last call, if it has one; it takes the place of a first one here."""
        state, proceeds = self._state, self._proceeds
        size = state.ledger.position_size
        if proceeds is None or not size:
            return False
        self._proceeds = None
        if proceeds.bar != state.bar_index or proceeds.direction * size < 0:
            return False
        ratio = margin_ratio(state, proceeds.direction)
        qty = self._called(proceeds.missing() / ratio / (proceeds.price * state.point_value))
        if qty > 0.0:
            self._close(qty, price)
        return qty > 0.0

    def _called(self, short_by: float) -> float:
        """Quantity to close for a shortfall given as a quantity."""
        state = self._state
        return state.round_qty(_TIMES_THE_SHORTFALL * int(short_by / state.step) * state.step)

    def _close(self, qty: float, price: float) -> None:
        """Oldest first; with `close_rule` ANY every trade loses that much."""
        state = self._state
        size = state.ledger.position_size
        qty = min(qty, abs(size))
        price = state.fill_price(price, -1 if size > 0 else 1, slipped=True)
        if state.settings.close_rule == "FIFO":
            self._close_part("", None, qty, price)
            return
        for lot in list(state.ledger.lots):
            self._close_part(lot.entry_id, lot.seq, min(qty, lot.qty), price)

    def _close_part(self, entry_id: str, seq: int | None, qty: float, price: float) -> None:
        state = self._state
        closed = state.ledger.close(
            qty,
            price,
            MARGIN_CALL,
            state.bar_index,
            state.time_ns,
            only=None if seq is None else lambda lot: lot.seq == seq,
            maker=False,
            order_qty=qty,
        )
        state.note_fill(price)
        self._exits.settle(closed, entry_id)
        if not state.ledger.lots:
            state.drop_levels()

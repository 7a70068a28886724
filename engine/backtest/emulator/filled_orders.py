"""What an order does once it fills: reversal, pyramiding, margin, OCA groups. When it fills: `bar_path`."""

from math import inf, isnan

from engine.backtest.emulator.exits import Exits
from engine.backtest.emulator.margin import can_margin, margin_allows
from engine.backtest.emulator.orders import LIQUIDATION, Entry, ExitLeg, Leg, PendingOrder
from engine.backtest.emulator.symbol_state import SymbolState


class Fills:
    """Fills the orders of one symbol."""

    __slots__ = ("_exits", "_state")

    def __init__(self, state: SymbolState, exits: Exits) -> None:
        self._state = state
        self._exits = exits

    def fill(self, order: PendingOrder, price: float, *, slipped: bool, gapped: bool = False) -> None:
        """Trade an order at `price`; `gapped`: a stop that the open has jumped over."""
        state = self._state
        fill_price = state.fill_price(price, order.direction, slipped=slipped)
        position = state.ledger.position_size
        against = position * order.direction < 0
        if order.kind == "close":
            if against:
                self._leave(order, min(order.qty, abs(position)), fill_price)
            return
        if order.kind == "level":
            self._fill_level(order, price, slipped=slipped)
            return
        if order.kind == "entry" and order.is_market and not against and position and state.pyramid_is_full():
            return
        qty = order.qty if isnan(order.sizing_price) else self._resized(order, fill_price, gapped=gapped)
        if order.kind == "entry":
            flip = (abs(position) if against else 0.0) if order.flip_qty is None else order.flip_qty
            qty = state.round_qty(qty + flip)
            if state.risk is not None:
                held = abs(position) if against else 0.0
                opens = max(0.0, state.round_qty(qty - held))
                qty = state.round_qty(qty - opens + state.risk.openable(order, opens))
        if qty <= 0.0:
            return
        if not can_margin(state, order, qty, fill_price):
            self._drop_closes_of_reversal(order)
            return
        self._trade(order, qty, fill_price, maker=not slipped)
        state.settle_oca(order.oca_name, order.oca_type, qty)
        if order.kind == "entry" and order.is_market:
            state.opened_sign = order.direction
        if state.risk is not None:
            state.risk.after_fill(fill_price, opens=True)

    def _drop_closes_of_reversal(self, order: PendingOrder) -> None:
        """A reversal refused at the open takes with it the market closes of what it would have closed."""
        state = self._state
        if order.kind != "entry" or not state.is_at_open:
            return
        held = {entry.id for entry in state.entries if entry.direction == -order.direction}
        for key, other in list(state.orders.items()):
            if other.kind == "close" and (other.id in held or (held and not other.id)):
                del state.orders[key]

    def _resized(self, order: PendingOrder, fill_price: float, *, gapped: bool) -> float:
        """A default-sized priced order is sized when it fills, with the money of its creation.

        A stop the open has jumped over, and any stop-limit, is sized where it would have executed then.
        """
        state = self._state
        price = fill_price
        if order.is_armed:
            price = order.sizing_price
        elif gapped:
            price = state.slip(order.sizing_price, order.direction)
        return state.sized(order.budget, price, cash_fees=True)

    def _leave(self, order: PendingOrder, qty: float, price: float) -> None:
        """A market close of an entry id, or of anything."""
        state = self._state
        closed = state.ledger.close(
            qty,
            price,
            order.signal,
            state.bar_index,
            state.time_ns,
            only=state.closing_rule(order.id),
            maker=False,
            order_qty=qty,
            newest_first=order.takes_newest,
        )
        state.note_fill(price)
        self._exits.settle(closed, order.id)
        self._end_if_flat()
        if state.risk is not None:
            state.risk.after_fill(price, opens=False)

    def _fill_level(self, order: PendingOrder, price: float, *, slipped: bool) -> None:
        """An exit level of a signal strategy's position; a liquidation has no slippage."""
        state = self._state
        slipped = slipped and order.id != LIQUIDATION
        fill_price = state.fill_price(price, order.direction, slipped=slipped)
        qty = min(order.qty, abs(state.ledger.position_size))
        closed = state.ledger.close(
            qty,
            fill_price,
            order.signal,
            state.bar_index,
            state.time_ns,
            only=None,
            maker=isnan(order.stop),
            order_qty=qty,
            newest_first=state.settings.close_rule == "ANY" and order.qty != inf,
        )
        state.note_fill(fill_price)
        self._exits.settle(closed, "")
        self._end_if_flat()
        if state.on_level:
            state.on_level(order.id)

    def _end_if_flat(self) -> None:
        """Nothing is left of the position: its levels go, and the legs that waited for no order."""
        if not self._state.ledger.lots:
            self._state.drop_levels()
            self._exits.drop_orphans()

    def _trade(self, order: PendingOrder, qty: float, price: float, *, maker: bool) -> None:
        """Close what stands against the order, oldest first; the rest opens."""
        state = self._state
        ledger = state.ledger
        closed = 0.0
        if ledger.position_size * order.direction < 0:
            closed = ledger.close(
                qty,
                price,
                order.signal,
                state.bar_index,
                state.time_ns,
                only=None,
                maker=maker,
                order_qty=qty,
            )
            self._exits.settle(closed, "", reversing_id=order.id)
            if not ledger.lots:
                state.drop_levels()
        state.note_fill(price)
        opened = state.round_qty(qty - closed)
        if opened > 0.0 and margin_allows(state, opened, price):
            self._open(order.id, order.signal, order.direction, opened, price, maker, opened / qty)
        elif not ledger.lots:
            self._exits.drop_orphans()

    def _open(
        self, id: str, signal: str, direction: int, qty: float, price: float, maker: bool, share: float
    ) -> None:
        state = self._state
        was_flat = not state.ledger.lots
        lot = state.ledger.open(
            id, signal, direction, qty, price, state.bar_index, state.time_ns, maker=maker, share=share
        )
        state.note_entry(price)
        entry = Entry(lot.seq, id, direction, price, qty)
        state.entries.append(entry)
        if state.exits:
            self._exits.opened(entry)
        if was_flat:
            state.lived_from(price)
            if state.on_opened:
                state.on_opened(direction, price)

    def fill_leg(self, leg: ExitLeg, kind: Leg, price: float) -> None:
        """An exit leg was touched. In a batch it trades its whole quantity, even past flat."""
        state = self._state
        assert leg.entry is not None
        direction = -leg.direction
        slipped = kind != "limit"
        fill_price = state.fill_price(price, direction, slipped=slipped)
        position = state.ledger.position_size
        qty = min(leg.qty, leg.entry.qty) if isnan(leg.locked_qty) else leg.locked_qty
        closable = min(qty, abs(position)) if position * direction < 0 else 0.0
        closed = 0.0
        if closable > 0.0:
            closed = state.ledger.close(
                closable,
                fill_price,
                leg.call.signal(kind),
                state.bar_index,
                state.time_ns,
                only=state.closing_rule(leg.entry_id),
                maker=not slipped,
                order_qty=qty,
            )
        beyond = 0.0 if isnan(leg.locked_qty) else state.round_qty(qty - closed)
        state.note_fill(fill_price)
        self._exits.spend(leg, min(qty, leg.entry.qty))
        self._end_if_flat()
        if beyond > 0.0:
            text = leg.call.signal(kind)
            self._open(leg.call.id, text, direction, beyond, fill_price, not slipped, beyond / qty)
        if leg.call.oca_name:
            state.settle_oca(leg.call.oca_name, "reduce", qty)
        if state.risk is not None:
            state.risk.after_fill(fill_price, opens=False)

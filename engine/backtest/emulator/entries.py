"""`strategy.entry` and `strategy.order`: what becomes pending, how much, and what is refused."""

from math import isnan, nan

from engine.backtest.emulator.grid import floor_qty, round_level_down, round_level_up, snap
from engine.backtest.emulator.margin import margin_ratio
from engine.backtest.emulator.orders import Kind, OcaType, PendingOrder
from engine.backtest.emulator.symbol_state import SymbolState
from engine.model.signals import Direction

_SIGN = {"long": 1, "short": -1}


class Entries:
    """Places the entries and plain orders of one symbol."""

    __slots__ = ("_has_smallest", "_state")

    def __init__(self, state: SymbolState) -> None:
        self._state = state
        self._has_smallest = bool(state.settings.market.min_qty or state.settings.market.min_notional)

    def place(
        self,
        kind: Kind,
        id: str,
        direction: Direction,
        qty: float | None,
        limit: float,
        stop: float,
        oca_name: str,
        oca_type: OcaType,
        signal: str,
    ) -> None:
        """Make an order pending. It replaces the one with that id, even when it is refused itself."""
        state = self._state
        if state.risk is not None and not state.risk.allows_orders:
            return
        sign = _SIGN[direction]
        if not (isnan(limit) and isnan(stop)):
            limit, stop = self._rounded(sign, limit, stop)
        order = PendingOrder(
            kind,
            id,
            sign,
            0.0,
            signal=signal,
            seq=0,
            placed_bar=state.bar_index,
            limit=limit,
            stop=stop,
            oca_name=oca_name,
            oca_type=oca_type,
        )
        self._set_quantity(order, qty)
        known = state.orders.pop(order.key, None)
        changes_this_bars = known is not None and known.placed_bar == state.bar_index
        position = state.size_after_market_orders()
        if kind == "entry":
            # While flat there is nothing to reverse, whatever market orders are on their way.
            against = bool(state.ledger.lots) and position * order.direction < 0
            if not changes_this_bars and position * order.direction > 0 and state.pyramid_is_full():
                return
            if changes_this_bars:
                order.flip_qty = 0.0
            elif not order.is_market:
                order.flip_qty = abs(position) if against else 0.0
            if not self._opens(order):
                if not against or (order.qty > 0.0 and not order.is_market):
                    return
                order.qty = 0.0
        elif not self._opens(order):
            return
        if known is not None and known.has_same_terms(order) and not order.is_market:
            order.seq, order.is_armed = known.seq, known.is_armed
        else:
            order.seq = state.next_seq()
        state.orders[order.key] = order

    def _rounded(self, sign: int, limit: float, stop: float) -> tuple[float, float]:
        """A limit is rounded to the better side, a stop to the worse one."""
        tick = self._state.tick
        if sign > 0:
            return round_level_down(limit, tick), round_level_up(stop, tick)
        return round_level_up(limit, tick), round_level_down(stop, tick)

    def _set_quantity(self, order: PendingOrder, qty: float | None) -> None:
        """The quantity now; a default-sized priced order remembers its money and is sized when it fills."""
        state = self._state
        if qty is not None:
            order.qty = floor_qty(abs(qty), state.step)
            return
        if order.is_market:
            budget = state.budget()
            price = nan if isnan(budget) else state.market_price(order.direction)
            order.qty = state.sized(budget, price, cash_fees=True)
            return
        order.budget = state.budget()
        order.sizing_price = self._executes_at(order)
        order.qty = state.sized(order.budget, order.sizing_price, cash_fees=True)
        if isnan(order.budget):
            order.sizing_price = nan

    def _executes_at(self, order: PendingOrder) -> float:
        """Where a priced order would fill if its turn came at the close: its level, or the close past it."""
        price = snap(self._state.close, self._state.tick)
        long = order.direction > 0
        if not isnan(order.stop):
            price = max(price, order.stop) if long else min(price, order.stop)
        if not isnan(order.limit):
            price = min(price, order.limit) if long else max(price, order.limit)
        return price

    def _is_too_small(self, order: PendingOrder) -> bool:
        """Smaller than the symbol's smallest order, at the price it is sized at; plain orders may close."""
        state = self._state
        market = state.settings.market
        price = state.market_price(order.direction) if order.is_market else self._executes_at(order)
        worth = order.qty * price * market.point_value
        return order.kind == "entry" and (order.qty < market.min_qty or worth < market.min_notional)

    def _opens(self, order: PendingOrder) -> bool:
        """Whether the order opens anything: it has a quantity that can be placed, and margin at the close."""
        state = self._state
        if order.qty <= 0.0 or (self._has_smallest and self._is_too_small(order)):
            return False
        ratio = margin_ratio(state, order.direction)
        if not ratio or order.kind == "order":
            return True
        price = state.market_price(order.direction) if order.is_market else snap(state.close, state.tick)
        if order.qty * price * state.point_value * ratio <= state.account.equity:
            return True
        state.account.margin_rejects += 1
        return False

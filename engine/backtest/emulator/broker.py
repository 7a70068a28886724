"""The event-driven broker: TradingView's emulator, written to be read. It is the specification.

A bar goes through `fill_bar` (what is pending fills: market orders at the open, then stops and limits
along the assumed path), then the strategy is called once with the position as it stands, then `end_bar`
(with `timing="bar_close"` what was just ordered fills at this close). Rules and evidence:
`docs/assumptions.md`. The parts: `entries` (new orders), `bar_path` (what price meets), `fills`, `exits` and
`trails` (what a fill does), `margin` and `margin_calls`, `ledger` (lots and money), all on one `SymbolState`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

from engine.backtest.emulator.account import Account
from engine.backtest.emulator.bar_path import Walker
from engine.backtest.emulator.entries import Entries
from engine.backtest.emulator.exits import Exits
from engine.backtest.emulator.filled_orders import Fills
from engine.backtest.emulator.grid import floor_qty
from engine.backtest.emulator.ledger import Ledger
from engine.backtest.emulator.margin import liquidation_price, rest_liquidation
from engine.backtest.emulator.margin_calls import MarginCalls
from engine.backtest.emulator.orders import ExitCall, OcaType, PendingOrder
from engine.backtest.emulator.risk import RiskGuard, RiskRules
from engine.backtest.emulator.symbol_state import SymbolState
from engine.backtest.emulator.view import BrokerView
from engine.model.broker_settings import BrokerSettings
from engine.model.signals import Direction
from engine.model.trades import Trade
from engine.strategies.calls import check_call, check_entry


class BacktestBroker(BrokerView):
    """Pending orders, position and money of one symbol. Implements the strategies' `Broker` port."""

    def __init__(self, symbol: str, settings: BrokerSettings, account: Account | None = None) -> None:
        state = SymbolState(symbol, settings, account or Account(settings.initial_capital))
        super().__init__(state)
        state.account.symbols.append(state)
        self._exits = Exits(state)
        self._entries = Entries(state)
        self._fills = Fills(state, self._exits)
        self._calls = MarginCalls(state, self._exits)
        self._has_calls = self._calls.are_on
        self._has_leverage = settings.market.leverage > 0.0
        state.is_watched = self._has_calls or self._has_leverage
        self._walker = Walker(state, self._exits, self._fills, self._calls)
        self._fills_at_close = settings.timing == "bar_close"
        self._risk_rules: RiskRules | None = None

    @property
    def ledger(self) -> Ledger:
        """Lots and money of the symbol."""
        self._stats.end_calm()
        return self._state.ledger

    @property
    def account(self) -> Account:
        """What the symbols share."""
        return self._state.account

    @property
    def point_value(self) -> float:
        """Account currency for each unit of price and quantity."""
        return self._state.point_value

    @property
    def fills(self) -> int:
        """Number of fills so far."""
        return self._state.fills

    @property
    def risk(self) -> RiskRules:
        """Pine's `strategy.risk.*`."""
        if self._risk_rules is None:
            state = self._state
            self._stats.end_calm()
            state.risk = guard = RiskGuard(state, self._exits)
            state.is_watched = True
            self._risk_rules = guard.rules
        return self._risk_rules

    def watch(self, on_opened: Callable[[int, float], None], on_level: Callable[[str], None]) -> None:
        """Set callbacks for a position's first fill (direction, price) and each filled exit level (name)."""
        self._state.on_opened = on_opened
        self._state.on_level = on_level

    def liquidation_price(self) -> float:
        """Price at which the account's equity equals all maintenance margins; nan where there is none."""
        return liquidation_price(self._state)

    def default_qty(self, sign: int, price: float | None = None) -> float:
        """Default-sized quantity at `price`, or at the last close moved by the slippage."""
        return self._state.default_qty(sign, price)

    def entry(
        self,
        id: str,
        direction: Direction,
        qty: float | None = None,
        *,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_type: OcaType = "none",
        comment: str = "",
    ) -> None:
        """Open, add or reverse. One pending order an id; the quantity is fixed now, on the signal bar."""
        check_entry("entry", direction, (id, oca_name, comment), qty, limit, stop)
        self._entries.place(
            "entry", id, direction, qty, _nan(limit), _nan(stop), oca_name, oca_type, comment or id
        )

    def order(
        self,
        id: str,
        direction: Direction,
        qty: float | None = None,
        *,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_type: OcaType = "none",
        comment: str = "",
    ) -> None:
        """A plain order: neither reversal arithmetic nor pyramiding."""
        check_entry("order", direction, (id, oca_name, comment), qty, limit, stop)
        self._entries.place(
            "order", id, direction, qty, _nan(limit), _nan(stop), oca_name, oca_type, comment or id
        )

    def exit(
        self,
        id: str,
        from_entry: str = "",
        qty: float | None = None,
        *,
        qty_percent: float = 100.0,
        profit: float | None = None,
        limit: float | None = None,
        loss: float | None = None,
        stop: float | None = None,
        trail_price: float | None = None,
        trail_points: float | None = None,
        trail_offset: float | None = None,
        oca_name: str = "",
        comment: str = "",
        comment_profit: str = "",
        comment_loss: str = "",
        comment_trailing: str = "",
    ) -> None:
        """Place exit legs for every entry of `from_entry` ("" means any), open or pending.

        Without any level a leg only holds its share of the entry.
        """
        state = self._state
        if not state.entries and not state.orders:
            return
        sizes = {"qty": qty, "qty_percent": qty_percent}
        levels = {"profit": profit, "limit": limit, "loss": loss, "stop": stop}
        trail = {"trail_price": trail_price, "trail_points": trail_points, "trail_offset": trail_offset}
        texts = {"comment": comment, "comment_profit": comment_profit, "comment_loss": comment_loss}
        texts |= {"comment_trailing": comment_trailing, "oca_name": oca_name}
        check_call("exit", {"id": id, "from_entry": from_entry, **texts}, {**sizes, **levels, **trail})
        call = ExitCall(
            id,
            from_entry,
            qty=qty,
            qty_percent=qty_percent,
            profit=_nan(profit),
            limit=_nan(limit),
            loss=_nan(loss),
            stop=_nan(stop),
            trail_price=_nan(trail_price),
            trail_points=_nan(trail_points),
            trail_offset=_nan(trail_offset),
            oca_name=oca_name,
            comment=comment,
            comment_profit=comment_profit,
            comment_loss=comment_loss,
            comment_trailing=comment_trailing,
        )
        self._exits.place(call)

    def close(
        self,
        id: str,
        *,
        comment: str = "",
        qty: float | None = None,
        qty_percent: float = 100.0,
        immediately: bool = False,
    ) -> None:
        """Close what was entered under `id` with a market order; does nothing when nothing is open.

        Several closes on one bar add up, each sized against what the earlier ones leave open.
        """
        check_call("close", {"id": id, "comment": comment}, {"qty": qty, "qty_percent": qty_percent})
        state = self._state
        held = base = 0.0
        for entry in state.entries:
            if entry.id == id:
                held += entry.qty
                base += entry.first_qty
        bound = state.round_qty(held - self._asked(id))
        if bound <= 0.0:
            return
        wanted = 0.0 if qty is None else floor_qty(min(abs(qty), bound), state.step)
        if qty is None and qty_percent < 100.0:
            if state.settings.close_rule == "FIFO":
                base = bound
            wanted = min(bound, max(floor_qty(base * qty_percent / 100.0, state.step), state.step))
        self._close(id, wanted or bound, comment or f"Close entry(s) order {id}", now=immediately)

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Close the whole position with a market order."""
        check_call("close_all", {"comment": comment}, {})
        size = abs(self._state.ledger.position_size)
        if size:
            self._close("", size, comment or "Close position order", now=immediately)

    def close_part(self, qty: float, *, comment: str) -> None:
        """Close `qty` of the position with a market order; the close rule picks the lots."""
        order = self._close("", qty, comment, now=False)
        order.takes_newest = self._state.settings.close_rule == "ANY"

    def cancel(self, id: str) -> None:
        """Remove pending orders and exit legs of that id."""
        check_call("cancel", {"id": id}, {})
        state = self._state
        for key in [key for key in state.orders if key[1] == id and key[0] not in ("close", "level")]:
            del state.orders[key]
        for leg_key in [leg_key for leg_key in state.exits if leg_key[0] == id]:
            del state.exits[leg_key]

    def is_pending(self, id: str) -> bool:
        """Whether an entry of that id waits for its price."""
        return any(key[1] == id and key[0] not in ("close", "level") for key in self._state.orders)

    def cancel_all(self) -> None:
        """Remove every pending order and exit leg; a liquidation cannot be cancelled."""
        state = self._state
        for key in [key for key in state.orders if key[0] != "level"]:
            del state.orders[key]
        state.exits.clear()

    def rest_level(
        self, name: str, rank: int, *, limit: float = nan, stop: float = nan, qty: float, signal: str
    ) -> None:
        """Rest an exit of the open position at an exact level; `qty` inf closes all of it."""
        self._state.rest_level(name, rank, limit=limit, stop=stop, qty=qty, signal=signal)

    def drop_levels(self) -> None:
        """Remove every resting exit level."""
        self._state.drop_levels()

    def drop_liquidation(self) -> None:
        """Remove the level of liquidation, which each bar has anew."""
        self._state.drop_liquidation()

    def fill_open(self, index: int, time_ns: int, open_: float, high: float, low: float) -> None:
        """Steps 2 and 3 of a bar: market orders, then what the open has jumped over.

        Where the account would be liquidated is worked out from what these fills leave. `high` and `low`
        only bound the fill prices.
        """
        state = self._state
        state.bar_high, state.bar_low = high, low
        state.bar_index = index
        state.time_ns = time_ns
        self._stats.end_calm()
        if not self._has_leverage:
            self._walker.open_bar(open_)
            return
        state.drop_liquidation()
        self._walker.open_bar(open_)
        rest_liquidation(state)

    def fill_path(
        self,
        open_: float,
        high: float,
        low: float,
        close: float,
        finer: Sequence[tuple[float, float, float, float]] = (),
    ) -> None:
        """Step 4: walk the assumed path, or the paths of the finer bars one after the other."""
        self._walker.walk_bar(open_, high, low, close, finer)
        self._stats.end_path(high, low)

    def begin_path(self, high: float, low: float) -> None:
        """Step 4 in pieces: `walk` moves price between two nodes, `fill_now` fills where it stands."""
        self._walker.begin(high, low)

    def end_path(self, high: float, low: float) -> None:
        """End a path that was walked in pieces."""
        self._stats.end_path(high, low)

    def walk(self, start: float, end: float) -> None:
        """Move price along one straight part of the path."""
        self._walker.walk_leg(start, end)

    def fill_now(self, price: float) -> None:
        """Market orders, then every level that `price` has passed."""
        self._walker.fill_at(price)

    def settle(self, close: float) -> None:
        """Step 6: the close is the symbol's price from now on."""
        state = self._state
        state.close = close
        if self._has_calls:
            self._calls.sweep()
        if state.risk is not None:
            state.risk.end_fills(close)

    def fill_bar(
        self,
        index: int,
        time_ns: int,
        open_: float,
        high: float,
        low: float,
        close: float,
        finer: Sequence[tuple[float, float, float, float]] = (),
    ) -> None:
        """Fill pending orders on this bar, before the strategy sees it.

        A bar on which nothing can fill takes a short cut.
        """
        state = self._state
        if state.orders or state.exits or state.is_watched:
            self.fill_open(index, time_ns, open_, high, low)
            self._walker.walk_bar(open_, high, low, close, finer)
            self._stats.end_path(high, low)
            self.settle(close)
            return
        state.bar_index = index
        state.time_ns = time_ns
        state.close = close
        state.lived_high = state.bar_high = high
        state.lived_low = state.bar_low = low
        if high > state.calm_high:  # noqa: PLR1730  # `max` costs more than the rest of the bar
            state.calm_high = high
        if low < state.calm_low:  # noqa: PLR1730  # as above
            state.calm_low = low

    def end_bar(self) -> int:
        """After the strategy was called: immediate closes, and with `bar_close` timing its other orders.

        Margin is judged between the two: what opens at the close is judged at the next open. Returns the
        number of fills so far.
        """
        state = self._state
        if state.immediate or state.is_watched or self._fills_at_close:
            self._act_at_close(state)
        return state.fills

    def _act_at_close(self, state: SymbolState) -> None:
        if state.immediate:
            self._stats.end_calm()
            closes, state.immediate = state.immediate, []
            for order in closes:
                self._fills.fill(order, state.close, slipped=True)
        if self._has_calls:
            self._calls.check(state.close)
        if self._fills_at_close and (state.orders or state.exits):
            self._stats.end_calm()
            state.is_inside = False
            self._walker.fill_at(state.close, at_close=True)
        if state.risk is not None:
            state.risk.end_fills(state.close)

    def marked_open_trades(self) -> list[Trade]:
        """What is open, marked at the last close."""
        self._stats.end_calm()
        state = self._state
        return [state.ledger.marked(lot, state.close, state.time_ns) for lot in state.ledger.lots]

    def _close(self, id: str, qty: float, signal: str, *, now: bool) -> PendingOrder:
        state = self._state
        direction = -1 if state.ledger.position_size > 0 else 1
        order = PendingOrder("close", id, direction, qty, signal=signal, seq=state.next_seq())
        if now:
            state.immediate.append(order)
        else:
            state.put(order)
        return order

    def _asked(self, id: str) -> float:
        """Quantity that pending closes of that id will close."""
        state = self._state
        qty = 0.0
        for order in (*state.immediate, *state.orders.values()):
            if order.kind == "close" and order.id == id:
                qty += order.qty
        return qty


def _nan(price: float | None) -> float:
    return nan if price is None else price

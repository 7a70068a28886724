"""The event-driven broker: TradingView's emulator, written to be read. It is the specification.

A bar goes through `fill_bar` (what is pending fills: market orders at the open, then stops and limits
along the assumed path), then the strategy is called once with the position as it stands, then `end_bar`
(with `timing="bar_close"` what was just ordered fills at this close). Rules and evidence:
`docs/assumptions.md`. The parts: `broker_path` (what price meets), `broker_fills` and `broker_exits` (what
a fill does), `broker_margin`, `ledger` (lots and money), all on one `Desk`.
"""

from collections.abc import Callable, Sequence
from math import isnan, nan

from engine.backtest.account import Account
from engine.backtest.broker_desk import Desk
from engine.backtest.broker_exits import Exits
from engine.backtest.broker_fills import Fills
from engine.backtest.broker_margin import liquidation_price
from engine.backtest.broker_orders import ExitOrder, OcaType, PendingOrder
from engine.backtest.broker_path import Walker
from engine.backtest.broker_view import BrokerView
from engine.backtest.grid import floor_qty, round_level_down, round_level_up
from engine.backtest.ledger import Ledger
from engine.backtest.settings import BrokerSettings
from engine.strategies.base import Direction

_SIGN = {"long": 1, "short": -1}


class BacktestBroker(BrokerView):
    """Pending orders, position and money of one symbol. Implements the strategies' `Broker` port."""

    def __init__(self, symbol: str, settings: BrokerSettings, account: Account | None = None) -> None:
        desk = Desk(symbol, settings, account or Account(settings.initial_capital))
        super().__init__(desk)
        desk.account.desks.append(desk)
        self._exits = Exits(desk)
        self._fills = Fills(desk, self._exits)
        self._walker = Walker(desk, self._exits, self._fills)

    @property
    def ledger(self) -> Ledger:
        """Lots and money of the symbol."""
        return self._desk.ledger

    @property
    def account(self) -> Account:
        """What the symbols share."""
        return self._desk.account

    def watch(self, on_opened: Callable[[int, float], None], on_level: Callable[[str], None]) -> None:
        """Be told of a position's first fill (direction, price) and of each filled exit level (its name)."""
        self._desk.on_opened = on_opened
        self._desk.on_level = on_level

    def liquidation_price(self) -> float:
        """Price at which the account's equity equals all maintenance margins; nan where there is none."""
        return liquidation_price(self._desk)

    def default_qty(self, sign: int, price: float | None = None) -> float:
        """Default-sized quantity at `price`, or at the last close moved by the slippage."""
        return self._desk.default_qty(sign, price)

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
        """Open or reverse. One pending order an id; the quantity is fixed now, on the signal bar."""
        desk = self._desk
        sign = _SIGN[direction]
        limit, stop = self._levels(sign, limit, stop)
        priced = not (isnan(limit) and isnan(stop))
        position = desk.ledger.position_size
        desk.orders.pop(("entry", id), None)
        if priced and position * sign > 0 and desk.pyramid_is_full():
            return
        desk.put(
            PendingOrder(
                "entry",
                id,
                sign,
                desk.default_qty(sign) if qty is None else floor_qty(abs(qty), desk.step),
                signal=comment or id,
                seq=desk.next_seq(),
                limit=limit,
                stop=stop,
                flip_qty=(abs(position) if position * sign < 0 else 0.0) if priced else None,
                oca_name=oca_name,
                oca_type=oca_type,
                default_sized=qty is None,
            )
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
        desk = self._desk
        sign = _SIGN[direction]
        limit, stop = self._levels(sign, limit, stop)
        desk.put(
            PendingOrder(
                "order",
                id,
                sign,
                desk.default_qty(sign) if qty is None else floor_qty(abs(qty), desk.step),
                signal=comment or id,
                seq=desk.next_seq(),
                limit=limit,
                stop=stop,
                oca_name=oca_name,
                oca_type=oca_type,
                default_sized=qty is None,
            )
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
        """Legs that live while `from_entry` ("" means any) is open or pending. Without a level: nothing."""
        desk = self._desk
        given = [_nan(x) for x in (profit, limit, loss, stop, trail_price, trail_points)]
        if all(isnan(x) for x in given):
            return
        if not self._exits.entry_is_alive(from_entry):
            return
        known = desk.exits.get((id, from_entry))
        desk.exits[id, from_entry] = new = ExitOrder(
            id,
            from_entry,
            known.seq if known else desk.next_seq(),
            qty=qty,
            qty_percent=qty_percent,
            profit=given[0],
            limit=given[1],
            loss=given[2],
            stop=given[3],
            trail_price=given[4],
            trail_points=given[5],
            trail_offset=_nan(trail_offset),
            oca_name=oca_name,
            comment=comment,
            comment_profit=comment_profit,
            comment_loss=comment_loss,
            comment_trailing=comment_trailing,
        )
        if known:
            new.trail_best = known.trail_best

    def close(
        self,
        id: str,
        *,
        comment: str = "",
        qty: float | None = None,
        qty_percent: float = 100.0,
        immediately: bool = False,
    ) -> None:
        """Leave what was entered under `id` with a market order; nothing open, nothing done."""
        desk = self._desk
        bound = desk.ledger.open_qty(id)
        if bound == 0.0:
            return
        wanted = bound * qty_percent / 100.0 if qty is None else min(abs(qty), bound)
        self._market_close(
            id, floor_qty(wanted, desk.step), comment or f"Close entry(s) order {id}", now=immediately
        )

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Leave the whole position with a market order."""
        desk = self._desk
        size = abs(desk.ledger.position_size)
        if size:
            self._market_close("", size, comment or "Close position order", now=immediately)

    def close_part(self, qty: float, *, comment: str) -> None:
        """Leave `qty` of the position with a market order; the close rule says which lots go."""
        self._market_close("", qty, comment, now=False)

    def cancel(self, id: str) -> None:
        """Remove pending orders and exits of that id."""
        desk = self._desk
        for key in [key for key in desk.orders if key[1] == id]:
            del desk.orders[key]
        for pair in [pair for pair in desk.exits if pair[0] == id]:
            del desk.exits[pair]

    def cancel_all(self) -> None:
        """Remove everything pending."""
        desk = self._desk
        desk.orders.clear()
        desk.exits.clear()

    def rest_level(
        self, name: str, rank: int, *, limit: float = nan, stop: float = nan, qty: float, signal: str
    ) -> None:
        """Rest an exit of the open position at an exact level; `qty` inf closes all of it."""
        desk = self._desk
        direction = -1 if desk.ledger.position_size > 0 else 1
        desk.put(
            PendingOrder(
                "level",
                name,
                direction,
                qty,
                signal=signal,
                seq=desk.next_seq(),
                limit=limit,
                stop=stop,
                rank=rank,
            )
        )

    def drop_levels(self) -> None:
        """Remove every resting exit level."""
        self._desk.drop_levels()

    def fill_open(self, index: int, time_ns: int, open_: float) -> None:
        """Steps 2 and 3 of a bar: market orders, then what the open has jumped over."""
        desk = self._desk
        desk.bar_index = index
        desk.time_ns = time_ns
        self._walker.open_bar(open_)

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

    def settle(self, close: float) -> None:
        """Step 6: the close is the symbol's price from now on."""
        self._desk.close = close

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
        """Let the bar happen to what is pending, before the strategy sees it."""
        self.fill_open(index, time_ns, open_)
        self.fill_path(open_, high, low, close, finer)
        self.settle(close)

    def end_bar(self) -> None:
        """After the strategy has spoken: with `bar_close` timing, fill at this close."""
        desk = self._desk
        if desk.settings.timing == "bar_close" and (desk.orders or desk.exits):
            self._walker.fill_at(desk.close)

    def _market_close(self, id: str, qty: float, signal: str, *, now: bool) -> None:
        desk = self._desk
        direction = -1 if desk.ledger.position_size > 0 else 1
        order = PendingOrder("close", id, direction, qty, signal=signal, seq=desk.next_seq())
        if now:
            self._fills.fill(order, desk.close, slipped=True)
        else:
            desk.orders["close", f"{id}#{order.seq}"] = order

    def _levels(self, sign: int, limit: float | None, stop: float | None) -> tuple[float, float]:
        desk = self._desk
        if sign > 0:
            return round_level_down(_nan(limit), desk.tick), round_level_up(_nan(stop), desk.tick)
        return round_level_up(_nan(limit), desk.tick), round_level_down(_nan(stop), desk.tick)


def _nan(price: float | None) -> float:
    return nan if price is None else price

"""The event-driven broker: TradingView's emulator, written to be read. It is the specification.

A bar goes through `fill_bar` (what is pending fills: market orders at the open, then stops and limits
along the assumed path), then the strategy is called once with the position as it stands, then `end_bar`
(with `timing="bar_close"` what was just ordered fills at this close). Rules and evidence:
`docs/assumptions.md`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, isnan, nan
from typing import Literal

from engine.backtest.account import Account
from engine.backtest.broker_orders import ExitOrder, OcaType, PendingOrder
from engine.backtest.grid import floor_qty, round_level_down, round_level_up, snap
from engine.backtest.intrabar import path
from engine.backtest.ledger import Ledger, Lot
from engine.backtest.settings import BrokerSettings, Market
from engine.strategies.base import Direction

_Leg = Literal["limit", "stop", "trail"]
_SIGN = {"long": 1, "short": -1}


class BacktestBroker:
    """Pending orders, position and money of one symbol. Implements the strategies' `Broker` port."""

    def __init__(self, symbol: str, settings: BrokerSettings, account: Account | None = None) -> None:
        self.account = account or Account(settings.initial_capital)
        self._settings = settings
        self.market: Market = settings.market
        self._tick = settings.market.tick
        self._step = settings.market.qty_step
        self._orders: dict[tuple[str, str], PendingOrder] = {}
        self._exits: dict[tuple[str, str], ExitOrder] = {}
        self._used_exits: set[tuple[str, int]] = set()
        self._seq = 0
        self._close = nan
        self._time_ns = 0
        self.bar_index = -1
        self._path_high = self._path_low = nan
        self._is_inside = False
        self.on_opened: Callable[[int, float], None] | None = None
        self.on_level: Callable[[str], None] | None = None
        self.ledger = Ledger(symbol, settings.costs, settings.market, self._round_qty, self.account.trades)
        self.account.brokers.append(self)

    @property
    def position_size(self) -> float:
        """Signed open quantity."""
        return self.ledger.position_size

    @property
    def position_avg_price(self) -> float:
        """Average entry price, nan while flat."""
        return self.ledger.average_price

    @property
    def initial_capital(self) -> float:
        """Account currency at the start."""
        return self._settings.initial_capital

    @property
    def net_profit(self) -> float:
        """Profit of what was closed, less every commission paid so far."""
        return self.ledger.realised - self.ledger.commission_paid + self.ledger.funding_paid

    @property
    def open_profit(self) -> float:
        """Gross profit of the open lots at the bar's close."""
        return self.ledger.open_profit(self._close)

    @property
    def equity(self) -> float:
        """Initial capital, net profit and open profit at the last closes, over the whole account."""
        return self.account.equity

    @property
    def mark(self) -> float:
        """Last price of the symbol, nan before its first bar."""
        return self._close

    @property
    def lived_high(self) -> float:
        """Highest price of this bar that the open position saw."""
        return self._path_high

    @property
    def lived_low(self) -> float:
        """Lowest price of this bar that the open position saw."""
        return self._path_low

    @property
    def open_trades(self) -> Sequence[Lot]:
        """Open lots, oldest first."""
        return self.ledger.lots

    @property
    def closed_trades(self) -> int:
        """Number of closed trades."""
        return self.ledger.closed_count

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
        sign = _SIGN[direction]
        limit, stop = self._levels(sign, limit, stop)
        priced = not (isnan(limit) and isnan(stop))
        position = self.ledger.position_size
        self._orders.pop(("entry", id), None)
        if priced and position * sign > 0 and self._pyramid_is_full():
            return
        self._put(
            PendingOrder(
                "entry",
                id,
                sign,
                self._default_qty(sign) if qty is None else floor_qty(abs(qty), self._step),
                signal=comment or id,
                seq=self._next_seq(),
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
        sign = _SIGN[direction]
        limit, stop = self._levels(sign, limit, stop)
        self._put(
            PendingOrder(
                "order",
                id,
                sign,
                self._default_qty(sign) if qty is None else floor_qty(abs(qty), self._step),
                signal=comment or id,
                seq=self._next_seq(),
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
        given = [_nan(x) for x in (profit, limit, loss, stop, trail_price, trail_points)]
        if all(isnan(x) for x in given):
            return
        if not self._entry_is_alive(from_entry):
            return
        known = self._exits.get((id, from_entry))
        self._exits[id, from_entry] = new = ExitOrder(
            id,
            from_entry,
            known.seq if known else self._next_seq(),
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
        bound = self.ledger.open_qty(id)
        if bound == 0.0:
            return
        wanted = bound * qty_percent / 100.0 if qty is None else min(abs(qty), bound)
        self._market_close(
            id, floor_qty(wanted, self._step), comment or f"Close entry(s) order {id}", now=immediately
        )

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Leave the whole position with a market order."""
        size = abs(self.ledger.position_size)
        if size:
            self._market_close("", size, comment or "Close position order", now=immediately)

    def close_part(self, qty: float, *, comment: str) -> None:
        """Leave `qty` of the position with a market order; the close rule says which lots go."""
        self._market_close("", qty, comment, now=False)

    def cancel(self, id: str) -> None:
        """Remove pending orders and exits of that id."""
        for key in [key for key in self._orders if key[1] == id]:
            del self._orders[key]
        for pair in [pair for pair in self._exits if pair[0] == id]:
            del self._exits[pair]

    def cancel_all(self) -> None:
        """Remove everything pending."""
        self._orders.clear()
        self._exits.clear()

    def rest_level(
        self, name: str, rank: int, *, limit: float = nan, stop: float = nan, qty: float, signal: str
    ) -> None:
        """Rest an exit of the open position at an exact level; `qty` inf closes all of it."""
        direction = -1 if self.ledger.position_size > 0 else 1
        self._put(
            PendingOrder(
                "level",
                name,
                direction,
                qty,
                signal=signal,
                seq=self._next_seq(),
                limit=limit,
                stop=stop,
                rank=rank,
            )
        )

    def drop_levels(self) -> None:
        """Remove every resting exit level."""
        for key in [key for key in self._orders if key[0] == "level"]:
            del self._orders[key]

    def fill_open(self, index: int, time_ns: int, open_: float) -> None:
        """Steps 2 and 3 of a bar: market orders, then what the open has jumped over."""
        self.bar_index = index
        self._time_ns = time_ns
        self._is_inside = False
        if self.ledger.lots:
            self.ledger.mark(open_)
        if self._orders or self._exits:
            self._fill_market_orders(open_)
            self._fill_passed_orders(open_)

    def fill_path(
        self,
        open_: float,
        high: float,
        low: float,
        close: float,
        finer: Sequence[tuple[float, float, float, float]] = (),
    ) -> None:
        """Step 4: walk the assumed path, or the paths of the finer bars one after the other."""
        self._path_high, self._path_low = high, low
        self._is_inside = True
        if self._orders or self._exits:
            for bar in finer or ((open_, high, low, close),):
                self._walk_bar(*bar)
        elif self.ledger.lots:
            self.ledger.mark(high)
            self.ledger.mark(low)

    def settle(self, close: float) -> None:
        """Step 6: the close is the symbol's price from now on."""
        self._close = close

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

    def _walk_bar(self, open_: float, high: float, low: float, close: float) -> None:
        if self.ledger.lots:
            self.ledger.mark(open_)
        self._fill_passed_orders(open_)
        for start, end in pairwise(path(open_, high, low, close)):
            self._walk(start, end)

    def end_bar(self) -> None:
        """After the strategy has spoken: with `bar_close` timing, fill at this close."""
        if self._settings.timing == "bar_close" and (self._orders or self._exits):
            self._fill_market_orders(self._close)
            self._fill_passed_orders(self._close)

    def _fill_market_orders(self, price: float) -> None:
        for key, order in [(key, order) for key, order in self._orders.items() if order.is_market]:
            del self._orders[key]
            self._fill(order, price, slipped=True)

    def _fill_passed_orders(self, price: float) -> None:
        """Levels the market has jumped over fill here; entries before exits."""
        while True:
            passed = [order for order in self._orders.values() if self._is_passed(order, price)]
            if passed:
                self._touch(min(passed, key=lambda o: (o.rank, o.seq)), price)
                continue
            legs = [
                (exit_.seq, exit_, leg)
                for exit_ in self._exits.values()
                for leg, level, rising in self._exit_levels(exit_)
                if (price >= level if rising else price <= level)
            ]
            if not legs:
                return
            _, exit_, leg = min(legs, key=lambda item: item[0])
            self._fill_exit(exit_, leg, price)

    def _walk(self, start: float, end: float) -> None:
        """Move price from `start` to `end`, filling what it meets in the order it meets it."""
        price = start
        rising = end >= start
        while self._orders or self._exits:
            hit = self._first_touched(price, end, rising=rising)
            if hit is None:
                break
            level, order, leg = hit
            price = level
            if isinstance(order, PendingOrder):
                self._touch(order, level)
            else:
                self._fill_exit(order, leg, level)
        self._advance_trails(end)
        if self.ledger.lots:
            self.ledger.mark(end)
            self._path_high = max(self._path_high, end)
            self._path_low = min(self._path_low, end)

    def _first_touched(
        self, price: float, end: float, *, rising: bool
    ) -> tuple[float, PendingOrder | ExitOrder, _Leg] | None:
        best: tuple[float, int, int, PendingOrder | ExitOrder, _Leg] | None = None

        def offer(level: float, leg_rises: bool, order: PendingOrder | ExitOrder, leg: _Leg) -> None:
            nonlocal best
            passed = price >= level if leg_rises else price <= level
            if passed:
                level = price
            elif leg_rises != rising or (level > end if rising else level < end):
                return
            rank = order.rank if isinstance(order, PendingOrder) else 1
            key = (abs(level - price), rank, order.seq)
            if best is None or key < (abs(best[0] - price), best[1], best[2]):
                best = (level, rank, order.seq, order, leg)

        for order in self._orders.values():
            if order.is_market:
                continue
            if not isnan(order.stop) and not order.armed:
                offer(order.stop, order.direction > 0, order, "stop")
            else:
                offer(order.limit, order.direction < 0, order, "limit")
        for exit_ in self._exits.values():
            for leg, level, leg_rises in self._exit_levels(exit_):
                offer(level, leg_rises, exit_, leg)
        return None if best is None else (best[0], best[3], best[4])

    def _is_passed(self, order: PendingOrder, price: float) -> bool:
        if order.is_market:
            return False
        if not isnan(order.stop) and not order.armed:
            return price >= order.stop if order.direction > 0 else price <= order.stop
        return price <= order.limit if order.direction > 0 else price >= order.limit

    def _touch(self, order: PendingOrder, price: float) -> None:
        """A priced order's level was reached: a stop fills or arms its limit, a limit fills."""
        if not isnan(order.stop) and not order.armed and not isnan(order.limit):
            order.armed = True
            return
        del self._orders[order.kind, order.id]
        self._fill(order, price, slipped=isnan(order.limit))

    def _fill(self, order: PendingOrder, price: float, *, slipped: bool) -> None:
        """Trade an entry, order or close at `price`."""
        fill_price = self._slip(price, order.direction) if slipped else snap(price, self._tick)
        position = self.ledger.position_size
        against = position * order.direction < 0
        if order.kind == "close":
            if against:
                self._trade(order, min(order.qty, abs(position)), fill_price, maker=False, only=order.id)
            return
        if order.kind == "level":
            self._fill_level(order, price, slipped=slipped)
            return
        if order.kind == "entry" and position * order.direction > 0 and self._pyramid_is_full():
            return
        qty = order.qty
        if order.default_sized and not order.is_market:
            qty = self.default_qty(order.direction, fill_price)
        if order.kind == "entry":
            flip = (abs(position) if against else 0.0) if order.flip_qty is None else order.flip_qty
            qty = self._round_qty(qty + flip)
        self._trade(order, qty, fill_price, maker=not slipped, only="")
        self._settle_oca(order.oca_name, order.oca_type, qty)

    def _fill_level(self, order: PendingOrder, price: float, *, slipped: bool) -> None:
        """An exit level of a signal strategy's position; a liquidation has no slippage."""
        slipped = slipped and order.signal != "Liquidation"
        fill_price = self._slip(price, order.direction) if slipped else snap(price, self._tick)
        qty = min(order.qty, abs(self.ledger.position_size))
        self.ledger.close(
            qty,
            fill_price,
            order.signal,
            self.bar_index,
            self._time_ns,
            only=None,
            maker=isnan(order.stop),
            order_qty=qty,
            newest_first=self._settings.close_rule == "ANY" and order.qty != inf,
        )
        if not self.ledger.lots:
            self.drop_levels()
        if self.on_level:
            self.on_level(order.id)

    def _trade(self, order: PendingOrder, qty: float, price: float, *, maker: bool, only: str) -> None:
        if qty <= 0.0:
            return
        ledger = self.ledger
        closed = 0.0
        if ledger.position_size * order.direction < 0:
            accept = self._closing_rule(only)
            closed = ledger.close(
                qty,
                price,
                order.signal,
                self.bar_index,
                self._time_ns,
                only=accept,
                maker=maker,
                order_qty=qty,
                newest_first=self._settings.close_rule == "ANY" and order.kind == "close" and not only,
            )
        opened = self._round_qty(qty - closed)
        if closed and not ledger.lots:
            self.drop_levels()
        if opened > 0.0 and order.kind != "close" and self._margin_allows(opened, price):
            was_flat = not ledger.lots
            ledger.open(
                order.id,
                order.signal,
                order.direction,
                opened,
                price,
                self.bar_index,
                self._time_ns,
                maker=maker,
                share=opened / qty,
            )
            if was_flat:
                if self._is_inside:
                    self._path_high = self._path_low = price
                if self.on_opened:
                    self.on_opened(order.direction, price)
        self._drop_dead_exits()

    def _fill_exit(self, exit_: ExitOrder, leg: _Leg, price: float) -> None:
        """One leg of an exit was touched: close its share of the position and forget the exit."""
        direction = -1 if self.ledger.position_size > 0 else 1
        slipped = leg != "limit"
        fill_price = self._slip(price, direction) if slipped else snap(price, self._tick)
        qty = self._exit_qty(exit_)
        del self._exits[exit_.id, exit_.from_entry]
        for lot in self.ledger.lots:
            if not exit_.from_entry or lot.entry_id == exit_.from_entry:
                self._used_exits.add((exit_.id, lot.seq))
        if qty <= 0.0:
            return
        self.ledger.close(
            qty,
            fill_price,
            exit_.signal(leg),
            self.bar_index,
            self._time_ns,
            only=self._closing_rule(exit_.from_entry),
            maker=not slipped,
            order_qty=qty,
        )
        if exit_.oca_name:
            self._settle_oca(exit_.oca_name, "reduce", qty)
        self._drop_dead_exits()

    def _exit_qty(self, exit_: ExitOrder) -> float:
        """What this exit may close: its own share, less what earlier exits of the entry have reserved."""
        free = self.ledger.open_qty(exit_.from_entry or None)
        for other in sorted(self._exits.values(), key=lambda e: e.seq):
            if other.from_entry != exit_.from_entry:
                continue
            share = min(self._requested(other), free)
            if other is exit_:
                return share
            free = self._round_qty(free - share)
        return 0.0

    def _requested(self, exit_: ExitOrder) -> float:
        if isnan(exit_.requested):
            bound = self.ledger.open_qty(exit_.from_entry or None)
            wanted = bound * exit_.qty_percent / 100.0 if exit_.qty is None else exit_.qty
            exit_.requested = floor_qty(wanted, self._step)
        return exit_.requested

    def _exit_levels(self, exit_: ExitOrder) -> list[tuple[_Leg, float, bool]]:
        """Active legs as (leg, level, is it touched by a rising price)."""
        lot = self._exit_target(exit_)
        if lot is None:
            return []
        long = lot.direction > 0
        tick = self._tick
        levels: list[tuple[_Leg, float, bool]] = []
        limit = exit_.limit
        if isnan(limit) and not isnan(exit_.profit):
            limit = lot.entry_price + lot.direction * exit_.profit * tick
        if not isnan(limit):
            limit = round_level_up(limit, tick) if long else round_level_down(limit, tick)
            levels.append(("limit", limit, long))
        stop = exit_.stop
        if isnan(stop) and not isnan(exit_.loss):
            stop = lot.entry_price - lot.direction * exit_.loss * tick
        if not isnan(stop):
            stop = round_level_down(stop, tick) if long else round_level_up(stop, tick)
            levels.append(("stop", stop, not long))
        if not isnan(exit_.trail_best):
            trail = exit_.trail_best - lot.direction * exit_.trail_offset * tick
            levels.append(("trail", snap(trail, tick), not long))
        return levels

    def _exit_target(self, exit_: ExitOrder) -> Lot | None:
        for lot in self.ledger.lots:
            if exit_.from_entry and lot.entry_id != exit_.from_entry:
                continue
            if (exit_.id, lot.seq) not in self._used_exits:
                return lot
        return None

    def _advance_trails(self, price: float) -> None:
        for exit_ in self._exits.values():
            if isnan(exit_.trail_offset):
                continue
            lot = self._exit_target(exit_)
            if lot is None:
                continue
            start = exit_.trail_price
            if isnan(start) and not isnan(exit_.trail_points):
                start = lot.entry_price + lot.direction * exit_.trail_points * self._tick
            if isnan(start):
                continue
            reached = lot.direction * (price - start) >= 0
            better = isnan(exit_.trail_best) or lot.direction * (price - exit_.trail_best) > 0
            if better and (reached or not isnan(exit_.trail_best)):
                exit_.trail_best = price

    def _entry_is_alive(self, from_entry: str) -> bool:
        if self.ledger.open_qty(from_entry or None) > 0.0:
            return True
        return any(
            order.kind != "close" and (not from_entry or order.id == from_entry)
            for order in self._orders.values()
        )

    def _drop_dead_exits(self) -> None:
        if self._exits:
            for key in [key for key in self._exits if not self._entry_is_alive(key[1])]:
                del self._exits[key]
        if not self.ledger.lots:
            self._used_exits.clear()

    def _settle_oca(self, name: str, kind: OcaType, qty: float) -> None:
        if not name or kind == "none":
            return
        for key, other in list(self._orders.items()):
            if other.oca_name != name:
                continue
            if kind == "cancel":
                del self._orders[key]
            else:
                other.qty = self._round_qty(other.qty - qty)
                if other.qty <= 0.0:
                    del self._orders[key]

    def _market_close(self, id: str, qty: float, signal: str, *, now: bool) -> None:
        direction = -1 if self.ledger.position_size > 0 else 1
        order = PendingOrder("close", id, direction, qty, signal=signal, seq=self._next_seq())
        if now:
            self._fill(order, self._close, slipped=True)
        else:
            self._orders["close", f"{id}#{order.seq}"] = order

    def _closing_rule(self, entry_id: str) -> Callable[[Lot], bool] | None:
        if self._settings.close_rule == "ANY" and entry_id:
            return lambda lot: lot.entry_id == entry_id
        return None

    def _margin_allows(self, qty: float, price: float) -> bool:
        """Whether the account can carry `qty` more at `price`; a refusal is counted."""
        market = self.market
        if not market.leverage:
            return True
        own = (abs(self.ledger.position_size) + qty) * price * market.point_value / market.leverage
        if own + self.account.margin_without(self) <= self._equity_at(price):
            return True
        self.account.margin_rejects += 1
        return False

    def maintenance(self, price: float) -> float:
        """Maintenance margin of the position at `price`, by the bracket of that notional."""
        notional = abs(self.ledger.position_size) * price * self.market.point_value
        ratio, cum = self._bracket(notional)
        return notional * ratio - cum

    def liquidation_price(self) -> float:
        """Price at which the account's equity equals all maintenance margins; nan where there is none.

        Linear in this symbol's price because the bracket is the one of the entry notional.
        """
        size = self.ledger.position_size * self.market.point_value
        if not self.market.leverage or not size:
            return nan
        average = self.ledger.average_price
        ratio, cum = self._bracket(abs(size) * average)
        equity = self.account.cash + self.account.open_profit_without(self)
        due = self.account.maintenance_without(self) - cum
        slope = size - abs(size) * ratio
        price = (due - equity + size * average) / slope
        return price if price > 0.0 else nan

    def _bracket(self, notional: float) -> tuple[float, float]:
        found = (0.0, 0.0)
        for floor, ratio, cum in self.market.brackets:
            if floor <= notional:
                found = (ratio, cum)
        return found

    def _equity_at(self, price: float) -> float:
        account = self.account
        return account.cash + account.open_profit_without(self) + self.ledger.open_profit(price)

    def default_qty(self, sign: int, price: float | None = None) -> float:
        """Default-sized quantity at `price`, or at the last close moved by the slippage."""
        return self._default_qty(sign, price)

    def _pyramid_is_full(self) -> bool:
        return len(self.ledger.lots) >= max(1, self._settings.pyramiding)

    def _levels(self, sign: int, limit: float | None, stop: float | None) -> tuple[float, float]:
        if sign > 0:
            return round_level_down(_nan(limit), self._tick), round_level_up(_nan(stop), self._tick)
        return round_level_up(_nan(limit), self._tick), round_level_down(_nan(stop), self._tick)

    def _default_qty(self, sign: int, price: float | None = None) -> float:
        """Default-sized quantity at the signal bar's close, moved by the slippage (pine_semantics 3.2)."""
        sizing = self._settings.sizing
        if sizing.kind == "fixed":
            return floor_qty(sizing.value, self._step)
        costs = self._settings.costs
        at_close = price is None
        if price is None:
            price = self._close + sign * costs.slippage_ticks * self._tick
        per_unit = price * self._settings.market.point_value
        if sizing.kind == "cash":
            return floor_qty(sizing.value / per_unit, self._step)
        if sizing.kind == "percent_of_equity":
            equity = self.account.equity if at_close else self._equity_at(price)
            budget = equity * sizing.value / 100.0
            return floor_qty(budget / (per_unit * (1.0 + costs.taker_percent / 100.0)), self._step)
        raise ValueError("risk sizing needs a quantity with each entry: a script states its own")

    def _slip(self, price: float, direction: int) -> float:
        costs = self._settings.costs
        adverse = costs.slippage_ticks * self._tick + price * costs.slippage_bps / 10_000.0
        return snap(price + direction * adverse, self._tick)

    def _round_qty(self, qty: float) -> float:
        step = self._step
        steps = round(qty / step)
        per_unit = round(1.0 / step)
        if per_unit >= 1 and abs(per_unit * step - 1.0) < 1e-9:
            return steps / per_unit
        return steps * step

    def _put(self, order: PendingOrder) -> None:
        self._orders[order.kind, order.id] = order

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _nan(price: float | None) -> float:
    return nan if price is None else price

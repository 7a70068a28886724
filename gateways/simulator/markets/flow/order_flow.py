"""Synthetic order flow of one symbol: limit orders, cancels and market orders from a seed.

`PricePath` decides the target of the best bid and the side that a metaorder pushes. Around it, bursts of
adds, cancels and market orders change the sizes at the best prices; many market orders come from the
metaorder, and each matches several resting orders. Liquidity reacts: the side in the way of the metaorder is
thinner than the other one, and nearly empty shortly before a move. A move is a series of cancels and market
orders through the thin levels behind the best price; the level where it ends fills up within seconds.
Liquidity taken by accounts is refilled.
"""

import math
from random import Random

from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.book import OPPOSITE, Book
from gateways.simulator.markets.flow.price_path import PricePath
from gateways.simulator.markets.flow.profiles import FlowProfile

_SWEEP_LOTS = 10**12
_PRUNE_MS = 30_000
_SIDES = ("BUY", "SELL")

_METAORDER_SHARE = 0.45
"""Share of the market orders that are children of the metaorder; the others take either side."""

_FILLS_TAIL = 1.9
_MOST_FILLS = 60
"""Number of resting orders a market order matches: Pareto distributed with this exponent, and a maximum."""

_WAY_SHARE = 0.35
_LEADING_SHARE = 0.03
_FRESH_SHARE = 0.08
"""Target size of the side in the way: usually, before a move, and after a move until it has settled."""

_MOST_MEDIANS = 40.0
"""Largest size of a level behind the best price, in medians."""

_ORDER_SPREAD = 1.6
"""Part of the spread of trade sizes that all trades of one market order share."""

_LEADING_GAP = 0.4
"""Factor on the time between bursts before a move, when activity is higher."""

_SETTLE_MS = 2500.0


class SymbolFlow:
    """Generates and applies the events of one symbol; `next_ms` is when the next one is due."""

    def __init__(self, symbol: str, profile: FlowProfile, seed: str) -> None:
        self.symbol = symbol
        self._profile = profile
        # Seeded and not security relevant: the same seed must give the same market.
        self._rng = Random(seed)  # noqa: S311
        self._path = PricePath(profile, f"{seed}:path")
        self._exchange: Exchange | None = None
        self._book = Book()
        self._bid = 0
        self._range = 1500
        self._settled = {"BUY": 0.0, "SELL": 0.0}
        """Size of the best level without a metaorder in the way."""
        self._targets = {"BUY": 0.0, "SELL": 0.0}
        self._settle_ms = {"BUY": 0.0, "SELL": 0.0}
        self._fill_spread = math.sqrt(max(0.0, profile.trade_spread**2 - _ORDER_SPREAD**2))
        self._burst_left = 0
        self._event_ms = 0.0
        self._prune_ms = 0.0
        self.next_ms = 0.0
        """Time of the next event."""

    def start(self, exchange: Exchange, price_ticks: int, anchor_ticks: int, now_ms: int) -> None:
        """Fill the book around a price. In the long run the price reverts to `anchor_ticks`."""
        self._exchange = exchange
        self._book = exchange.book(self.symbol)
        self._book.clear_anonymous()
        self._range = int(max(60, min(1500, price_ticks * 0.0023)))
        self._path.start(price_ticks, anchor_ticks, self._range // 3, now_ms)
        self._bid = self._path.bid
        for side in _SIDES:
            self._settle(side)
        for side in _SIDES:
            for distance in range(self._range):
                if distance == 0 or self._rng.random() < self._density(distance):
                    lots = self._targets[side] if distance == 0 else self._deep_lots(distance)
                    self._add(side, self._price(side, distance), max(1, int(lots)), now_ms)
        self._event_ms = now_ms + self._rng.expovariate(1.0 / self._profile.burst_gap_ms)
        self._prune_ms = now_ms + _PRUNE_MS
        self.next_ms = min(self._event_ms, self._path.next_ms)
        exchange.after_market(self.symbol, now_ms)

    def skip_to(self, now_ms: float) -> None:
        """Skip the time in which the process could not run."""
        late = now_ms - self.next_ms
        if late > 0:
            self._event_ms += late
            self._path.skip(late)
            self.next_ms += late

    def run_next(self) -> None:
        """Apply the next event."""
        exchange = self._exchange
        if exchange is None:
            return
        at_ms = self.next_ms
        path = self._path
        if path.next_ms <= at_ms:
            path.advance()
            is_changed = path.bid != self._bid
            if is_changed:
                self._step_price(path.bid, int(at_ms))
            else:
                self._aim()
        else:
            is_changed = True
            self._touch_event(int(at_ms))
            self._schedule_touch()
        self.next_ms = min(self._event_ms, path.next_ms)
        if is_changed:
            exchange.after_market(self.symbol, int(at_ms))

    def _price(self, side: str, distance: int) -> int:
        return self._bid - distance if side == "BUY" else self._bid + 1 + distance

    def _density(self, distance: int) -> float:
        near = 1.0 / max(1.0, self._profile.deep_gap_ticks)
        return near + (0.7 - near) * min(1.0, distance / 60.0) if near < 0.7 else near

    def _deep_lots(self, distance: int) -> int:
        """Size of a level behind the best price, smaller in the first ticks."""
        median = self._profile.deep_median_lots * (0.15 + 0.85 * min(1.0, distance / 40.0))
        lots = self._rng.lognormvariate(math.log(median), self._profile.deep_spread)
        return max(1, int(min(lots, _MOST_MEDIANS * median)))

    def _settle(self, side: str) -> None:
        """Draw a new target size for the best level of a side."""
        middle = math.log(self._profile.top_median_lots)
        self._settled[side] = self._rng.lognormvariate(middle, self._profile.top_spread)
        self._settle_ms[side] = math.inf
        self._aim()

    def _aim(self) -> None:
        """Set the target sizes of both best levels: the side in the way of the metaorder is thinner."""
        way = "SELL" if self._path.side > 0 else "BUY"
        for side in _SIDES:
            share = 1.0
            if side == way:
                share = _LEADING_SHARE if self._path.is_leading else _WAY_SHARE
            if self._settle_ms[side] < math.inf:
                share = min(share, _FRESH_SHARE)
            self._targets[side] = max(1.0, share * self._settled[side])

    def _add(self, side: str, price: int, lots: int, now_ms: int) -> None:
        """Place a limit order, matching an account's order that it crosses."""
        opposite = self._book.best_ask() if side == "BUY" else self._book.best_bid()
        crosses = opposite is not None and (price >= opposite if side == "BUY" else price <= opposite)
        if crosses and self._exchange is not None:
            self._exchange.market_limit(self.symbol, side, price, lots, now_ms)
        elif price > 0:
            self._book.add(side, price, lots)

    def _schedule_touch(self) -> None:
        rng, profile = self._rng, self._profile
        if self._burst_left > 0:
            self._burst_left -= 1
            self._event_ms += rng.expovariate(1.0 / profile.inner_gap_ms)
            return
        share = 1.0 / profile.burst_events
        self._burst_left = int(math.log(1.0 - rng.random()) / math.log(1.0 - share))
        mean = profile.burst_gap_ms * (0.35 if rng.random() < 0.7 else 2.5)
        if self._path.is_leading:
            mean *= _LEADING_GAP
        self._event_ms += rng.expovariate(1.0 / mean)
        for side in _SIDES:
            if self._settle_ms[side] <= self._event_ms:
                self._settle(side)
        for _ in range(profile.deep_events):
            self._deep_event()
        if self._event_ms >= self._prune_ms:
            self._prune_ms = self._event_ms + _PRUNE_MS
            self._prune()

    def _touch_event(self, now_ms: int) -> None:
        """Add, cancel or trade at the best price of one side."""
        rng, profile = self._rng, self._profile
        if rng.random() < profile.trade_share:
            self._market_order(now_ms)
            return
        side = "BUY" if rng.random() < 0.5 else "SELL"
        price = self._price(side, 0)
        if self._book.best(side) != price:
            self._repair(now_ms)
            return
        size = self._book.size_at(side, price)
        target = self._targets[side]
        if size < 0.4 * target:
            self._add(side, price, max(1, int(target * rng.uniform(0.03, 0.3))), now_ms)
        elif size > 2.5 * target:
            self._book.reduce(side, price, max(1, int(size * rng.uniform(0.1, 0.5))))
        else:
            change = max(1, int(target * rng.lognormvariate(math.log(0.012), 1.6)))
            pull = 0.5 + 0.35 * max(-1.0, min(1.0, (target - size) / target))
            if rng.random() < pull:
                self._add(side, price, min(change, int(target)), now_ms)
            else:
                self._book.reduce(side, price, max(1, min(change, size // 2)))

    def _market_order(self, now_ms: int) -> None:
        """Trade at the best price, mostly on the metaorder's side, against several resting orders."""
        rng = self._rng
        is_buy = self._path.side > 0 if rng.random() < _METAORDER_SHARE else rng.random() < 0.5
        side = "BUY" if is_buy else "SELL"
        price = self._price(OPPOSITE[side], 0)
        if self._book.best(OPPOSITE[side]) != price:
            self._repair(now_ms)
            return
        left = self._book.size_at(OPPOSITE[side], price) - 1
        scale = self._order_scale()
        size = max(1.0, math.sqrt(scale / self._profile.trade_median_lots))
        fills = min(_MOST_FILLS, int(size * (1.0 - rng.random()) ** (-1.0 / _FILLS_TAIL)))
        while fills and left > 0:
            lots = min(left, self._fill_lots(scale))
            self._take(side, lots, price, now_ms)
            left -= lots
            fills -= 1

    def _order_scale(self) -> float:
        return self._rng.lognormvariate(math.log(self._profile.trade_median_lots), _ORDER_SPREAD)

    def _fill_lots(self, scale: float) -> int:
        profile = self._profile
        lots = self._rng.lognormvariate(math.log(scale), self._fill_spread)
        return int(max(profile.trade_least_lots, min(lots, profile.trade_most_lots)))

    def _take(self, side: str, lots: int, limit_ticks: int, now_ms: int) -> None:
        if self._exchange is not None:
            self._exchange.market_take(self.symbol, side, lots, limit_ticks, now_ms)

    def _repair(self, now_ms: int) -> None:
        """Restore both best prices to their targets."""
        bid, ask = self._book.best_bid(), self._book.best_ask()
        if ask is not None and ask <= self._bid:
            self._take("BUY", _SWEEP_LOTS, self._bid, now_ms)
        if bid is not None and bid > self._bid:
            self._take("SELL", _SWEEP_LOTS, self._bid + 1, now_ms)
        for side in _SIDES:
            if self._book.best(side) != self._price(side, 0):
                is_fresh = self._settle_ms[side] < math.inf
                middle = self._profile.fresh_lots if is_fresh else self._targets[side]
                lots = self._rng.lognormvariate(math.log(max(1.0, middle)), 1.0 if is_fresh else 0.4)
                self._add(side, self._price(side, 0), max(1, int(lots)), now_ms)

    def _deep_event(self) -> None:
        """Add or cancel behind the best price, more often near it than far away."""
        rng, book = self._rng, self._book
        side = "BUY" if rng.random() < 0.5 else "SELL"
        distance = int(math.exp(rng.random() * math.log(self._range)))
        price = self._price(side, distance)
        if price <= 0:
            return
        present = book.size_at(side, price)
        density = self._density(distance)
        if not present:
            best = book.best(side)
            inside = best is not None and (price > best if side == "BUY" else price < best)
            if not inside and rng.random() < density:
                book.add(side, price, self._deep_lots(distance))
        elif rng.random() < 1.0 - density:
            book.reduce(side, price, present)
        else:
            book.reduce(side, price, max(1, present // 2))
            book.add(side, price, self._deep_lots(distance))

    def _prune(self) -> None:
        """Remove levels far from the price, so that the book stays bounded."""
        for side in _SIDES:
            far = 2 * self._range
            for price, lots in list(self._book.levels(side)):
                if abs(price - self._bid) > far:
                    self._book.reduce(side, price, lots)

    def _step_price(self, bid: int, now_ms: int) -> None:
        """Move the best prices: cancels and market orders clear the way, and the other side follows."""
        is_up = bid > self._bid
        way, behind = ("SELL", "BUY") if is_up else ("BUY", "SELL")
        left = self._price(behind, 0)
        self._sweep(OPPOSITE[way], bid if is_up else bid + 1, now_ms)
        self._bid = bid
        self._settle(behind)
        self._settle(way)
        self._settle_ms[way] = now_ms + self._rng.expovariate(1.0 / _SETTLE_MS)
        self._aim()
        self._follow(behind, left)
        if self._rng.random() < 0.8:
            self._repair(now_ms)

    def _follow(self, side: str, left: int) -> None:
        """Reduce the former best level to a normal one, and fill the levels in front of it."""
        distance = abs(left - self._price(side, 0))
        stays = self._deep_lots(distance)
        present = self._book.anonymous_at(side, left)
        if present > stays:
            self._book.reduce(side, left, present - stays)
        for ticks in range(1, distance):
            if self._rng.random() < self._density(ticks):
                self._book.add(side, self._price(side, ticks), self._deep_lots(ticks))

    def _sweep(self, side: str, limit: int, now_ms: int) -> None:
        """Clear all levels up to a limit; most of a large level is cancelled, the rest traded."""
        book, way = self._book, OPPOSITE[side]
        scale = self._order_scale()
        while (best := book.best(way)) is not None and (best <= limit if side == "BUY" else best >= limit):
            anonymous = book.anonymous_at(way, best)
            count = 1 + int(self._rng.expovariate(1.0 / self._profile.level_fills))
            fills = [self._fill_lots(scale) for _ in range(count)]
            if anonymous > sum(fills):
                book.reduce(way, best, anonymous - sum(fills))
            for lots in fills[:-1]:
                self._take(side, lots, best, now_ms)
            self._take(side, _SWEEP_LOTS, best, now_ms)

"""Synthetic order flow of one symbol: limit orders, cancels and market orders from a seed.

The best prices hold still most of the time while bursts of adds, cancels and small trades change the
sizes there; now and then a run of market orders and cancels moves the price by many ticks, as levels
behind the touch are thin. Moves cluster and keep their direction more often than not. A latent best bid
says where the touch belongs: what an account sweeps away is refilled there.

For the first minute or so after a start the price swings to and fro in small moves, about seven seconds
each way, as after an auction: whoever has just connected sees something happen.
"""

import math
from collections import deque
from random import Random

from gateways.simulator.book import Book
from gateways.simulator.exchange import Exchange
from gateways.simulator.markets.profiles import FlowProfile

_SWEEP_LOTS = 10**12
_PRUNE_MS = 30_000
_OPENING_MS = 75_000


class SymbolFlow:
    """Draws and applies the events of one symbol; `next_ms` is when the next one is due."""

    def __init__(self, symbol: str, profile: FlowProfile, seed: str) -> None:
        self.symbol = symbol
        self._profile = profile
        # Seeded and never security relevant: the same seed must give the same market.
        self._rng = Random(seed)  # noqa: S311
        self._exchange: Exchange | None = None
        self._book = Book()
        self._bid = 0
        self._home = 1
        self._range = 1500
        self._targets = {"BUY": 0.0, "SELL": 0.0}
        self._burst_left = 0
        self._event_ms = 0.0
        self._move_ms = 0.0
        self._prune_ms = 0.0
        self._direction = 1
        self._opening_end_ms = 0.0
        self._turn_ms = 0.0
        self._steps: deque[tuple[float, int]] = deque()

    @property
    def next_ms(self) -> float:
        """Time of the next event."""
        soonest = min(self._event_ms, self._move_ms)
        return min(soonest, self._steps[0][0]) if self._steps else soonest

    def start(self, exchange: Exchange, price_ticks: int, home_ticks: int, now_ms: int) -> None:
        """Fill the book around a price. The price is drawn back to `home_ticks` in the long run."""
        self._exchange = exchange
        self._book = exchange.book(self.symbol)
        self._book.clear_anonymous()
        self._bid = max(2, price_ticks)
        self._home = home_ticks
        self._range = int(max(60, min(1500, price_ticks * 0.0023)))
        self._redraw_targets()
        self._direction = self._rng.choice((-1, 1))
        for side in ("BUY", "SELL"):
            for distance in range(self._range):
                if distance == 0 or self._rng.random() < self._density(distance):
                    lots = self._targets[side] if distance == 0 else self._deep_lots()
                    self._add(side, self._price(side, distance), max(1, int(lots)), now_ms)
        self._event_ms = now_ms + self._rng.expovariate(1.0 / self._profile.burst_gap_ms)
        self._move_ms = now_ms + 1000.0 * self._rng.uniform(0.5, 2.5)
        self._prune_ms = now_ms + _PRUNE_MS
        self._opening_end_ms = now_ms + _OPENING_MS
        self._turn_ms = now_ms + self._rng.uniform(4000.0, 8000.0)
        exchange.after_market(self.symbol, now_ms)

    def skip_to(self, now_ms: float) -> None:
        """Leave out what a stopped clock missed."""
        late = now_ms - self.next_ms
        if late > 0:
            self._event_ms += late
            self._move_ms += late
            self._steps = deque((at + late, target) for at, target in self._steps)

    def run_next(self) -> None:
        """Apply the next event."""
        exchange = self._exchange
        if exchange is None:
            return
        at_ms = self.next_ms
        if self._steps and self._steps[0][0] <= at_ms:
            self._step_price(self._steps.popleft()[1], int(at_ms))
        elif self._event_ms <= at_ms:
            self._touch_event(int(at_ms))
            self._schedule_touch()
        else:
            self._begin_move(at_ms)
            return
        exchange.after_market(self.symbol, int(at_ms))

    def _price(self, side: str, distance: int) -> int:
        return self._bid - distance if side == "BUY" else self._bid + 1 + distance

    def _density(self, distance: int) -> float:
        near = 1.0 / max(1.0, self._profile.deep_gap_ticks)
        return near + (0.7 - near) * min(1.0, distance / 120.0) if near < 0.7 else near

    def _deep_lots(self) -> int:
        return max(1, int(self._rng.lognormvariate(math.log(self._profile.deep_median_lots), 1.3)))

    def _redraw_targets(self) -> None:
        middle = math.log(self._profile.top_median_lots)
        for side in ("BUY", "SELL"):
            self._targets[side] = self._rng.lognormvariate(middle, self._profile.top_spread)

    def _add(self, side: str, price: int, lots: int, now_ms: int) -> None:
        """Rest a limit order, matching an account's order that stands in the way."""
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
        self._event_ms += rng.expovariate(1.0 / mean)
        for _ in range(5):
            self._deep_event(int(self._event_ms))
        if self._event_ms >= self._prune_ms:
            self._prune_ms = self._event_ms + _PRUNE_MS
            self._prune()

    def _touch_event(self, now_ms: int) -> None:
        """Add, cancel or trade at the best price of one side."""
        rng, profile = self._rng, self._profile
        side = "BUY" if rng.random() < 0.5 else "SELL"
        price = self._price(side, 0)
        if self._book.best(side) != price:
            self._repair(now_ms)
            return
        size = self._book.size_at(side, price)
        target = self._targets[side]
        if size < 0.4 * target:
            self._add(side, price, max(1, int(target * rng.uniform(0.03, 0.3))), now_ms)
            return
        draw = rng.random()
        if draw < profile.trade_share:
            lots = int(rng.lognormvariate(math.log(profile.trade_median_lots), 1.8))
            self._take("SELL" if side == "BUY" else "BUY", max(1, min(lots, size // 3)), price, now_ms)
            return
        change = max(1, int(target * rng.lognormvariate(math.log(0.012), 1.6)))
        pull = 0.5 + 0.35 * max(-1.0, min(1.0, (target - size) / target))
        if rng.random() < pull:
            self._add(side, price, min(change, int(target)), now_ms)
        else:
            self._book.reduce(side, price, max(1, min(change, size // 2)))

    def _take(self, side: str, lots: int, limit_ticks: int, now_ms: int) -> None:
        if self._exchange is not None:
            self._exchange.market_take(self.symbol, side, lots, limit_ticks, now_ms)

    def _repair(self, now_ms: int) -> None:
        """Bring both sides back to where they belong."""
        bid, ask = self._book.best_bid(), self._book.best_ask()
        if ask is not None and ask <= self._bid:
            self._take("BUY", _SWEEP_LOTS, self._bid, now_ms)
        if bid is not None and bid > self._bid:
            self._take("SELL", _SWEEP_LOTS, self._bid + 1, now_ms)
        for side in ("BUY", "SELL"):
            if self._book.best(side) != self._price(side, 0):
                lots = self._rng.lognormvariate(math.log(self._profile.fresh_lots), 1.0)
                self._add(side, self._price(side, 0), max(1, int(lots)), now_ms)

    def _deep_event(self, _now_ms: int) -> None:
        """Add or cancel behind the touch, more often near it than far from it."""
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
                book.add(side, price, self._deep_lots())
        elif rng.random() < 1.0 - density:
            book.reduce(side, price, present)
        else:
            book.reduce(side, price, max(1, present // 2))
            book.add(side, price, self._deep_lots())

    def _prune(self) -> None:
        """Forget levels left far behind, so that the book stays bounded."""
        for side in ("BUY", "SELL"):
            far = 2 * self._range
            for price, lots in list(self._book.levels(side)):
                if abs(price - self._bid) > far:
                    self._book.reduce(side, price, lots)

    def _begin_move(self, at_ms: float) -> None:
        """Plan a move of the price as a few steps, and when the next one starts."""
        rng, profile = self._rng, self._profile
        ticks = max(1, int(rng.lognormvariate(math.log(profile.move_median_ticks), profile.move_spread)))
        ticks = min(ticks, self._range // 3)
        opening = at_ms < self._opening_end_ms
        if opening:
            ticks = max(1, ticks // 3)
        target = max(2, self._bid + self._direction * ticks)
        steps = min(ticks, 2 + int(rng.expovariate(0.45)))
        now, price = at_ms, self._bid
        for index in range(steps):
            price = target if index == steps - 1 else price + (target - price) // (steps - index)
            self._steps.append((now, price))
            now += rng.expovariate(1.0 / 25.0)
        if opening:
            self._move_ms = now + rng.uniform(500.0, 1600.0)
            if now >= self._turn_ms:
                self._turn_ms = now + rng.uniform(6000.0, 8000.0)
                self._direction = -self._direction
            return
        if rng.random() < profile.move_follow:
            self._move_ms = now + rng.expovariate(1.0 / 1200.0)
            if rng.random() >= profile.move_persist:
                self._direction = -self._direction
            return
        self._move_ms = now + rng.expovariate(profile.move_rate / 1000.0)
        pull = 0.25 * max(-1.0, min(1.0, 4.0 * (self._home - self._bid) / self._home))
        self._direction = 1 if rng.random() < 0.5 + pull else -1

    def _step_price(self, bid: int, now_ms: int) -> None:
        """Move the touch: cancels thin out the side in the way, a market order takes the rest."""
        rng, book = self._rng, self._book
        up = bid > self._bid
        way = "SELL" if up else "BUY"
        best = book.best(way)
        if best is not None:
            anonymous = book.anonymous_at(way, best)
            book.reduce(way, best, int(anonymous * rng.uniform(0.5, 0.95)))
        self._bid = bid
        self._redraw_targets()
        if up:
            self._take("BUY", _SWEEP_LOTS, bid, now_ms)
        else:
            self._take("SELL", _SWEEP_LOTS, bid + 1, now_ms)
        if rng.random() < 0.6:
            self._repair(now_ms)

"""The latent price of one synthetic symbol: metaorders, and the price moves they cause.

A metaorder is a large order in one direction, executed as many child orders. Its duration is
Pareto distributed with exponent 1.5, so that the signs of trades stay correlated over many trades (Lillo,
Mike and Farmer, "Theory for long memory in supply and demand", Phys. Rev. E 71, 066122, 2005). Moves of
the best bid start at random times and go in the direction of the current metaorder; before each there is a
lead time in which the order flow can show where the price will go.

The price reverts to its anchor: the further away it is, the fewer metaorders push further away.
"""

import math
from collections import deque
from random import Random

from gateways.simulator.markets.flow.profiles import FlowProfile

OPENING_MS = 75_000
"""After a start the price swings up and down for this long, so that a new user sees activity."""

_TAIL = 1.5
_LONGEST_MS = 60_000.0
_LEAD_MS = 700.0
_AFTER_MOVE_MS = 1000.0
_FOLLOW_MS = 1200.0
_STEP_MS = 25.0
_WITHIN_SHARE = 0.6
_BETWEEN_SHARE = 0.8
"""Moves of one cluster have similar sizes: shares of the spread within clusters and between them."""

_PULL = 1.0
_STRONGEST_PULL = 0.25


class PricePath:
    """Target of the best bid (`bid`, ticks) and the side pushing it (`side`: 1 buyers, -1 sellers).

    Call `advance` whenever time reaches `next_ms`.
    """

    def __init__(self, profile: FlowProfile, seed: str) -> None:
        # Seeded and not security relevant: the same seed must give the same market.
        self._rng = Random(seed)  # noqa: S311
        self._profile = profile
        self.bid = 2
        self.side = 1
        self.is_leading = False
        """A move in the direction of `side` is about to start."""
        self._anchor = 2
        self._longest_move = 20
        self._trend = 1
        self._move_scale = 1.0
        self._opening_end_ms = 0.0
        self._side_end_ms = 0.0
        self._trend_end_ms = 0.0
        self._lead_ms = 0.0
        self._move_ms = 0.0
        self._steps: deque[tuple[float, int]] = deque()
        self.next_ms = 0.0
        """Time of the next change."""

    def start(self, price_ticks: int, anchor_ticks: int, longest_move_ticks: int, now_ms: int) -> None:
        """Start at a price; in the long run it reverts to `anchor_ticks`."""
        rng = self._rng
        self.bid = max(2, price_ticks)
        self._anchor = max(2, anchor_ticks)
        self._longest_move = longest_move_ticks
        self.side = rng.choice((-1, 1))
        self._trend = rng.choice((-1, 1))
        self._opening_end_ms = now_ms + OPENING_MS
        self._side_end_ms = now_ms + rng.uniform(4000.0, 8000.0)
        self._trend_end_ms = now_ms + rng.expovariate(1.0 / self._profile.trend_ms)
        self._draw_move_scale()
        self._schedule_move(now_ms + 1000.0 * rng.uniform(0.5, 2.5), now_ms)
        self._find_next()

    def skip(self, late_ms: float) -> None:
        """Skip the time in which the process could not run."""
        self._side_end_ms += late_ms
        self._trend_end_ms += late_ms
        self._lead_ms += late_ms
        self._move_ms += late_ms
        self._steps = deque((at + late_ms, bid) for at, bid in self._steps)
        self.next_ms += late_ms

    def advance(self) -> None:
        """Apply the next change: a step of a move, the start of a lead or a move, or a new metaorder."""
        at_ms = self.next_ms
        if self._steps:
            self.bid = self._steps.popleft()[1]
        elif self._lead_ms <= at_ms:
            self._begin_lead(at_ms)
        elif self._move_ms <= at_ms:
            self._begin_move(at_ms)
        else:
            self._begin_metaorder(at_ms)
        self._find_next()

    def _find_next(self) -> None:
        if self._steps:
            self.next_ms = self._steps[0][0]
        else:
            self.next_ms = min(self._side_end_ms, self._move_ms, self._lead_ms)

    def _begin_lead(self, at_ms: float) -> None:
        self.is_leading = True
        self._lead_ms = math.inf
        if at_ms >= self._opening_end_ms:
            after = self._move_ms + self._rng.expovariate(1.0 / _AFTER_MOVE_MS)
            self._side_end_ms = max(self._side_end_ms, after)

    def _begin_metaorder(self, at_ms: float) -> None:
        rng, profile = self._rng, self._profile
        if at_ms < self._opening_end_ms:
            self.side = -self.side
            self._side_end_ms = at_ms + rng.uniform(6000.0, 8000.0)
            return
        duration = profile.metaorder_ms * (1.0 - rng.random()) ** (-1.0 / _TAIL)
        self._side_end_ms = at_ms + min(duration, _LONGEST_MS)
        if at_ms >= self._trend_end_ms:
            self._trend_end_ms = at_ms + rng.expovariate(1.0 / profile.trend_ms)
            self._trend = rng.choice((-1, 1))
        pull = _PULL * math.log(self._anchor / self.bid)
        pull = max(-_STRONGEST_PULL, min(_STRONGEST_PULL, pull))
        self.side = 1 if rng.random() < 0.5 + pull + self._trend * profile.trend_share else -1

    def _begin_move(self, at_ms: float) -> None:
        """Plan a move as a few steps, and when the next one starts."""
        rng, profile = self._rng, self._profile
        self.is_leading = False
        is_opening = at_ms < self._opening_end_ms
        ticks = int(self._move_scale * rng.lognormvariate(0.0, _WITHIN_SHARE * profile.move_spread))
        ticks = min(max(1, ticks), self._longest_move)
        if is_opening:
            ticks = max(1, ticks // 3)
        target = max(2, self.bid + self.side * ticks)
        steps = min(ticks, 2 + int(rng.expovariate(0.45)))
        now, bid = at_ms, self.bid
        for index in range(steps):
            bid = target if index == steps - 1 else bid + (target - bid) // (steps - index)
            self._steps.append((now, bid))
            now += rng.expovariate(1.0 / _STEP_MS)
        self._side_end_ms = max(self._side_end_ms, now)
        if is_opening:
            gap = rng.uniform(500.0, 1600.0)
        elif rng.random() < profile.move_follow:
            gap = rng.expovariate(1.0 / _FOLLOW_MS)
        else:
            gap = rng.expovariate(profile.move_rate / 1000.0)
            self._draw_move_scale()
        self._schedule_move(now + gap, now)

    def _draw_move_scale(self) -> None:
        """Draw the median size of the moves of the next cluster."""
        profile = self._profile
        spread = _BETWEEN_SHARE * profile.move_spread
        self._move_scale = self._rng.lognormvariate(math.log(profile.move_median_ticks), spread)

    def _schedule_move(self, move_ms: float, now_ms: float) -> None:
        self._move_ms = move_ms
        self._lead_ms = max(now_ms, move_ms - self._rng.expovariate(1.0 / _LEAD_MS))

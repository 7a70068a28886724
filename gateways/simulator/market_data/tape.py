"""Recent public trades and their aggregation."""

from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT: Final = 20_000
"""Trades and aggregates kept per symbol."""


@dataclass(slots=True)
class PublicTrade:
    """One trade of the tape."""

    trade_id: int
    ticks: int
    lots: int
    time_ms: int
    buyer_is_maker: bool


@dataclass(slots=True)
class AggTrade:
    """Consecutive trades at one price, side and time, as from one taker order."""

    agg_id: int
    ticks: int
    lots: int
    first_id: int
    last_id: int
    time_ms: int
    buyer_is_maker: bool


class Tape:
    """The last trades of one symbol."""

    def __init__(self, last_agg_id: int = 0) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=KEPT)
        self.aggregates: deque[AggTrade] = deque(maxlen=KEPT)
        self.last_agg_id = last_agg_id
        self._unpublished: deque[AggTrade] = deque(maxlen=KEPT)

    def add(self, trade: PublicTrade, *, aggregate: bool = True) -> None:
        """Add a trade; `aggregate` False excludes it from aggTrade (insurance fund, ADL)."""
        self.trades.append(trade)
        if not aggregate:
            return
        last = self._unpublished[-1] if self._unpublished else None
        if (
            last is not None
            and last.ticks == trade.ticks
            and last.buyer_is_maker == trade.buyer_is_maker
            and last.time_ms == trade.time_ms
        ):
            last.lots += trade.lots
            last.last_id = trade.trade_id
            return
        self.last_agg_id += 1
        new = AggTrade(
            self.last_agg_id,
            trade.ticks,
            trade.lots,
            trade.trade_id,
            trade.trade_id,
            trade.time_ms,
            trade.buyer_is_maker,
        )
        self.aggregates.append(new)
        self._unpublished.append(new)

    def take_aggregates(self) -> list[AggTrade]:
        """Return the aggregates made since the last call; they will not change any more."""
        taken = list(self._unpublished)
        self._unpublished.clear()
        return taken

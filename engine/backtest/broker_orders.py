"""Pending orders of the event-driven broker."""

from math import nan
from typing import Literal

OcaType = Literal["none", "cancel", "reduce"]


class PendingOrder:
    """An `entry`, `order`, `close` or exit `level` waiting for its fill.

    `flip_qty` is the part that leaves an opposite position: fixed at creation for stop and limit
    entries, taken from the position when a market entry is processed (None). `armed` turns true when the
    stop of a stop-limit order was touched; from then on it is a limit order. A `level` closes up to `qty` of
    the position (inf: all of it); `rank` orders levels at one price, entries have rank 0.
    """

    __slots__ = (
        "armed",
        "default_sized",
        "direction",
        "flip_qty",
        "id",
        "kind",
        "limit",
        "oca_name",
        "oca_type",
        "qty",
        "rank",
        "seq",
        "signal",
        "stop",
    )

    def __init__(
        self,
        kind: Literal["entry", "order", "close", "level"],
        id: str,
        direction: int,
        qty: float,
        *,
        signal: str,
        seq: int,
        limit: float = nan,
        stop: float = nan,
        flip_qty: float | None = None,
        oca_name: str = "",
        oca_type: OcaType = "none",
        default_sized: bool = False,
        rank: int = 0,
    ) -> None:
        self.kind = kind
        self.id = id
        self.direction = direction
        self.qty = qty
        self.signal = signal
        self.seq = seq
        self.limit = limit
        self.stop = stop
        self.flip_qty = flip_qty
        self.oca_name = oca_name
        self.oca_type = oca_type
        self.default_sized = default_sized
        self.rank = rank
        self.armed = False

    @property
    def is_market(self) -> bool:
        """Neither a limit nor a stop price was given."""
        return self.limit != self.limit and self.stop != self.stop


class ExitOrder:
    """A `strategy.exit`: up to three legs (limit, stop, trail), the first one touched fills it.

    Levels given in ticks (`profit`, `loss`, `trail_points`) are resolved from the entry price once the
    entry is filled. `requested` is nan until the entry it belongs to has an open quantity.
    """

    __slots__ = (
        "comment",
        "comment_loss",
        "comment_profit",
        "comment_trailing",
        "from_entry",
        "id",
        "limit",
        "loss",
        "oca_name",
        "profit",
        "qty",
        "qty_percent",
        "requested",
        "seq",
        "stop",
        "trail_best",
        "trail_offset",
        "trail_points",
        "trail_price",
    )

    def __init__(
        self,
        id: str,
        from_entry: str,
        seq: int,
        *,
        qty: float | None,
        qty_percent: float,
        profit: float,
        limit: float,
        loss: float,
        stop: float,
        trail_price: float,
        trail_points: float,
        trail_offset: float,
        oca_name: str,
        comment: str,
        comment_profit: str,
        comment_loss: str,
        comment_trailing: str,
    ) -> None:
        self.id = id
        self.from_entry = from_entry
        self.seq = seq
        self.qty = qty
        self.qty_percent = qty_percent
        self.profit = profit
        self.limit = limit
        self.loss = loss
        self.stop = stop
        self.trail_price = trail_price
        self.trail_points = trail_points
        self.trail_offset = trail_offset
        self.oca_name = oca_name
        self.comment = comment
        self.comment_profit = comment_profit
        self.comment_loss = comment_loss
        self.comment_trailing = comment_trailing
        self.requested = nan
        self.trail_best = nan

    def signal(self, leg: Literal["limit", "stop", "trail"]) -> str:
        """The text a fill of that leg shows in the trade list."""
        own = {"limit": self.comment_profit, "stop": self.comment_loss, "trail": self.comment_trailing}
        return own[leg] or self.comment or self.id

"""What is pending or open at the event-driven broker: orders, exit legs, and the entries they belong to."""

from math import isnan, nan
from typing import Literal

OcaType = Literal["none", "cancel", "reduce"]
Kind = Literal["entry", "order", "close", "level"]
Leg = Literal["limit", "stop", "trail"]

LIQUIDATION = "Liquidation"
MARGIN_CALL = "Margin call"
LIQUIDATION_RANK, STOP_RANK, FIRST_PARTIAL_RANK, TARGET_RANK = 1, 2, 3, 1_000_000
"""Ranks of levels at one price; orders of other kinds have 0."""


class PendingOrder:
    """An `entry`, `order`, `close` or exit `level` waiting for its fill.

    `qty` is what it opens or, for a `close` or `level`, leaves (inf: all). `flip_qty` is the part that leaves
    an opposite position: fixed at creation for priced entries, None where it is taken from the position
    when the order is processed. `budget` is the money of a default-sized priced order, fixed at creation,
    and `sizing_price` where it would have executed then (nan: quantity is final). `is_armed` turns true when
    the stop of a stop-limit order was touched: from then on it is a limit order. `is_market`: neither a
    limit nor a stop price was given. Orders met at one price fill by `rank`, then `seq`. A close with
    `takes_newest` takes the newest lots, not the oldest. There is one pending order a `key`: `entry` and
    `order` share their ids, closes add up.
    """

    __slots__ = (
        "budget",
        "direction",
        "flip_qty",
        "id",
        "is_armed",
        "is_market",
        "key",
        "kind",
        "limit",
        "oca_name",
        "oca_type",
        "placed_bar",
        "qty",
        "rank",
        "seq",
        "signal",
        "sizing_price",
        "stop",
        "takes_newest",
    )

    def __init__(
        self,
        kind: Kind,
        id: str,
        direction: int,
        qty: float,
        *,
        signal: str,
        seq: int,
        placed_bar: int = -1,
        limit: float = nan,
        stop: float = nan,
        flip_qty: float | None = None,
        oca_name: str = "",
        oca_type: OcaType = "none",
        budget: float = nan,
        sizing_price: float = nan,
        rank: int = 0,
    ) -> None:
        self.kind = kind
        self.id = id
        self.direction = direction
        self.qty = qty
        self.signal = signal
        self.seq = seq
        self.placed_bar = placed_bar
        self.limit = limit
        self.stop = stop
        self.is_market = isnan(limit) and isnan(stop)
        self.flip_qty = flip_qty
        self.oca_name = oca_name
        self.oca_type = oca_type
        self.budget = budget
        self.sizing_price = sizing_price
        self.rank = rank
        self.is_armed = False
        self.takes_newest = False
        self.key = ("close", f"{id}#{seq}") if kind == "close" else ("entry" if kind == "order" else kind, id)

    def waits_for_stop(self) -> bool:
        """Its stop is what price has to reach next."""
        return not isnan(self.stop) and not self.is_armed

    def has_same_terms(self, other: "PendingOrder") -> bool:
        """Issuing the other over this one changes neither price nor quantity: its place is kept."""
        return (
            self.kind == other.kind
            and self.direction == other.direction
            and self.qty == other.qty
            and self.flip_qty == other.flip_qty
            and _same(self.limit, other.limit)
            and _same(self.stop, other.stop)
        )


class Entry:
    """A filled entry, as exits and the pyramiding limit see it.

    Trades are settled oldest first whatever they were entered under; orders that leave are settled with the
    entry they name. `qty` is what is left of `first_qty` in that second sense.
    """

    __slots__ = ("direction", "first_qty", "id", "price", "qty", "seq")

    def __init__(self, seq: int, id: str, direction: int, price: float, qty: float) -> None:
        self.seq = seq
        self.id = id
        self.direction = direction
        self.price = price
        self.first_qty = qty
        self.qty = qty


class ExitCall:
    """One `strategy.exit` call as issued; nan and None are "not given".

    `has_fired` ends its cover of entries that fill later.
    """

    __slots__ = (
        "comment",
        "comment_loss",
        "comment_profit",
        "comment_trailing",
        "from_entry",
        "has_fired",
        "id",
        "limit",
        "loss",
        "oca_name",
        "profit",
        "qty",
        "qty_percent",
        "stop",
        "trail_offset",
        "trail_points",
        "trail_price",
    )

    def __init__(
        self,
        id: str,
        from_entry: str,
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
        self.has_fired = False

    @property
    def has_level(self) -> bool:
        """Anything that could make it fill was given."""
        given = (self.limit, self.stop, self.profit, self.loss, self.trail_price, self.trail_points)
        return any(not isnan(level) for level in given)

    @property
    def has_trail(self) -> bool:
        """A trailing stop was asked for."""
        return not (isnan(self.trail_price) and isnan(self.trail_points))

    def has_same_levels(self, other: "ExitCall") -> bool:
        """The same limit and stop arguments."""
        return (
            _same(self.limit, other.limit)
            and _same(self.stop, other.stop)
            and _same(self.profit, other.profit)
            and _same(self.loss, other.loss)
        )

    def has_same_trail(self, other: "ExitCall") -> bool:
        """The same trailing arguments: the trailing stop goes on where it was."""
        return (
            _same(self.trail_price, other.trail_price)
            and _same(self.trail_points, other.trail_points)
            and _same(self.trail_offset, other.trail_offset)
        )

    def signal(self, leg: Leg) -> str:
        """The text a fill of that leg shows in the trade list."""
        own = {"limit": self.comment_profit, "stop": self.comment_loss, "trail": self.comment_trailing}
        return own[leg] or self.comment or self.id


class ExitLeg:
    """What an exit call does to one entry; `entry` is None while that entry is still pending.

    `qty` is the share of the entry it holds, `basis` the quantity that share was taken from; a leg that
    `is_rest` holds all that others left. `limit`, `stop` and `activation` are prices, nan where there is
    none. `best` is the best price since the trailing stop became active (nan: not active). `is_spent`: it
    has filled and keeps its share until the entry is closed. `locked_qty` is set while it takes part in a
    batch of orders met at one moment.
    """

    __slots__ = (
        "activation",
        "basis",
        "best",
        "call",
        "direction",
        "entry",
        "entry_id",
        "is_rest",
        "is_spent",
        "limit",
        "locked_qty",
        "offset",
        "qty",
        "seq",
        "stop",
    )

    def __init__(self, call: ExitCall, entry_id: str, entry: Entry | None, direction: int) -> None:
        self.call = call
        self.entry_id = entry_id
        self.entry = entry
        self.direction = direction
        self.seq = 0
        self.qty = 0.0
        self.basis = 0.0
        self.is_rest = False
        self.is_spent = False
        self.limit = self.stop = self.activation = self.best = nan
        self.offset = 0.0
        self.locked_qty = nan

    @property
    def key(self) -> tuple[str, str, int]:
        """One leg a key."""
        return (self.call.id, self.entry_id, -1 if self.entry is None else self.entry.seq)


def _same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and isnan(a) and isnan(b))

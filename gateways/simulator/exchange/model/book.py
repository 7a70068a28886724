"""A price-time priority order book over integer ticks and lots.

A level holds anonymous liquidity as numbers and the orders of accounts as entries. The anonymous size
between entries is known exactly, which gives each entry's queue position: `entry.ahead` lots are between
it and the previous entry (or the front), and `level.tail` lots are behind the last entry.

The queue rule:

* new anonymous size joins the tail; a new entry joins behind everything else;
* trades take from the front;
* an anonymous cancel (`reduce`, or `set_level` to a smaller size) is spread over the segments in
  proportion to their size, rounded so that no entry advances by more than its share.

Each side keeps its prices as one ascending list of keys (bid: price, ask: -price), so the best price is
always the last element and both sides share their code. All operations are O(log n) comparisons plus a
memory move of the price list.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

OPPOSITE = {"BUY": "SELL", "SELL": "BUY"}


class Entry:
    """An account's resting order in the book."""

    __slots__ = ("account_id", "ahead", "level", "lots", "order_id", "price_ticks", "side")

    def __init__(self, account_id: str, order_id: int, side: str, price_ticks: int, lots: int) -> None:
        self.account_id = account_id
        self.order_id = order_id
        self.side = side
        self.price_ticks = price_ticks
        self.lots = lots
        self.ahead = 0
        self.level: Level | None = None


class Level:
    """One price: entries in time order with the anonymous size around them."""

    __slots__ = ("entries", "owned", "tail")

    def __init__(self) -> None:
        self.tail = 0
        self.owned = 0
        self.entries: list[Entry] = []

    @property
    def anonymous(self) -> int:
        """Return the anonymous lots of the level."""
        return self.tail + sum(entry.ahead for entry in self.entries)

    @property
    def total(self) -> int:
        """Return all lots of the level."""
        return self.anonymous + self.owned

    def cancel_anonymous(self, lots: int) -> None:
        """Remove `lots` of anonymous size, in proportion, never favouring an entry."""
        if not self.entries:
            self.tail = max(0, self.tail - lots)
            return
        total = self.anonymous
        lots = min(lots, total)
        taken = 0
        for entry in self.entries:
            share = entry.ahead * lots // total if total else 0
            entry.ahead -= share
            taken += share
        rest = lots - taken
        from_tail = min(rest, self.tail)
        self.tail -= from_tail
        rest -= from_tail
        for entry in reversed(self.entries):
            if not rest:
                break
            share = min(rest, entry.ahead)
            entry.ahead -= share
            rest -= share


class _Side:
    """Levels of one side by key, keys ascending, best last."""

    __slots__ = ("changed", "entries", "keys", "levels", "owned_keys", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.changed: set[int] = set()
        self.entries = 0
        self.owned_keys: dict[int, int] = {}
        """Keys with entries, and their number."""

    def level(self, key: int) -> Level:
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level()
            insort(self.keys, key)
        return level

    def drop(self, key: int) -> None:
        del self.levels[key]
        keys = self.keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]


class Book:
    """The order book of one symbol. Sides are "BUY" (bids) and "SELL" (asks)."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids = _Side(1)
        self._asks = _Side(-1)

    def add(self, side: str, price_ticks: int, lots: int) -> None:
        """Add anonymous size at the back of a level. It must not cross; match first (`market_take`)."""
        book_side = self._bids if side == "BUY" else self._asks
        key = price_ticks * book_side.sign
        level = book_side.levels.get(key)
        if level is None:
            level = book_side.level(key)
        level.tail += lots
        book_side.changed.add(key)

    def reduce(self, side: str, price_ticks: int, lots: int) -> int:
        """Cancel up to `lots` of anonymous size; return how much was cancelled."""
        book_side = self._bids if side == "BUY" else self._asks
        key = price_ticks * book_side.sign
        level = book_side.levels.get(key)
        if level is None:
            return 0
        book_side.changed.add(key)
        if not level.entries:
            present = level.tail
            if lots >= present:
                book_side.drop(key)
                return present
            level.tail = present - lots
            return lots
        lots = min(lots, level.anonymous)
        level.cancel_anonymous(lots)
        return lots

    def set_level(self, side: str, price_ticks: int, lots: int) -> None:
        """Set a level's anonymous size (a recording's absolute quantity); 0 empties it.

        Size an account has taken from a recording stays missing until the next call for that level.
        """
        book_side = self._bids if side == "BUY" else self._asks
        key = price_ticks * book_side.sign
        level = book_side.levels.get(key)
        if level is None:
            if not lots:
                return
            level = book_side.level(key)
        book_side.changed.add(key)
        if not level.entries:
            if lots:
                level.tail = lots
            else:
                book_side.drop(key)
            return
        difference = lots - level.anonymous
        if difference >= 0:
            level.tail += difference
        else:
            level.cancel_anonymous(-difference)

    def clear_anonymous(self) -> None:
        """Remove all anonymous size and keep the accounts' orders (a market restarts)."""
        for book_side in (self._bids, self._asks):
            for key in list(book_side.keys):
                level = book_side.levels[key]
                book_side.changed.add(key)
                level.tail = 0
                for entry in level.entries:
                    entry.ahead = 0
                if not level.entries:
                    book_side.drop(key)

    def best_bid(self) -> int | None:
        """Return the highest bid in ticks, None when there is none."""
        keys = self._bids.keys
        return keys[-1] if keys else None

    def best_ask(self) -> int | None:
        """Return the lowest ask in ticks, None when there is none."""
        keys = self._asks.keys
        return -keys[-1] if keys else None

    def best(self, side: str) -> int | None:
        """Return the best price in ticks of a side."""
        return self.best_bid() if side == "BUY" else self.best_ask()

    def size_at(self, side: str, price_ticks: int) -> int:
        """Return all lots at a price, 0 when the level is empty."""
        book_side = self._bids if side == "BUY" else self._asks
        level = book_side.levels.get(price_ticks * book_side.sign)
        return level.total if level else 0

    def anonymous_at(self, side: str, price_ticks: int) -> int:
        """Return the anonymous lots at a price."""
        book_side = self._bids if side == "BUY" else self._asks
        level = book_side.levels.get(price_ticks * book_side.sign)
        return level.anonymous if level else 0

    def depth(self, n: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the best `n` levels of bids and asks as (ticks, lots), best first."""
        return _top(self._bids, n), _top(self._asks, n)

    def levels(self, side: str) -> Iterator[tuple[int, int]]:
        """Yield all levels of a side as (ticks, lots), best first."""
        book_side = self._bids if side == "BUY" else self._asks
        for key in reversed(book_side.keys):
            yield key * book_side.sign, book_side.levels[key].total

    def take_changes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the levels changed since the last call as (ticks, absolute lots), 0 for removed.

        Bids and asks, each in ascending price.
        """
        return _take_changes(self._bids), _take_changes(self._asks)

    def has_changes(self) -> bool:
        """Tell whether `take_changes` would return anything."""
        return bool(self._bids.changed or self._asks.changed)

    # For the exchange: entries and matching.

    def rest(self, entry: Entry) -> None:
        """Put an account's order at the back of its level."""
        book_side = self._bids if entry.side == "BUY" else self._asks
        key = entry.price_ticks * book_side.sign
        level = book_side.level(key)
        entry.ahead, level.tail = level.tail, 0
        entry.level = level
        level.entries.append(entry)
        level.owned += entry.lots
        book_side.entries += 1
        book_side.owned_keys[key] = book_side.owned_keys.get(key, 0) + 1
        book_side.changed.add(key)

    def remove(self, entry: Entry) -> None:
        """Remove an account's order; the anonymous size in front of it keeps its place."""
        book_side = self._bids if entry.side == "BUY" else self._asks
        key = entry.price_ticks * book_side.sign
        level = entry.level
        if level is None:
            return
        index = level.entries.index(entry)
        del level.entries[index]
        if index < len(level.entries):
            level.entries[index].ahead += entry.ahead
        else:
            level.tail += entry.ahead
        level.owned -= entry.lots
        entry.level = None
        self._forget_entry(book_side, key)
        book_side.changed.add(key)
        if not level.entries and not level.tail:
            book_side.drop(key)

    def shrink(self, entry: Entry, lots: int) -> None:
        """Lower an entry to `lots`, keeping its place."""
        book_side = self._bids if entry.side == "BUY" else self._asks
        if entry.level is not None:
            entry.level.owned -= entry.lots - lots
        entry.lots = lots
        book_side.changed.add(entry.price_ticks * book_side.sign)

    def take_anonymous(
        self, taker_side: str, lots: int, limit_ticks: int | None, fills: list[tuple[int, int]]
    ) -> int:
        """Match a taker against anonymous size until it is filled, at its limit, or an entry is next.

        Appends (ticks, lots) for each level to `fills` and returns the lots left. When lots are left
        and `front_entry` gives an entry, that entry is next in line.
        """
        book_side = self._asks if taker_side == "BUY" else self._bids
        limit = None if limit_ticks is None else limit_ticks * book_side.sign
        keys = book_side.keys
        while lots and keys:
            key = keys[-1]
            if limit is not None and key < limit:
                break
            level = book_side.levels[key]
            if level.entries:
                front = level.entries[0]
                take = min(front.ahead, lots)
                front.ahead -= take
            else:
                take = min(lots, level.tail)
                level.tail -= take
            if take:
                lots -= take
                fills.append((key * book_side.sign, take))
                book_side.changed.add(key)
            if level.entries:
                break
            if not level.tail:
                book_side.drop(key)
        return lots

    def front_entry(self, taker_side: str, limit_ticks: int | None) -> Entry | None:
        """Return the entry that is next for a taker within its limit, or None."""
        book_side = self._asks if taker_side == "BUY" else self._bids
        if not book_side.entries:
            return None
        key = book_side.keys[-1]
        if limit_ticks is not None and key < limit_ticks * book_side.sign:
            return None
        entries = book_side.levels[key].entries
        if entries and not entries[0].ahead:
            return entries[0]
        return None

    def fill(self, entry: Entry, lots: int) -> None:
        """Fill `lots` of an entry; it leaves the book when nothing is left."""
        if lots == entry.lots:
            self.remove(entry)
            entry.lots = 0
        else:
            self.shrink(entry, entry.lots - lots)

    def available(self, taker_side: str, limit_ticks: int | None) -> Iterator[tuple[int, int]]:
        """Yield (ticks, lots) a taker could match within its limit, best first."""
        book_side = self._asks if taker_side == "BUY" else self._bids
        limit = None if limit_ticks is None else limit_ticks * book_side.sign
        for key in reversed(book_side.keys):
            if limit is not None and key < limit:
                return
            yield key * book_side.sign, book_side.levels[key].total

    def entries(self, side: str) -> list[Entry]:
        """Return the entries of a side in priority order."""
        book_side = self._bids if side == "BUY" else self._asks
        found: list[Entry] = []
        for key in sorted(book_side.owned_keys, reverse=True):
            found.extend(book_side.levels[key].entries)
        return found

    def has_entries(self) -> bool:
        """Tell whether any account has an order in the book."""
        return bool(self._bids.entries or self._asks.entries)

    def is_crossed(self) -> bool:
        """Tell whether the best bid is at or above the best ask."""
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids and asks and bids[-1] + asks[-1] >= 0)

    def consume_print(self, side: str, price_ticks: int, lots: int) -> list[tuple[Entry, int]]:
        """Apply a recorded trade that hit `side` at a price; return the entries it reached.

        Entries at better prices come first, then the front of the level. The size is not exceeded. The
        entries are not changed: the caller fills them one by one with `fill`.
        """
        book_side = self._bids if side == "BUY" else self._asks
        limit = price_ticks * book_side.sign
        reached: list[tuple[Entry, int]] = []
        for key in sorted((k for k in book_side.owned_keys if k > limit), reverse=True):
            for entry in book_side.levels[key].entries:
                if not lots:
                    return reached
                take = min(lots, entry.lots)
                lots -= take
                reached.append((entry, take))
        level = book_side.levels.get(limit)
        if level is None or not lots:
            return reached
        book_side.changed.add(limit)
        for entry in level.entries:
            eaten = min(entry.ahead, lots)
            entry.ahead -= eaten
            lots -= eaten
            take = min(lots, entry.lots)
            if not take:
                return reached
            lots -= take
            reached.append((entry, take))
        level.tail -= min(level.tail, lots)
        if not level.entries and not level.tail:
            book_side.drop(limit)
        return reached

    @staticmethod
    def _forget_entry(book_side: _Side, key: int) -> None:
        book_side.entries -= 1
        left = book_side.owned_keys[key] - 1
        if left:
            book_side.owned_keys[key] = left
        else:
            del book_side.owned_keys[key]


def _top(book_side: _Side, n: int) -> list[tuple[int, int]]:
    sign, levels = book_side.sign, book_side.levels
    return [(key * sign, levels[key].total) for key in reversed(book_side.keys[-n:])]


def _take_changes(book_side: _Side) -> list[tuple[int, int]]:
    if not book_side.changed:
        return []
    levels, sign = book_side.levels, book_side.sign
    rows = []
    for key in book_side.changed:
        level = levels.get(key)
        rows.append((key * sign, level.total if level else 0))
    book_side.changed.clear()
    rows.sort()
    return rows

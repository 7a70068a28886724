"""What was earned, from the journal alone: trades from flat to flat, by owner and symbol. Reads only."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.journal.tail import JournalTail
from engine.model.positions import Position
from engine.model.records import EXTERNAL, AccountReport, Adjustment, Fill, JournalRecord, Start
from engine.orders.client_ids import client_id_prefix
from engine.orders.order_store import OrderStore
from engine.tables.reading import first_base
from gateways.wire.words import AccountChange

ZERO = Decimal(0)
_FOREIGN = (EXTERNAL, OPERATOR)
_BATCH = 5_000


class RoundTrip(msgspec.Struct):
    """One trade from flat to flat, or one that is open still (`closed_ns` 0).

    `qty_base` is the largest size held, `side` "long" or "short". Prices are averages (`exit_price` None: not
    known), `profit` is in the quote asset before `fees`, which are positive when paid.
    """

    strategy: str
    symbol: str
    side: str
    opened_ns: int
    qty_base: Decimal = ZERO
    entry_price: Decimal = ZERO
    exit_price: Decimal | None = None
    profit: Decimal = ZERO
    fees: Decimal = ZERO
    closed_ns: int = 0
    left_base: Decimal = ZERO
    """What has been closed of it so far."""

    @property
    def net(self) -> Decimal:
        """Profit less fees."""
        return self.profit - self.fees

    def leave(self, qty_base: Decimal, price: Decimal) -> None:
        """A part was closed at a price: it counts in the average."""
        before = self.left_base * (self.exit_price or price)
        self.left_base += qty_base
        self.exit_price = (before + qty_base * price) / self.left_base


class Results:
    """Trades, and what else has changed the balance. Give it the journal's records in order."""

    def __init__(self, quote_asset: str = "USDT") -> None:
        self.closed: list[RoundTrip] = []
        self.funding: list[tuple[int, Decimal]] = []
        """Time and amount, negative when paid."""
        self.other: list[tuple[int, Decimal, str]] = []
        """Further changes of the balance, with the exchange's reason."""
        self.fees_elsewhere: dict[str, Decimal] = {}
        """Fees paid in other assets: they are in no other number."""
        self.begins_after = 0
        self._quote_asset = quote_asset
        self._orders = OrderStore("")
        self._known = False
        self._positions: dict[tuple[str, str], Position] = {}
        self._open: dict[tuple[str, str], RoundTrip] = {}

    @property
    def still_open(self) -> list[RoundTrip]:
        """Trades that are not closed, oldest first."""
        return sorted(self._open.values(), key=lambda one: one.opened_ns)

    def begin(self, sequence: int, engine_id: str, orders: object, account: object) -> None:
        """Where the first records were deleted: go on from what they had come to."""
        self.begins_after, self._known = sequence, True
        self._orders = OrderStore(client_id_prefix(engine_id) if engine_id else "")
        self._orders.restore(orders)  # type: ignore[arg-type]  # as the base holds it
        store = AccountStateStore(self._quote_asset)
        store.restore(account)  # type: ignore[arg-type]  # as the base holds it
        for owner, position in store.strategy_positions():
            self._positions[owner, position.symbol] = position
            if position.qty_base:
                side = "long" if position.qty_base > ZERO else "short"
                trip = RoundTrip(
                    owner, position.symbol, side, 0, abs(position.qty_base), position.entry_price
                )
                self._open[owner, position.symbol] = trip

    def apply(self, record: JournalRecord) -> None:
        """Take in one record."""
        if isinstance(record, Start) and not self._known:
            self._known = True
            self._orders = OrderStore(client_id_prefix(record.engine_id))
        applied = self._orders.replay(record)
        if applied is not None and applied.fill is not None:
            self._fill(applied.fill)
        elif isinstance(record, Adjustment):
            self._adjust(record)
        elif isinstance(record, AccountReport):
            self._account(record)

    def _fill(self, fill: Fill) -> None:
        key = fill.strategy, fill.symbol
        position = self._positions.setdefault(key, Position(fill.symbol))
        held = position.qty_base
        is_closing = held * fill.signed_base < ZERO
        closed = min(abs(held), fill.qty_base) if is_closing else ZERO
        profit = position.trade(fill.side, fill.qty_base, fill.price)
        fee = self._fee(fill)
        if closed:
            trip = self._open[key]
            trip.leave(closed, fill.price)
            trip.profit += profit
            trip.fees += fee * closed / fill.qty_base
            self._close_if_flat(key, fill.time_ns, is_over=closed == abs(held))
        if closed < fill.qty_base:
            self._enlarge(key, position, fill.time_ns)
            self._open[key].fees += fee * (fill.qty_base - closed) / fill.qty_base

    def _fee(self, fill: Fill) -> Decimal:
        if fill.fee_asset in {self._quote_asset, ""}:
            return fill.fee
        if fill.fee:
            self.fees_elsewhere[fill.fee_asset] = self.fees_elsewhere.get(fill.fee_asset, ZERO) + fill.fee
        return ZERO

    def _enlarge(self, key: tuple[str, str], position: Position, time_ns: int) -> None:
        side = "long" if position.qty_base > ZERO else "short"
        trip = self._open.setdefault(key, RoundTrip(*key, side, time_ns))
        trip.qty_base = max(trip.qty_base, abs(position.qty_base))
        trip.entry_price = position.entry_price

    def _adjust(self, adjustment: Adjustment) -> None:
        """Somebody else closed it, or quantity came from or went to another owner."""
        key = adjustment.strategy, adjustment.symbol
        position = self._positions.setdefault(key, Position(adjustment.symbol))
        held = position.qty_base
        position.adjust(adjustment.qty_base, adjustment.entry_price)
        if not held or held * adjustment.qty_base > ZERO:
            if position.qty_base:
                self._enlarge(key, position, adjustment.time_ns)
            return
        trip, taken = self._open.get(key), min(abs(held), abs(adjustment.qty_base))
        if trip is None:
            return
        other = self._other_side(adjustment)
        if adjustment.strategy in _FOREIGN and adjustment.between_owners:
            trip.qty_base -= taken  # it was the other's trade that this ended
        elif other is not None:
            price = self._positions[other.strategy, other.symbol].entry_price
            trip.leave(taken, price)
            move = price - trip.entry_price
            trip.profit += taken * (move if held > ZERO else -move)
            share = other.fees * taken / other.qty_base
            trip.fees += share
            other.fees -= share
        trip.profit += adjustment.realised_pnl
        self._close_if_flat(key, adjustment.time_ns, is_over=not position.qty_base)

    def _other_side(self, adjustment: Adjustment) -> RoundTrip | None:
        """What somebody else did who traded against an owner's position."""
        if not adjustment.between_owners:
            return None
        for owner in _FOREIGN:
            position = self._positions.get((owner, adjustment.symbol))
            if position is not None and position.qty_base * adjustment.qty_base > ZERO:
                return self._open.get((owner, adjustment.symbol))
        return None

    def _close_if_flat(self, key: tuple[str, str], time_ns: int, *, is_over: bool) -> None:
        if is_over:
            trip = self._open.pop(key)
            trip.closed_ns = time_ns
            if trip.qty_base > ZERO:
                self.closed.append(trip)

    def _account(self, record: AccountReport) -> None:
        update = record.update
        for balance in update.balances:
            if balance.asset != self._quote_asset or not balance.change:
                continue
            if update.change is AccountChange.FUNDING:
                self.funding.append((update.transaction_time_ns, balance.change))
            elif update.change is not AccountChange.TRANSFER:
                self.other.append((update.transaction_time_ns, balance.change, update.reason))


def read_results(folder: Path) -> Results:
    """All that the journal in `folder` holds, also while an engine writes it. JournalError, OSError."""
    results = Results()
    base = first_base(folder)
    if base is not None:
        results.begin(base.sequence, base.replica.engine_id, base.replica.orders, base.replica.account)
    for record in _records(JournalTail(folder, after=results.begins_after)):
        results.apply(record)
    return results


def _records(tail: JournalTail) -> Iterator[JournalRecord]:
    while found := tail.read(_BATCH):
        for _, record in found:
            yield record

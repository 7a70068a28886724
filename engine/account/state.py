"""The account twice: as the exchange states it, and as our own fills make it.

The exchange is the truth about positions and balances; our fills are the truth about what we did. At rest
the invariant holds for each symbol: venue position = sum of fills + accepted adjustments.
"""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from engine.account.daily import DailyPnl
from engine.model.lots import plain
from engine.model.positions import ZERO, Position
from engine.model.records import EXTERNAL, AccountReport, Adjustment, DayBegan, Fill, JournalRecord
from gateways.wire.messages import AccountUpdate, Balance, MarkPrice, PositionReport, Snapshot
from gateways.wire.words import AccountChange

TAKER_FEE, MAKER_FEE = Decimal("0.0005"), Decimal("0.0002")
"""Of Binance's lowest level: nobody pays more, and in another asset all pay less."""


class VenuePosition(msgspec.Struct, array_like=True):
    """The exchange's own word on one symbol, all position sides together."""

    symbol: str
    sides: dict[str, PositionReport]
    epoch: int = 0
    sequence: int = 0
    changed_ns: int = 0

    @property
    def qty_base(self) -> Decimal:
        """Signed net quantity."""
        return sum((report.qty_base for report in self.sides.values()), ZERO)


class PositionMismatch(msgspec.Struct, frozen=True):
    """The exchange's quantity is not the sum of our fills and adjustments.

    `entry_price` is the exchange's; `since_ns` the last change of either side. `realised_pnl` is what our
    position would have earned on the part that is gone, at the mark price: the best that is known of it.
    """

    symbol: str
    venue_base: Decimal
    ours_base: Decimal
    entry_price: Decimal
    since_ns: int
    realised_pnl: Decimal = ZERO

    @property
    def text(self) -> str:
        """Both numbers in a sentence."""
        theirs, ours = plain(self.venue_base), plain(self.ours_base)
        return f"{self.symbol}: the exchange holds {theirs}, our fills make {ours}"

    def adjustment(self, now_ns: int, evidence: str) -> Adjustment:
        """What would explain it, owned by nobody of ours."""
        return Adjustment(
            symbol=self.symbol,
            strategy=EXTERNAL,
            qty_base=self.venue_base - self.ours_base,
            entry_price=self.entry_price,
            reason="the exchange's position is not the sum of our fills",
            evidence=evidence,
            time_ns=now_ns,
            realised_pnl=self.realised_pnl,
        )


class AccountState(msgspec.Struct, array_like=True):
    """An account as it goes into a snapshot."""

    balances: dict[str, Balance]
    venue: dict[str, VenuePosition]
    positions: dict[str, Position]
    by_strategy: list[tuple[str, Position]]
    changed_ns: dict[str, int]
    marks: dict[str, Decimal]
    daily: DailyPnl
    other_fees: dict[str, Decimal]
    funding: Decimal = ZERO
    estimated_fees: Decimal = ZERO
    other_changes: Decimal = ZERO


class AccountStateStore:
    """Balances and positions as the exchange says, and positions as our fills say.

    `quote_asset` is the asset fees and P&L are summed in; fees in another asset are kept apart, and count in
    `total_pnl` as what they would have been in the quote asset at most.
    """

    def __init__(self, quote_asset: str = "USDT") -> None:
        self.quote_asset = quote_asset
        self._balances: dict[str, Balance] = {}
        self._venue: dict[str, VenuePosition] = {}
        self._positions: dict[str, Position] = {}
        self._by_strategy: dict[tuple[str, str], Position] = {}
        self._changed_ns: dict[str, int] = {}
        self._marks: dict[str, Decimal] = {}
        self._daily = DailyPnl()
        self._new_day: DayBegan | None = None
        self._other_fees: dict[str, Decimal] = {}
        self._funding = ZERO
        self._estimated_fees = ZERO
        self._other_changes = ZERO
        self._told = (0, 0)
        self.marked_symbols: Collection[str] | None = None
        """Whose mark prices come (None: all); a day of P&L begins when those held have theirs."""

    def on_snapshot(self, snapshot: Snapshot, symbols: Collection[str] | None = None) -> None:
        """Take the exchange's balances and positions; only a complete one proves a position absent, and only
        of the `symbols` it is about (None: all).

        Balances, and a symbol, about which a newer account update was seen already stay as they are.
        """
        if not self.is_ahead_of(snapshot):
            for balance in snapshot.balances:
                self._balances[balance.asset] = balance
        reported: dict[str, dict[str, PositionReport]] = {}
        for report in snapshot.positions:
            reported.setdefault(report.symbol, {})[report.position_side] = report
            if report.mark_price is not None:
                self._marks[report.symbol] = report.mark_price
        if snapshot.complete:
            for symbol in self._venue:
                if symbols is None or symbol in symbols:
                    reported.setdefault(symbol, {})
        for symbol, sides in reported.items():
            known = self._venue.get(symbol)
            if known and known.epoch == snapshot.epoch and known.sequence > snapshot.cursor_sequence:
                continue
            new = VenuePosition(symbol, sides, snapshot.epoch, snapshot.cursor_sequence, snapshot.time_ns)
            if known and known.qty_base == new.qty_base:
                new.changed_ns = known.changed_ns
            self._venue[symbol] = new

    def is_ahead_of(self, snapshot: Snapshot) -> bool:
        """Whether an account update from after the snapshot has been seen."""
        epoch, sequence = self._told
        return snapshot.epoch == epoch and snapshot.cursor_sequence < sequence

    def on_account_update(self, update: AccountUpdate) -> None:
        """Take changed balances and positions; what is no transfer counts as earned or lost."""
        self._told = max(self._told, (update.epoch, update.sequence))
        self._begin_day(update.transaction_time_ns)
        for balance in update.balances:
            self._balances[balance.asset] = balance
            if balance.asset != self.quote_asset or update.change is AccountChange.TRANSFER:
                continue
            if update.change is AccountChange.FUNDING:
                self._funding += balance.change
            else:
                self._other_changes += balance.change
        for report in update.positions:
            venue = self._venue.get(report.symbol)
            if venue is None:
                venue = self._venue[report.symbol] = VenuePosition(report.symbol, {})
            venue.sides[report.position_side] = report
            venue.epoch, venue.sequence = update.epoch, update.sequence
            venue.changed_ns = update.transaction_time_ns

    def on_fill(self, fill: Fill) -> Decimal:
        """Count one fill (the order store has removed repetitions); returns what it realised there."""
        self._begin_day(fill.time_ns)
        realised = ZERO
        for position in (self._owned(fill.strategy, fill.symbol), self._net(fill.symbol)):
            realised = position.trade(fill.side, fill.qty_base, fill.price)
            position.venue_realised_pnl += fill.realised_pnl
            position.fills += 1
            if fill.fee_asset in {self.quote_asset, ""}:
                position.fees += fill.fee
        if fill.fee and fill.fee_asset not in {self.quote_asset, ""}:
            self._other_fees[fill.fee_asset] = self._other_fees.get(fill.fee_asset, ZERO) + fill.fee
            if fill.fee > ZERO:
                rate = MAKER_FEE if fill.is_maker else TAKER_FEE
                self._estimated_fees += rate * fill.price * fill.qty_base
        self._touch(fill.symbol, fill.time_ns)
        return realised

    def on_adjustment(self, adjustment: Adjustment) -> None:
        """Count an accepted adjustment."""
        self._owned(adjustment.strategy, adjustment.symbol).adjust(
            adjustment.qty_base, adjustment.entry_price
        )
        self._other_changes += adjustment.realised_pnl
        if not adjustment.between_owners:
            self._net(adjustment.symbol).adjust(adjustment.qty_base, adjustment.entry_price)
        self._touch(adjustment.symbol, adjustment.time_ns)

    def on_mark(self, mark: MarkPrice) -> None:
        """Newest mark price; also begins a new day of P&L."""
        self._marks[mark.symbol] = mark.mark_price
        self._begin_day(mark.event_time_ns)

    def replay(self, record: JournalRecord) -> None:
        """Rebuild from one journal record. Fills come from the order store's replay, not from here."""
        if isinstance(record, AccountReport):
            self.on_account_update(record.update)
        elif isinstance(record, Adjustment):
            self.on_adjustment(record)
        elif isinstance(record, DayBegan):
            self._daily = DailyPnl(record.day, record.baseline)

    def forget_marks(self) -> None:
        """Those of a run before are no prices of now."""
        self._marks = {}

    def take_new_day(self) -> DayBegan | None:
        """The day that has begun since the last call, for the journal: a restart cannot know its baseline."""
        began, self._new_day = self._new_day, None
        return began

    def position(self, symbol: str) -> Position:
        """By our fills, all owners together."""
        return self._positions.get(symbol) or Position(symbol)

    def strategy_position(self, strategy: str, symbol: str) -> Position:
        """By the fills of one owner."""
        return self._by_strategy.get((strategy, symbol)) or Position(symbol)

    def positions(self) -> tuple[Position, ...]:
        """Every symbol ever held, by symbol."""
        return tuple(self._positions[symbol] for symbol in sorted(self._positions))

    def strategy_positions(self) -> tuple[tuple[str, Position], ...]:
        """Every owner and symbol ever held, sorted."""
        return tuple((key[0], self._by_strategy[key]) for key in sorted(self._by_strategy))

    def venue_base(self, symbol: str) -> Decimal:
        """The exchange's own signed quantity."""
        venue = self._venue.get(symbol)
        return ZERO if venue is None else venue.qty_base

    def venue_positions(self) -> tuple[VenuePosition, ...]:
        """The exchange's positions, by symbol."""
        return tuple(self._venue[symbol] for symbol in sorted(self._venue))

    def mark(self, symbol: str) -> Decimal | None:
        """Newest mark price."""
        return self._marks.get(symbol)

    def balance(self, asset: str) -> Balance | None:
        """The exchange's word on one asset."""
        return self._balances.get(asset)

    @property
    def wallet_balance(self) -> Decimal:
        """The exchange's wallet balance of the quote asset (0 before it was told)."""
        balance = self._balances.get(self.quote_asset)
        return ZERO if balance is None else balance.wallet

    @property
    def realised_pnl(self) -> Decimal:
        """Realised P&L of all our fills, before fees."""
        return sum((position.realised_pnl for position in self._positions.values()), ZERO)

    @property
    def fees(self) -> Decimal:
        """Fees of all our fills in the quote asset, positive when paid."""
        return sum((position.fees for position in self._positions.values()), ZERO)

    @property
    def funding(self) -> Decimal:
        """Funding received less funding paid, as far as the user stream told of it."""
        return self._funding

    @property
    def other_changes(self) -> Decimal:
        """What changed the balance and is no P&L of a fill, fee, funding or transfer, as a liquidation's
        clearance fee; and what was lost with positions of which only the end is known."""
        return self._other_changes

    @property
    def other_fees(self) -> dict[str, Decimal]:
        """Fees that were taken in another asset."""
        return dict(sorted(self._other_fees.items()))

    @property
    def unrealised_pnl(self) -> Decimal:
        """Open P&L at the newest mark prices; a position without a mark counts 0."""
        return sum(
            (
                position.unrealised(mark)
                for symbol, position in self._positions.items()
                if position.qty_base and (mark := self._marks.get(symbol)) is not None
            ),
            ZERO,
        )

    @property
    def estimated_fees(self) -> Decimal:
        """The most that fees taken in other assets are worth in the quote asset."""
        return self._estimated_fees

    @property
    def total_pnl(self) -> Decimal:
        """Realised and open P&L less fees of any asset, funding, and all else that is no transfer."""
        fees = self.fees + self._estimated_fees
        return self.realised_pnl + self.unrealised_pnl - fees + self.funding + self.other_changes

    @property
    def daily_pnl(self) -> Decimal:
        """Total P&L since 00:00 UTC."""
        return self._daily.value(self.total_pnl)

    @property
    def equity(self) -> Decimal:
        """Wallet balance plus open P&L."""
        return self.wallet_balance + self.unrealised_pnl

    def mismatches(self, settled_before_ns: int | None = None) -> tuple[PositionMismatch, ...]:
        """Symbols where the exchange and our fills disagree, by symbol.

        An order event and its account event travel apart: with `settled_before_ns` only symbols are
        reported in which neither side has changed since then.
        """
        found = []
        for symbol in sorted(self._venue.keys() | self._positions.keys()):
            venue = self._venue.get(symbol)
            venue_base, ours = self.venue_base(symbol), self.position(symbol).qty_base
            since = max(self._changed_ns.get(symbol, 0), venue.changed_ns if venue else 0)
            if venue_base != ours and (settled_before_ns is None or since <= settled_before_ns):
                reports = venue.sides.values() if venue else ()
                entry = next((r.entry_price for r in reports if r.qty_base), ZERO)
                found.append(
                    PositionMismatch(
                        symbol, venue_base, ours, entry, since, self._lost_with(symbol, venue_base)
                    )
                )
        return tuple(found)

    def _lost_with(self, symbol: str, venue_base: Decimal) -> Decimal:
        """What our position has earned on the part the exchange no longer has, at the mark price."""
        held, mark = self.position(symbol), self._marks.get(symbol)
        still = min(abs(venue_base), abs(held.qty_base)) if venue_base * held.qty_base > ZERO else ZERO
        if not held.qty_base or mark is None:
            return ZERO
        return held.unrealised(mark) * (abs(held.qty_base) - still) / abs(held.qty_base)

    def state(self) -> AccountState:
        """For a snapshot."""
        return AccountState(
            self._balances,
            self._venue,
            self._positions,
            [(key[0], position) for key, position in self._by_strategy.items()],
            self._changed_ns,
            self._marks,
            self._daily,
            self._other_fees,
            self._funding,
            self._estimated_fees,
            self._other_changes,
        )

    def restore(self, state: AccountState) -> None:
        """Replace everything by a snapshot's."""
        self._balances = dict(state.balances)
        self._venue = dict(state.venue)
        self._positions = dict(state.positions)
        self._by_strategy = {(owner, position.symbol): position for owner, position in state.by_strategy}
        self._changed_ns = dict(state.changed_ns)
        self._marks = dict(state.marks)
        self._daily = state.daily
        self._other_fees = dict(state.other_fees)
        self._funding = state.funding
        self._estimated_fees = state.estimated_fees
        self._other_changes = state.other_changes

    def _begin_day(self, now_ns: int) -> None:
        if self._daily.is_over(now_ns) and self._is_marked:
            daily = self._daily = DailyPnl.beginning(now_ns, self.total_pnl)
            self._new_day = DayBegan(daily.day, daily.baseline, now_ns)

    @property
    def _is_marked(self) -> bool:
        """Without the open P&L of all that is held, a day's beginning would be a wrong number."""
        marked = self.marked_symbols
        return all(
            one.symbol in self._marks or (marked is not None and one.symbol not in marked)
            for one in self._positions.values()
            if one.qty_base
        )

    def _net(self, symbol: str) -> Position:
        position = self._positions.get(symbol)
        if position is None:
            position = self._positions[symbol] = Position(symbol)
        return position

    def _owned(self, strategy: str, symbol: str) -> Position:
        position = self._by_strategy.get((strategy, symbol))
        if position is None:
            position = self._by_strategy[strategy, symbol] = Position(symbol)
        return position

    def _touch(self, symbol: str, time_ns: int) -> None:
        self._changed_ns[symbol] = max(time_ns, self._changed_ns.get(symbol, 0))

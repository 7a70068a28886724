"""Restores a core from a journal, and makes the snapshot that a journal keeps."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from engine.core.engine import Engine
from engine.core.given import given_before
from engine.core.saved_state import EngineState, Rebuilt, encode_state, rebuild
from engine.journal.recovered import Recovered
from engine.journal.segment import JournalError
from engine.model.cause import Cause
from engine.model.operator_state import Left, OperatorSaved, OwnerKey
from engine.model.records import (
    AccountKnown,
    AccountReport,
    CommandGiven,
    ExitState,
    Fill,
    Intent,
    JournalRecord,
    OrderReport,
    RecordsLost,
    Signal,
)
from gateways.wire.cursor import Cursor
from runtime.control.status import Counts

_CORE = "core"
Named = TypeVar("Named", OwnerKey, Left)
SIGNALS_KEPT = 20
"""Of the newest signals in a snapshot, for people; nothing depends on them."""


class _CoreState(msgspec.Struct, array_like=True):
    """What the core adds to a snapshot. `decided` names the last decided bar of each strategy, `leaving` and
    `left_behind` the cause for which its position must be left."""

    epoch: int = 0
    sequence: int = 0
    last_fill_ns: int = 0
    decided: list[tuple[str, str, int]] = msgspec.field(default_factory=list)
    commands: list[str] = msgspec.field(default_factory=list)
    paused: bool = False
    killed: bool = False
    paused_slots: list[tuple[str, str]] = msgspec.field(default_factory=list)
    counts: Counts = Counts()
    leaving: list[tuple[str, str, str]] = msgspec.field(default_factory=list)
    recent_signals: list[Signal] = msgspec.field(default_factory=list)
    lost: str = ""
    written_ns: int = 0
    account_id: str = ""
    paused_since_ns: int = 0
    left_behind: list[Left] = msgspec.field(default_factory=list)


def restore(engine: Engine, found: Recovered) -> Cursor:
    """Bring a fresh core to where the journal ends; returns the last order event that was taken.

    Orders of which nobody knows whether they left are UNKNOWN afterwards, and asked about.
    """
    try:
        rebuilt = rebuild(found, engine.store, engine.account)
        raw = rebuilt.extra.get(_CORE)
        core = _CoreState() if raw is None else msgspec.msgpack.decode(raw, type=_CoreState)
    except msgspec.DecodeError as error:
        raise JournalError(
            f"the journal's snapshot is of another version ({error}); use the version that wrote it"
        ) from None
    engine.earlier = _counted(core.counts, rebuilt, found)
    engine.account.forget_marks()
    cursor = Cursor(core.epoch, core.sequence)
    engine.recovery.last_fill_ns = core.last_fill_ns
    for owner, symbol, open_time_ns in core.decided:
        _decided(engine, owner, symbol, open_time_ns)
    engine.operator.restore(
        OperatorSaved(
            commands=core.commands,
            is_paused=core.paused,
            paused_since_ns=core.paused_since_ns,
            is_killed=core.killed,
            paused=core.paused_slots,
            leaving=core.leaving,
            left_behind=core.left_behind,
        )
    )
    engine.trades.log.recent.extend(core.recent_signals)
    for _, record in found.records:
        cursor = _replay(engine, record, cursor)
    engine.ownership.forget_left()
    _restore_lost(engine, found, core)
    engine.account.take_new_day()
    _count_sent_orders(engine)
    for state in rebuilt.exit_states:
        _restore_exits(engine, state)
    engine.trades.replay(rebuilt.unseen)
    for order in engine.store.after_restart():
        engine.orders.query_soon(order.client_order_id)
    engine.trades.adopt_orders(engine.ownership.leaving)
    engine.stop_check.adopt_orders()
    return cursor


def _restore_lost(engine: Engine, found: Recovered, core: _CoreState) -> None:
    """When the journal ends, and whether records of it are missing."""
    lost, engine.recovery.account_id = core.lost, core.account_id
    for _, record in found.records:
        if isinstance(record, RecordsLost):
            lost = record.text
        elif isinstance(record, AccountKnown):
            engine.recovery.account_id = record.account_id
    engine.lost.restore(found.lost or lost)
    newest_ns = (getattr(record, "time_ns", 0) for _, record in found.records)
    engine.recovery.written_ns = max(newest_ns, default=core.written_ns)


def _counted(before: Counts, rebuilt: Rebuilt, found: Recovered) -> Counts:
    """Counts of the snapshot, and of the records after it."""
    kinds = Counter(type(record) for _, record in found.records)
    return Counts(
        before.signals + kinds[Signal],
        before.orders + kinds[Intent],
        before.fills + len(rebuilt.fills),
        before.rejects + rebuilt.rejections,
    )


def snapshot_of(engine: Engine, cursor: Cursor, counts: Counts | None = None) -> bytes:
    """Everything a new start needs, for `Journal.rotate`. `counts` are those since the journal began."""
    operator = engine.operator.saved()
    core = _CoreState(
        cursor.epoch,
        cursor.sequence,
        engine.recovery.last_fill_ns,
        [(slot.owner, slot.symbol, slot.decided_open_ns) for slot in engine.strategies.slots],
        operator.commands,
        operator.is_paused,
        operator.is_killed,
        _in_order(engine, operator.paused),
        counts or engine.earlier,
        _in_order(engine, operator.leaving),
        [one.signal for one in engine.trades.log.recent][-SIGNALS_KEPT:],
        engine.lost.text,
        engine.clock.now_ns,
        engine.recovery.account_id,
        operator.paused_since_ns,
        operator.left_behind,
    )
    return encode_state(
        EngineState(
            engine.store.state(),
            engine.account.state(),
            engine.trades.exit_states(),
            {_CORE: msgspec.msgpack.encode(core)},
        )
    )


def _in_order(engine: Engine, keys: Iterable[Named]) -> list[Named]:
    """What was said to configured strategies in their order, then what was said to others."""
    places = {slot.key: place for place, slot in enumerate(engine.strategies.slots)}
    return sorted(keys, key=lambda one: (places.get((one[0], one[1]), len(places)), one))


def _restore_exits(engine: Engine, state: ExitState) -> None:
    """JournalError when the state is of another version: trading on without it could lose a stop."""
    try:
        engine.trades.restore(state)
    except (ValueError, msgspec.DecodeError) as error:
        raise JournalError(
            f"the journal's exit state of {state.strategy} on {state.symbol} is of another version "
            f"({error}); use the version that wrote it until its position is closed, or move the journal away"
        ) from None


def _replay(engine: Engine, record: JournalRecord, cursor: Cursor) -> Cursor:
    """Take from a record what stores and exit rules do not."""
    if isinstance(record, Signal):
        engine.trades.log.recent.append(record)
    if isinstance(record, (OrderReport, AccountReport)):
        update = record.update
        if update.epoch:
            return Cursor(update.epoch, update.sequence)
    elif isinstance(record, (Signal, ExitState)):
        _decided(engine, record.strategy, record.symbol, record.bar_open_time_ns)
    elif isinstance(record, Intent):
        if not record.is_exit:
            engine.operator.forget_left_behind((record.strategy, record.symbol))
        open_time_ns = Cause.parse(record.cause).bar_open_time_ns
        if open_time_ns is not None:
            _decided(engine, record.strategy, record.symbol, open_time_ns)
    elif isinstance(record, Fill):
        engine.recovery.last_fill_ns = max(engine.recovery.last_fill_ns, record.time_ns)
    elif isinstance(record, CommandGiven):
        engine.operator.apply(given_before(record, engine.commands.targets, engine.ownership.left_by))
    return cursor


def _count_sent_orders(engine: Engine) -> None:
    """Orders before the restart count for the order rate."""
    store = engine.store
    orders = (one for one in (*store.open_orders(), *store.closed_orders()) if not one.is_external)
    for time_ns in sorted(order.intent.time_ns for order in orders):
        engine.risk.note_sent(time_ns)


def _decided(engine: Engine, owner: str, symbol: str, open_time_ns: int) -> None:
    slot = engine.strategies.slot(owner, symbol)
    if slot is not None:
        slot.decided_open_ns = max(slot.decided_open_ns, open_time_ns)

"""The engine's state as one snapshot, and stores rebuilt from a journal."""

import msgspec

from engine.account.state import AccountState, AccountStateStore
from engine.journal.recovered import Recovered
from engine.model.records import ExitState, Fill
from engine.orders.order_store import OrderStore, OrderStoreState


class EngineState(msgspec.Struct, array_like=True):
    """What `Journal.rotate` is given. `extra` holds what other parts serialised themselves, by name."""

    orders: OrderStoreState
    account: AccountState
    exit_states: list[ExitState]
    extra: dict[str, bytes] = msgspec.field(default_factory=dict)


class Rebuilt(msgspec.Struct, frozen=True):
    """What a journal says beyond orders and account: the newest exit-rule states by strategy and symbol,
    `extra` of the snapshot; fills and number of refused orders of the records after it.

    `unseen` are fills that came after the newest state of their strategy's exit rules: a crash came between.
    """

    exit_states: tuple[ExitState, ...]
    extra: dict[str, bytes]
    fills: tuple[Fill, ...]
    rejections: int = 0
    unseen: tuple[Fill, ...] = ()


def encode_state(state: EngineState) -> bytes:
    """For `Journal.rotate`."""
    return msgspec.msgpack.encode(state)


def rebuild(found: Recovered, orders: OrderStore, account: AccountStateStore) -> Rebuilt:
    """Fill empty stores from a journal. Afterwards call `orders.after_restart()` and reconcile.

    Fills are those that order reports bring, each once; Fill records are their readable copy and are not
    counted again.
    """
    exits: dict[tuple[str, str], ExitState] = {}
    extra: dict[str, bytes] = {}
    if found.state is not None:
        state = msgspec.msgpack.decode(found.state, type=EngineState)
        orders.restore(state.orders)
        account.restore(state.account)
        exits = {(one.strategy, one.symbol): one for one in state.exit_states}
        extra = state.extra
    fills: list[Fill] = []
    unseen: dict[tuple[str, str], list[Fill]] = {}
    rejections = 0
    for _, record in found.records:
        applied = orders.replay(record)
        rejections += applied is not None and applied.is_rejection
        if applied is not None and applied.fill is not None:
            account.on_fill(applied.fill)
            fills.append(applied.fill)
            unseen.setdefault((applied.fill.strategy, applied.fill.symbol), []).append(applied.fill)
        account.replay(record)
        if isinstance(record, ExitState):
            exits[record.strategy, record.symbol] = record
            unseen.pop((record.strategy, record.symbol), None)
    return Rebuilt(
        tuple(exits[key] for key in sorted(exits)),
        extra,
        tuple(fills),
        rejections,
        tuple(fill for late in unseen.values() for fill in late),
    )

"""Orders and account after a restart are those from before it, wherever the restart and the snapshot fall."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.account.state import AccountStateStore
from engine.core.saved_state import EngineState, encode_state, rebuild
from engine.journal.journal import Journal, JournalOptions
from engine.model.records import (
    AccountReport,
    Adjustment,
    CommandGiven,
    ExitState,
    JournalRecord,
    OrderReport,
    Sent,
    Settled,
    Unknown,
)
from engine.orders.order_store import OrderStore
from tests.support.journal_rig import opened
from tests.support.order_events import PREFIX, SYMBOL, intent, key, report, trade
from tests.support.record_samples import account_update

OPTIONS = JournalOptions(segment_bytes=65_536, reserve_bytes=4_096, sync=False)
numbers = st.integers(1, 5)


def record_of(draw: st.DrawFn, used: set[int]) -> JournalRecord:
    number = draw(numbers)
    if number not in used:
        used.add(number)
        side = draw(st.sampled_from(["BUY", "SELL"]))
        return intent(number, side=side, strategy=draw(st.sampled_from(["a", "b"])))
    piece = draw(st.integers(1, 4))
    choices: list[JournalRecord] = [
        Sent(key(number), number, 1),
        Unknown(key(number), "link", 2),
        Settled(key(number), "scan", 3),
        OrderReport(report(number=number), 4),
        OrderReport(report("CANCELED", number=number, time_ns=9_000), 5),
        OrderReport(trade(number * 10 + piece, "0.25", str(Decimal(piece) / 4), number=number), 6),
        OrderReport(trade(900 + number, "1", "1", client_order_id="web", exchange_order_id=77), 7),
        AccountReport(account_update(sequence=number), 8),
        Adjustment(SYMBOL, "EXTERNAL", Decimal(number) / 3, Decimal(50_000), "drift", "test", 9),
        ExitState("a", SYMBOL, number, bytes([number])),
        CommandGiven(f"c{number}", "pause", {}, "test", 10),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def histories(draw: st.DrawFn) -> list[JournalRecord]:
    used: set[int] = set()
    return [record_of(draw, used) for _ in range(draw(st.integers(0, 40)))]


class Live:
    """The stores as the running engine fills them, record by record."""

    def __init__(self) -> None:
        self.orders, self.account = OrderStore(PREFIX, closed_capacity=2), AccountStateStore()
        self.exits: dict[str, ExitState] = {}

    def take(self, record: JournalRecord) -> None:
        applied = self.orders.replay(record)
        if applied is not None and applied.fill is not None:
            self.account.on_fill(applied.fill)
        self.account.replay(record)
        if isinstance(record, ExitState):
            self.exits[record.symbol] = record

    def snapshot(self, journal: Journal) -> None:
        state = EngineState(
            self.orders.state(), self.account.state(), list(self.exits.values()), {"other": b"x"}
        )
        journal.rotate(encode_state(state))


def seen(orders: OrderStore, account: AccountStateStore) -> bytes:
    return msgspec.msgpack.encode([orders.state(), account.state()])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(histories(), st.sets(st.integers(0, 40), max_size=3))
def test_a_restart_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, history: list[JournalRecord], cuts: set[int]
):
    folder: Path = tmp_path_factory.mktemp("journal")
    journal, _ = opened(folder, options=OPTIONS)
    live = Live()
    for number, record in enumerate(history):
        if number in cuts:
            live.snapshot(journal)
        journal.append(record)
        live.take(record)
    journal.close(1)
    journal, found = opened(folder, options=OPTIONS)
    orders, account = OrderStore(PREFIX, closed_capacity=2), AccountStateStore()
    rebuilt = rebuild(found, orders, account)
    assert seen(orders, account) == seen(live.orders, live.account)
    assert rebuilt.exit_states == tuple(live.exits.values())
    assert orders.after_restart() == live.orders.after_restart()
    journal.close(1)

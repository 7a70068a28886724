"""A signal whose entry the exchange refuses was not traded, and is shown and stored as rejected."""

from collections.abc import Callable

import msgspec

from engine.model.effects import Append
from engine.model.events import Event
from engine.model.records import JournalRecord, Signal, Start
from engine.shell.status import StatusKeeper
from engine.tables import replica as replica_module
from engine.tables import schema
from engine.tables.replica import Replica, ReplicaState
from gateways.wire import messages as wire
from tests.support.engine_rig import ENGINE_ID, START_NS, Rig, config
from tests.unit.engine.core.test_engine_restarts import UP, restarted

WAVE = (100, 101, 102, 103, 104, 103, 102, 101, 100, 101, 102, 103, 104)
REASON = "-2019 Margin is insufficient."


def refuse(order: wire.SubmitOrder) -> list[Event]:
    return [wire.Reply(order.request_id, "refused", -2019, "Margin is insufficient.")]


def refuse_leg(is_exit: bool, after: int = 0) -> Callable[[wire.SubmitOrder], list[Event] | None]:
    """Refuses entries, or exits, behind the first `after` orders."""
    seen: list[str] = []

    def answer(order: wire.SubmitOrder) -> list[Event] | None:
        seen.append(order.client_order_id)
        return refuse(order) if len(seen) > after and order.is_exit is is_exit else None

    return answer


def traded(on_submit: Callable[[wire.SubmitOrder], list[Event] | None], prices: tuple[int, ...]) -> Rig:
    rig = Rig().up()
    rig.exchange.on_submit = on_submit
    return rig.prices(*prices)


def shown(rig: Rig) -> list[str]:
    return [one.fate for one in StatusKeeper(rig.engine).status(rig.now_ns).recent_signals]


def journal_of(rig: Rig) -> list[JournalRecord]:
    start = Start(ENGINE_ID, 1, "test", 1, START_NS)
    return [start, *(one.record for one in rig.effects if isinstance(one, Append))]


def stored(replica: Replica) -> list[tuple[str, str]]:
    rows = replica.take_rows().get(schema.signals, [])
    return [(row["fate"], row["detail"]) for row in rows]


def test_a_refused_entry_is_shown_as_rejected_with_the_exchanges_reason_also_after_a_restart() -> None:
    rig = traded(refuse, UP)
    assert shown(rig) == [f"rejected: {REASON}"]
    for by_snapshot in (False, True):
        assert shown(restarted(rig, config(), by_snapshot=by_snapshot)) == [f"rejected: {REASON}"]


def test_the_refused_entry_of_a_flip_makes_its_signal_rejected() -> None:
    assert shown(traded(refuse_leg(is_exit=False, after=1), WAVE)) == ["traded", f"rejected: {REASON}"]


def test_a_refused_exit_is_tried_again_and_its_signal_stays_traded() -> None:
    assert shown(traded(refuse_leg(is_exit=True), WAVE)) == ["traded", "traded"]


def test_the_tables_hold_the_fate_that_the_exchange_gave() -> None:
    replica = Replica()
    for sequence, record in enumerate(journal_of(traded(refuse, UP)), 1):
        replica.apply(sequence, record)
    assert stored(replica) == [("rejected", REASON)]


def test_the_tables_learn_it_when_the_refusal_comes_after_the_row_was_written_and_the_files_deleted() -> None:
    records = journal_of(traded(refuse, UP))
    until = next(index for index, one in enumerate(records) if isinstance(one, Signal)) + 1
    replica, again = Replica(), Replica()
    for sequence, record in enumerate(records[:until], 1):
        replica.apply(sequence, record)
    assert stored(replica) == [("traded", "")]
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(replica.state()), type=ReplicaState)
    again.restore(state)
    for sequence, record in enumerate(records[until:], until + 1):
        again.apply(sequence, record)
    assert stored(again) == [("rejected", REASON)]


def test_what_is_remembered_of_traded_signals_is_bounded() -> None:
    replica = Replica()
    signal = next(one for one in journal_of(traded(refuse, UP)) if isinstance(one, Signal))
    for number in range(3 * replica_module.TRADED_KEPT):
        replica.apply(number + 1, msgspec.structs.replace(signal, client_order_ids=(f"id{number}",)))
    assert len(replica.state().traded) == replica_module.TRADED_KEPT

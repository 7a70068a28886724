"""In what order the shell does what the core wants done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from engine.journal.journal import JournalFull, open_journal
from engine.model.audit import Answer, Notice
from engine.model.effects import Append, Effect, Notify, Send
from engine.model.events import JournalState, Timer
from engine.model.records import Intent, JournalRecord, Sent
from engine.shell import performer
from engine.shell.performer import Performer
from gateways.wire.messages import Reply, SubmitOrder, ToGateway

ORDER = SubmitOrder(1, "BTCUSDT", "nb-1", "BUY", "MARKET", Decimal("0.001"))
RECORD = Append(Sent("nb-1", 1, 5))
NOTICE = Notify(Notice(5, "info", "a word"))
ANSWER = Notify(Answer(5, "c1", True, "everything is paused"))


@contextmanager
def performing(
    folder: Path, effects: Sequence[Effect], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """What is done for one event that leads to `effects`, as words in their order."""
    done: list[str] = []
    core: Any = SimpleNamespace(decide=lambda _: effects, finish=tuple)
    journal, _ = open_journal(folder, account="test", now_ns=1, new_engine_id=lambda: "e1")
    durable = journal.durable_sequence

    class Gateway:
        def send(self, message: ToGateway) -> None:
            done.append("sent" if journal.durable_sequence > durable else "sent before it was durable")

    monkeypatch.setattr(performer, "give_way", lambda: done.append("gave way"))
    Performer(core, journal, Gateway(), lambda _: done.append("told"), lambda: 5).take(Timer(5))
    yield done
    journal.close(9)


def test_an_order_leaves_durable_then_the_gateway_may_run_then_people_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with performing(tmp_path, [RECORD, Send(ORDER), NOTICE], monkeypatch) as done:
        assert done == ["sent", "gave way", "told"]


def test_without_a_request_nobody_is_given_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with performing(tmp_path, [RECORD, NOTICE], monkeypatch) as done:
        assert done == ["told"]


def test_a_command_is_durable_before_it_is_answered_and_other_words_wait_for_no_flush(tmp_path: Path) -> None:
    durable: list[bool] = []
    journal, _ = open_journal(tmp_path, account="test", now_ns=1, new_engine_id=lambda: "e1")
    gateway: Any = SimpleNamespace()

    def told(_: object) -> None:
        durable.append(journal.durable_sequence == journal.last_sequence)

    for word in (NOTICE, ANSWER):
        core: Any = SimpleNamespace(decide=lambda _, word=word: [RECORD, word], finish=tuple)
        Performer(core, journal, gateway, told, lambda: 5).take(Timer(5))
    assert durable == [False, True]
    journal.close(9)


def test_the_order_has_left_before_the_rest_of_its_event_is_worked_out(tmp_path: Path) -> None:
    done: list[str] = []

    def finish() -> list[Effect]:
        done.append("finished")
        return [NOTICE]

    core: Any = SimpleNamespace(decide=lambda _: [RECORD, Send(ORDER)], finish=finish)
    gateway: Any = SimpleNamespace(send=lambda _: done.append("sent"))
    journal, _ = open_journal(tmp_path, account="test", now_ns=1, new_engine_id=lambda: "e1")
    Performer(core, journal, gateway, lambda events: done.append(f"told {len(events)}"), lambda: 5).take(
        Timer(5)
    )
    assert done == ["sent", "told 1", "finished", "told 1"]
    journal.close(9)


class Together:
    """A performer whose events lead to an order each; what is done, as words in their order."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.now_ns = 5
        self.journal, _ = open_journal(folder, account="test", now_ns=1, new_engine_id=lambda: "e1")
        flush = self.journal.flush
        monkeypatch.setattr(self.journal, "flush", lambda: (self.done.append("flushed"), flush()))
        monkeypatch.setattr(performer, "give_way", lambda: None)
        core: Any = SimpleNamespace(decide=self._decide, finish=tuple)
        self.performer = Performer(core, self.journal, self, self._told, lambda: self.now_ns)

    def _decide(self, event: Timer) -> list[Effect]:
        order = msgspec.structs.replace(ORDER, request_id=event.now_ns, client_order_id=f"nb-{event.now_ns}")
        return [NOTICE, Append(Sent(order.client_order_id, 1, 5)), Send(order)]

    def send(self, message: ToGateway) -> None:
        assert isinstance(message, SubmitOrder)
        self.done.append(message.client_order_id)

    def _told(self, events: Sequence[object]) -> None:
        self.done.append(f"told {len(events)}")


def test_requests_of_events_that_arrived_together_share_a_flush_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Together(tmp_path, monkeypatch)
    rig.performer.gather()
    for number in range(3):
        rig.performer.take(Timer(number))
    assert rig.done == []
    assert rig.performer.release()
    assert rig.done == ["flushed", "nb-0", "nb-1", "nb-2", "told 6"]
    assert not rig.performer.release()
    rig.performer.take(Timer(9))
    assert rig.done[5:] == ["flushed", "nb-9", "told 2"]
    rig.journal.close(9)


def test_no_request_waits_for_many_others_or_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Together(tmp_path, monkeypatch)
    rig.performer.gather()
    for number in range(performer.MOST_HELD):
        assert rig.done == []
        rig.performer.take(Timer(number))
    assert len(rig.done) == performer.MOST_HELD + 2
    rig.performer.take(Timer(100))
    rig.now_ns += performer.HELD_NS
    rig.performer.take(Timer(101))
    assert rig.done[-4:] == ["flushed", "nb-100", "nb-101", "told 4"]
    assert not rig.performer.release()
    rig.journal.close(9)


def test_an_order_that_found_no_room_in_the_journal_does_not_leave_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Together(tmp_path, monkeypatch)
    append = rig.journal.append

    def full(record: JournalRecord) -> None:
        if isinstance(record, Intent):
            raise JournalFull("full")
        append(record)

    monkeypatch.setattr(rig.journal, "append", full)
    events = {0: [Append(intent_of("nb-0")), Send(named("nb-0"))], 1: [RECORD, Send(named("nb-1"))]}
    heard: list[object] = []

    def decide(event: object) -> list[Effect]:
        if isinstance(event, Timer):
            return events[event.now_ns]
        heard.append(event)
        return []

    monkeypatch.setattr(rig.performer, "_engine", SimpleNamespace(decide=decide, finish=tuple))
    rig.performer.gather()
    rig.performer.take(Timer(0))
    rig.performer.take(Timer(1))
    rig.performer.release()
    assert [word for word in rig.done if word.startswith("nb-")] == ["nb-1"]
    assert [type(one) for one in heard] == [JournalState, Reply]
    rig.journal.close(9)


def named(client_order_id: str) -> SubmitOrder:
    return msgspec.structs.replace(ORDER, client_order_id=client_order_id)


def intent_of(client_order_id: str) -> Intent:
    return Intent(
        client_order_id, "s", "BTCUSDT", "BUY", "MARKET", Decimal("0.001"), "c", "entry", 0, 5, None, None,
        "", False, False, False, "",
    )  # fmt: skip

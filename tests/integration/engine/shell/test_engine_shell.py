"""The live process around the core, when something in it breaks."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.journal.journal import JournalError
from engine.journal.recovered import read_folder
from engine.model.events import Command, Event, LinkDown, Timer
from engine.shell.live import LiveEngine
from engine.shell.rehearsal import Rehearsal
from gateways.wire.messages import Heartbeat, Reply, Snapshot, SubmitOrder, ToGateway
from runtime.control.status import EngineStatus, read_status
from runtime.settings import load_settings
from runtime.settings.environment import Home
from tests.support.order_events import intent, snapshot, trade
from tests.support.places import ROOT

Arrange = Callable[[LiveEngine], None]


@pytest.fixture
def live(tmp_path: Path) -> LiveEngine:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    settings = load_settings("demo", home=Home(tmp_path))
    settings.engine_dir.mkdir(parents=True)
    quick = settings.engine.model_copy(update={"summary_seconds": 0.01})
    return LiveEngine(settings.model_copy(update={"engine": quick}))


def run(live: LiveEngine, arrange: Arrange) -> int:
    async def main() -> int:
        asyncio.get_running_loop().call_later(0.05, arrange, live)
        async with asyncio.timeout(20):
            return await live.run(exit_with_stdin=False)

    return asyncio.run(main())


def test_a_status_file_that_cannot_be_written_is_told_and_trading_goes_on(
    live: LiveEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    status = live._settings.summary_path
    status.with_name(status.name + ".tmp").mkdir(parents=True)
    seen: list[int] = []

    def watch(live: LiveEngine) -> None:
        decide = live.engine.decide

        def counted(event: Event) -> object:
            seen.append(1)
            if len(seen) == 10:
                live._end(0)
            return decide(event)

        live.engine.decide = counted  # type: ignore[method-assign, assignment]  # a spy

    assert run(live, watch) == 0
    assert len(seen) >= 10
    assert capsys.readouterr().out.count("cannot be written") == 1
    assert not live._journal.failure


def test_a_live_engine_rehearses_and_nothing_of_it_is_written_or_sent(
    live: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[ToGateway] = []
    seen: list[Rehearsal] = []
    once = Rehearsal.once

    def counted(rehearsal: Rehearsal) -> None:
        once(rehearsal)
        seen.append(rehearsal)
        if len(seen) == 200:
            live._end(0)

    def reconcile(live: LiveEngine) -> None:
        live.engine.health.reconciled = True
        monkeypatch.setattr(Rehearsal, "once", counted)

    live._feed.send = sent.append  # type: ignore[method-assign]  # a spy
    live._settings = live._settings.model_copy(
        update={"engine": live._settings.engine.model_copy(update={"rehearse_ms": 2.0})}
    )
    assert run(live, reconcile) == 0
    assert seen[-1].sender.orders >= 200
    assert sent == []
    folder = live._settings.engine_dir / "journal"
    written = [record for _, record in read_folder(folder, None).records]
    assert [type(record).__name__ for record in written] == ["Start", "Audit", "Stop"]
    assert "asked to stop" in repr(written[1])


def test_nothing_is_rehearsed_unless_it_is_asked_for(
    live: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr("engine.shell.live.Rehearsal", made.append)
    live._keep_warm()
    assert made == []


def test_a_journal_that_fails_in_the_housekeeping_ends_the_process(live: LiveEngine) -> None:
    def break_rotation(live: LiveEngine) -> None:
        def failing(state: bytes) -> None:
            raise JournalError("the journal failed: no more disk")

        live._journal.rotate = failing  # type: ignore[method-assign]  # the fault
        type(live._journal).wants_rotation = property(lambda _: True)  # type: ignore[method-assign, assignment]

    kept = type(live._journal).wants_rotation
    try:
        assert run(live, break_rotation) == 1
    finally:
        type(live._journal).wants_rotation = kept  # type: ignore[method-assign]


def test_after_the_journal_failed_nothing_is_decided_or_sent_and_it_is_said_once(
    live: LiveEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[ToGateway] = []
    decided: list[Event] = []
    live._feed.send = sent.append  # type: ignore[method-assign]  # a spy

    def break_journal(live: LiveEngine) -> None:
        os.close(live._journal._fd)
        live._journal._fd = os.open(os.devnull, os.O_RDONLY)
        core = live.engine
        core.health.connected = core.orders.connected = True
        core.orders.submit(intent())
        live.take(Timer(live._now_ns()))
        decide = core.decide
        core.decide = lambda event: (decided.append(event), decide(event))[1]  # type: ignore[method-assign]  # a spy

    assert run(live, break_journal) == 1
    assert (sent, decided) == ([], [])
    assert capsys.readouterr().out.count("the journal failed: ") == 1


def test_after_a_bug_nothing_is_decided_sent_or_written_any_more(live: LiveEngine) -> None:
    sent: list[ToGateway] = []
    live._feed.send = sent.append  # type: ignore[method-assign]  # a spy

    def break_core(live: LiveEngine) -> None:
        def broken(event: Event) -> object:
            live.engine.out.send(Heartbeat(1))
            raise ZeroDivisionError

        decide, live.engine.decide = live.engine.decide, broken  # type: ignore[method-assign, assignment]
        loop = asyncio.get_running_loop()
        loop.call_soon(live.take, Timer(1))
        loop.call_soon(setattr, live.engine, "decide", decide)
        loop.call_soon(live.take, Timer(2))

    assert run(live, break_core) == 1
    assert sent == []
    folder = live._settings.engine_dir / "journal"
    assert [type(record).__name__ for _, record in read_folder(folder, None).records] == ["Start"]


def told_of(live: LiveEngine) -> EngineStatus:
    told = read_status(live._settings.summary_path)
    assert told is not None
    return told


def end_with_an_order_under_way(live: LiveEngine, answer: Callable[[LiveEngine], None]) -> None:
    """Connected, with a market order that leaves in the moment the end is asked for."""
    loop = asyncio.get_running_loop()
    core = live.engine
    core.health.connected = core.orders.connected = True
    core.orders.submit(intent())

    def send(message: ToGateway) -> None:
        if isinstance(message, SubmitOrder):
            loop.call_soon(live._end, 0)
            loop.call_later(0.05, answer, live)

    live._feed.send = send  # type: ignore[method-assign]  # a stand-in for the gateway
    live.take(Timer(live._now_ns()))


def test_an_order_answered_while_the_engine_ends_is_not_said_to_stay(live: LiveEngine) -> None:
    def answer(live: LiveEngine) -> None:
        request_id = next(iter(live.engine.orders._pending))
        live.take(Reply(request_id, "ok", 0, ""))
        live.take(trade(1, "1", "1"))

    assert run(live, lambda live: end_with_an_order_under_way(live, answer)) == 0
    assert told_of(live).open_orders == ()
    assert told_of(live).fills == 1


def test_nothing_is_decided_while_the_engine_ends(live: LiveEngine) -> None:
    kinds: list[str] = []

    def answer(live: LiveEngine) -> None:
        decide = live.engine.decide

        def seen(event: Event) -> object:
            kinds.append(type(event).__name__)
            return decide(event)

        live.engine.decide = seen  # type: ignore[method-assign, assignment]  # a spy
        live.take(Timer(live._now_ns() + 60_000_000_000))
        live.take(Command(live._now_ns(), "1", "kill"))
        live.take(trade(1, "1", "1"))
        live.take(Reply(next(iter(live.engine.orders._pending)), "ok", 0, ""))

    assert run(live, lambda live: end_with_an_order_under_way(live, answer)) == 0
    assert kinds == ["OrderUpdate", "Reply", "Stop"]


def test_an_answer_that_does_not_come_holds_up_the_end_for_a_moment_only(
    live: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.shell.live._ANSWERS_S", 0.05)
    assert run(live, lambda live: end_with_an_order_under_way(live, lambda _: None)) == 0
    assert [one.order_type for one in told_of(live).open_orders] == ["MARKET"]


def test_a_link_that_is_cut_ends_the_wait_for_answers(live: LiveEngine) -> None:
    def cut(live: LiveEngine) -> None:
        live.take(LinkDown(live._now_ns(), "cut"))

    assert run(live, lambda live: end_with_an_order_under_way(live, cut)) == 0
    assert [one.state for one in told_of(live).open_orders] == ["UNKNOWN"]


@pytest.mark.parametrize(("account_id", "code"), [("SgsR", 0), ("", 0), ("other", 2)])
def test_a_journal_of_another_account_is_refused_before_anything_is_done(
    live: LiveEngine, capsys: pytest.CaptureFixture[str], account_id: str, code: int
) -> None:
    taken: list[Event] = []

    def hear(live: LiveEngine) -> None:
        decide = live.engine.decide

        def noted(event: Event) -> object:
            taken.append(event)
            return decide(event)

        live.engine.decide = noted  # type: ignore[method-assign, assignment]  # a spy
        live.engine.recovery.account_id = "SgsR"
        live.take(snapshot(account_id=account_id))
        live._end(0)

    assert run(live, hear) == code
    assert any(isinstance(event, Snapshot) for event in taken) == (code == 0)
    assert ("is of account SgsR, the exchange's is other" in capsys.readouterr().out) == (code == 2)

"""A journal older than the exchange: nothing is done twice, and a command takes over what was lost."""

import dataclasses
from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.core.restore import restore, snapshot_of
from engine.journal.recovered import Recovered
from engine.model.audit import Answer, Notice
from engine.model.config import EngineConfig
from engine.model.events import Command
from engine.model.records import EXTERNAL, LOST, Intent, OrderClaimed, RecordsLost, Signal
from gateways.wire import messages as wire
from gateways.wire.cursor import Cursor
from tests.support.engine_rig import START_NS, Rig, config, spec

SYMBOL = "BTCUSDT"
UP = (100, 99, 98, 100, 101)
SIZE = Decimal("0.1")
REPLACED = "replaced by its own"
OPEN = "entries are possible again"
OWNER = "sma_crossover_inflection:s1"


def records_of(rig: Rig) -> tuple[tuple[int, object], ...]:
    return tuple(enumerate((one.record for one in rig.effects if hasattr(one, "record")), 1))


def journal(records: tuple[tuple[int, object], ...], *, lost: str = "") -> Recovered:
    return Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0, 0, lost)  # type: ignore[arg-type]


def until_first_order(rig: Rig) -> tuple[tuple[int, object], ...]:
    """The journal as it was before anything was ordered."""
    records = records_of(rig)
    first = next(at for at, (_, record) in enumerate(records) if isinstance(record, Intent))
    return records[: first - 1]


def restarted(rig: Rig, settings: EngineConfig, found: Recovered) -> Rig:
    again = Rig(Engine(settings), rig.exchange)
    again.now_ns = rig.now_ns
    restore(again.engine, found)
    return again


def said(rig: Rig, name: str = "rebuild") -> Answer:
    rig.feed(Command(rig.now_ns, f"{name}-{len(rig.events)}", name))  # type: ignore[arg-type]
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    return answer


def criticals(rig: Rig) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and one.level == "critical"]


def held(rig: Rig, owner: str = OWNER) -> Decimal:
    return rig.engine.account.strategy_position(owner, SYMBOL).qty_base


@pytest.fixture
def settings() -> EngineConfig:
    return config(spec(protective_stop_percent=Decimal(5)))


@pytest.fixture
def older(settings: EngineConfig) -> Rig:
    """A run that has bought, and after it one that knows nothing of that."""
    rig = Rig(Engine(settings)).up().prices(*UP)
    assert rig.exchange.position == SIZE
    return restarted(rig, settings, journal(until_first_order(rig))).up()


def test_a_position_that_the_journal_does_not_know_is_not_doubled(older: Rig) -> None:
    older.prices(101, 100, 99, 98, 97, 99, 101, 102, start=10)
    assert older.exchange.position == SIZE
    assert older.sent(wire.SubmitOrder) == []
    assert older.engine.health.blockers() == (
        "the journal lacks records of our own orders; take them over with `python -m engine.ctl rebuild`",
    )
    assert {one.rule for one in older.records(Signal) if isinstance(one, Signal)} == {"lost_records"}
    (text,) = criticals(older)
    assert "was sent by this engine and is not in the journal" in text
    assert (held(older), held(older, LOST), held(older, EXTERNAL)) == (0, SIZE, 0)


def test_rebuild_gives_the_position_back_to_its_strategy_which_protects_and_leaves_it(older: Rig) -> None:
    old_stop = next(iter(older.exchange.orders))
    answer = said(older)
    assert (answer.ok, answer.text) == (
        True,
        f"taken over: {OWNER} 2 orders on {SYMBOL}, now holds 0.1, 1 resting order {REPLACED}; {OPEN}",
    )
    assert (held(older), held(older, LOST)) == (SIZE, 0)
    assert older.engine.account.strategy_position(OWNER, SYMBOL).entry_price == Decimal("101.2")
    (stop,) = older.exchange.orders.values()
    assert (stop.order_type, stop.qty_base, stop.reduce_only) == ("STOP_MARKET", SIZE, True)
    assert stop.client_order_id != old_stop
    assert older.engine.health.records_known
    said(older, "pause")  # a signal the other way leaves, and does not turn
    older.prices(101, 102, 103, 100, 97, start=10)
    assert older.exchange.position == 0
    assert not older.exchange.orders


def test_after_rebuild_a_restart_knows_it_all(older: Rig, settings: EngineConfig) -> None:
    before = journal(records_of(older))
    assert restarted(older, settings, before).engine.lost.text
    said(older)
    for found in (
        journal(records_of(older)),
        msgspec.structs.replace(before, records=(), state=snapshot_of(older.engine, Cursor(1, 7))),
    ):
        again = restarted(older, settings, found).up()
        assert (held(again), held(again, LOST)) == (SIZE, 0)
        assert again.engine.health.records_known
        assert criticals(again) == []


def test_until_rebuild_is_said_a_restart_enters_nothing_either(older: Rig, settings: EngineConfig) -> None:
    state = snapshot_of(older.engine, Cursor(1, 7))
    again = restarted(older, settings, Recovered("aaaaaa", 1, state, (), 0, (), 99, None, 0)).up()
    assert criticals(again)
    again.prices(101, 100, 99, 98, 97, 99, 101, 102, start=10)
    assert again.sent(wire.SubmitOrder) == []


def test_a_close_that_the_journal_does_not_know_is_taken_over_too(settings: EngineConfig) -> None:
    rig = Rig(Engine(settings)).up().prices(*UP)
    early = records_of(rig)
    said(rig, "flatten")
    assert rig.exchange.position == 0
    again = restarted(rig, settings, journal(early)).up()
    again.wait(60)  # the stop of the journal is asked about first
    assert (held(again), held(again, LOST)) == (SIZE, -SIZE)
    assert said(again).ok
    assert (held(again), held(again, LOST)) == (0, 0)
    assert not again.exchange.orders


def test_what_is_said_of_it_is_typed_for_its_environment(settings: EngineConfig) -> None:
    rig = Rig(Engine(settings)).up().prices(*UP)
    in_paper = dataclasses.replace(settings, environment="paper")
    again = restarted(rig, in_paper, journal(until_first_order(rig))).up()
    typed = "`python -m engine.ctl --env paper rebuild`"
    assert f"take them over with {typed}" in again.engine.health.blockers()[0]
    (text,) = criticals(again)
    assert text.endswith(f"; no entries until you run {typed} or restore the newest journal")


def test_a_resting_order_alone_proves_it(settings: EngineConfig) -> None:
    rig = Rig(Engine(settings)).up().prices(*UP)
    rig.exchange.fills.clear()  # as if the history no longer reached back
    again = restarted(rig, settings, journal(until_first_order(rig))).up()
    assert not again.engine.health.records_known


def test_somebody_elses_orders_prove_nothing(settings: EngineConfig) -> None:
    rig = Rig(Engine(settings)).up()
    rig.exchange.execute(wire.SubmitOrder(1, SYMBOL, "by-hand", "BUY", "MARKET", SIZE))
    rig.feed(rig.exchange.fills[-1])
    assert rig.engine.health.records_known
    assert held(rig, EXTERNAL) == SIZE
    answer = said(rig)
    assert (answer.ok, answer.text) == (
        True,
        "the journal lacks no record that is known of: nothing to rebuild",
    )


def test_an_old_order_whose_id_alone_is_remembered_proves_nothing() -> None:
    rig = Rig().up().prices(*UP)
    store = rig.engine.store
    (update,) = rig.exchange.fills
    order = store.get(update.client_order_id)
    assert order is not None
    store._closed.clear()
    store._forget(update.client_order_id, order)
    rig.feed(msgspec.structs.replace(update, sequence=rig.exchange.sequence + 1))
    assert rig.engine.health.records_known


def test_records_cut_from_the_journals_end_stop_entries_though_the_exchange_shows_nothing(
    settings: EngineConfig,
) -> None:
    rig = Rig(Engine(settings)).up()
    again = restarted(rig, settings, journal(records_of(rig), lost="the records after 7 are lost")).up()
    assert not again.engine.health.records_known
    assert criticals(again)[0].startswith("the records after 7 are lost; no entries until you run")
    answer = said(again)
    assert answer.text == "taken over: no order of the exchange was missing here; entries are possible again"
    assert [one.text for one in again.records(RecordsLost) if isinstance(one, RecordsLost)] == [""]
    assert again.engine.health.records_known


def test_rebuild_waits_until_the_history_has_been_read(older: Rig) -> None:
    older.down()
    answer = said(older)
    assert not answer.ok
    assert "has not been read yet" in answer.text
    assert older.records(OrderClaimed) == []


def test_of_several_strategies_the_one_is_found_that_made_the_id() -> None:
    two = config(spec(owner="a:1"), spec(owner="b:2"))
    rig = Rig(Engine(two)).up().prices(*UP)
    whole = rig.exchange.position
    assert whole == 2 * SIZE
    again = restarted(rig, two, journal(until_first_order(rig))).up()
    assert held(again, LOST) == whole
    assert said(again).ok
    owners = [slot.owner for slot in again.engine.strategies.slots]
    assert [held(again, owner) for owner in owners] == [SIZE, SIZE]


def test_an_order_of_no_known_strategy_keeps_entries_out_until_it_is_closed() -> None:
    two = config(spec(owner="a:1"), spec(owner="b:2"))
    rig = Rig(Engine(two)).up().prices(*UP)
    others = config(spec(owner="c:3"), spec(owner="d:4"))
    again = restarted(rig, others, journal(until_first_order(rig))).up()
    answer = said(again)
    assert not answer.ok
    assert f"of no strategy that is known: 0.2 {SYMBOL}. Close it (kill, or by hand)" in answer.text
    said(again, "kill")
    assert again.exchange.position == 0
    assert said(again).ok
    assert again.engine.health.records_known


def test_fills_are_asked_for_from_the_end_of_the_journal() -> None:
    rig = Rig().up()
    found = journal(records_of(rig))
    again = Rig(Engine(config()), rig.exchange)
    again.now_ns = again.exchange.now_ns = START_NS + 3_600 * 1_000_000_000
    restore(again.engine, found)
    again.up()
    (first, *_) = again.sent(wire.RequestSnapshot)
    assert isinstance(first, wire.RequestSnapshot)
    assert first.fills_since_ns <= START_NS


def test_what_an_engine_left_whose_journal_is_gone_is_not_added_to(settings: EngineConfig) -> None:
    rig = Rig(Engine(settings)).up().prices(*UP)
    (stop,) = rig.exchange.orders
    new = dataclasses.replace(settings, engine_id="bbbbbb", client_id_prefix="nbbbbbbb-")
    again = restarted(rig, new, Recovered("bbbbbb", 1, None, (), 0, (), 1, None, 0)).up()
    again.tick(9, 101)
    (text,) = again.engine.health.blockers()
    assert text.startswith(f"{SYMBOL}: order {stop} is of another engine")
    told = [one.text for one in again.notices(Notice) if isinstance(one, Notice) and one.level == "warning"]
    assert [one for one in told if one.startswith(f"somebody else holds 0.1 {SYMBOL}")]
    again.prices(101, 100, 99, 98, 97, 99, 101, 102, start=10)
    assert again.exchange.position == SIZE
    assert {one.rule for one in again.records(Signal) if isinstance(one, Signal)} == {"other_engine"}
    said(again, "kill")
    again.wait(5)
    assert (again.exchange.position, again.exchange.orders) == (0, {})
    said(again, "resume")
    assert again.engine.health.blockers() == ()

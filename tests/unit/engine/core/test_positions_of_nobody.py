"""What kill closes counts against those whose it was, and what the exchange refuses is not pressed."""

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.account.attribution import settle_foreign
from engine.account.state import AccountStateStore
from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.audit import Answer, Notice
from engine.model.cause import Cause
from engine.model.events import Command, Event
from engine.model.leg import CLOSE
from engine.model.records import EXTERNAL, Adjustment, Fill, JournalRecord
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, fill, restarted

SYMBOL = "BTCUSDT"
OWNER = "sma_crossover_inflection:s1"
SETTINGS = config(spec())
OTHER = config(spec(owner="other:s2", params={"short": 50, "long": 200, "smoothing": 1}))
ZERO, HUNDREDTH, TENTH = Decimal(0), Decimal("0.01"), Decimal("0.1")
both = pytest.mark.parametrize("by_snapshot", [False, True])


def command(rig: Rig, name: str, **narrow: str) -> Answer:
    number = len(rig.notices(Answer))
    rig.feed(Command(rig.now_ns, f"c{rig.now_ns}-{number}", name, **narrow))  # type: ignore[arg-type]  # a name
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    return answer


def by_hand(rig: Rig, side: wire.Side, qty: Decimal, number: int = 1) -> None:
    order = wire.SubmitOrder(0, SYMBOL, f"web_{number}", side, "MARKET", qty)
    for event in rig.exchange.execute(order)[1:]:
        rig.feed(event)


def owners(rig: Rig) -> dict[str, Decimal]:
    """Who holds something."""
    found = rig.engine.account.strategy_positions()
    return {owner: position.qty_base for owner, position in found if position.qty_base}


def said(rig: Rig) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice)]


def strict(rig: Rig) -> None:
    """The exchange refuses what would reduce nothing."""

    def answer(order: wire.SubmitOrder) -> list[Event] | None:
        against = rig.exchange.position * (1 if order.side == "SELL" else -1)
        if order.reduce_only and against <= 0:
            return [wire.Reply(order.request_id, "refused", -2022, "ReduceOnly Order is rejected.")]
        return None

    rig.exchange.on_submit = answer


def left_with(*records: JournalRecord) -> Recovered:
    """A journal of those records alone."""
    numbered = tuple(enumerate(records, 1))
    return Recovered("aaaaaa", 1, None, numbered, 0, (), len(records) + 1, None, 0)


@both
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_what_kill_closes_of_somebody_else_is_nobodys_any_more(side: wire.Side, by_snapshot: bool) -> None:
    rig = Rig().up()
    by_hand(rig, side, HUNDREDTH)
    assert list(owners(rig)) == [EXTERNAL]
    command(rig, "kill")
    assert rig.exchange.position == 0
    assert owners(rig) == {}
    again = restarted(rig, SETTINGS, by_snapshot=by_snapshot)
    assert owners(again) == {}
    again.up().wait(60)
    assert again.sent(wire.SubmitOrder) == []
    assert again.records(Adjustment) == []


def test_after_a_kill_of_somebody_elses_position_the_strategy_knows_what_it_holds() -> None:
    rig = Rig().up()
    by_hand(rig, "SELL", HUNDREDTH)
    command(rig, "kill")
    command(rig, "resume")
    rig.prices(*UP)
    assert rig.exchange.position == TENTH
    assert owners(rig) == {OWNER: TENTH}


def test_kill_with_a_strategy_and_somebody_else_in_the_same_symbol_leaves_nothing_to_anybody() -> None:
    rig = Rig().up()
    by_hand(rig, "BUY", HUNDREDTH)
    rig.prices(*UP)
    assert owners(rig) == {EXTERNAL: HUNDREDTH, OWNER: TENTH}
    command(rig, "kill")
    assert rig.exchange.position == 0
    assert owners(rig) == {}


@both
def test_what_kill_closes_of_a_strategy_that_is_gone_is_not_its_position_later(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP)
    gone = restarted(rig, OTHER, by_snapshot=by_snapshot).up()
    gone.effects = [*rig.effects, *gone.effects]
    command(gone, "kill")
    assert gone.exchange.position == 0
    assert owners(gone) == {}
    still_gone = restarted(gone, OTHER, by_snapshot=by_snapshot).up()
    assert not [text for text in said(still_gone) if "is not in the configuration" in text]
    back = restarted(gone, SETTINGS, by_snapshot=by_snapshot)
    strict(back)
    back.up().wait(30)
    assert back.sent(wire.SubmitOrder) == []


@pytest.mark.parametrize("settings", [SETTINGS, OTHER])
def test_a_position_that_an_earlier_kill_left_on_record_heals_when_all_is_compared(
    settings: object,
) -> None:
    rig = Rig(Engine(settings))  # type: ignore[arg-type]  # one of two configurations
    strict(rig)
    records = (fill(1, OWNER, "BUY", "0.003", "100"), fill(2, "operator", "SELL", "0.003", "101"))
    restore_fills(rig, *records)
    rig.up().wait(10)
    assert owners(rig) == {}
    assert rig.sent(wire.SubmitOrder) == []
    assert not [text for text in said(rig) if "is not in the configuration" in text]
    made = [one for one in rig.records(Adjustment) if isinstance(one, Adjustment)]
    assert [(one.strategy, one.qty_base, one.reason) for one in made] == [
        (OWNER, Decimal("-0.003"), "an operator's kill closed the position"),
        ("operator", Decimal("0.003"), "an operator's kill closed the position"),
    ]
    again = Rig(Engine(settings), rig.exchange)  # type: ignore[arg-type]  # as above
    restore_fills(again, *records)
    restore(again.engine, left_with(*made))
    assert owners(again) == {}


def restore_fills(rig: Rig, *fills: Fill) -> None:
    for one in fills:
        rig.engine.account.on_fill(one)


def test_what_the_operator_closes_is_taken_from_somebody_else_first_and_then_from_strategies() -> None:
    account = AccountStateStore()
    account.on_fill(fill(1, EXTERNAL, "BUY", "1", "100"))
    account.on_fill(fill(2, "gone", "BUY", "2", "100"))
    account.on_fill(fill(3, "sma", "BUY", "4", "100"))
    account.on_fill(fill(4, "operator", "SELL", "5", "100"))
    settle_foreign(account, SYMBOL, "operator", [EXTERNAL, "gone", "sma"], 5)
    held = {owner: int(one.qty_base) for owner, one in account.strategy_positions()}
    assert held == {EXTERNAL: 0, "gone": 0, "sma": 2, "operator": 0}


def test_an_exit_that_finds_nothing_to_reduce_is_compared_once_and_not_pressed() -> None:
    rig = Rig().up().prices(*UP)
    rig.exchange.on_submit = lambda order: [
        wire.Reply(order.request_id, "refused", -2022, "ReduceOnly Order is rejected.")
    ]
    asked = len(rig.sent(wire.RequestSnapshot))
    start_ns = rig.now_ns
    times: list[int] = []
    answer = rig.exchange.on_submit
    rig.exchange.on_submit = lambda order: times.append(rig.now_ns) or answer(order)  # type: ignore[func-returns-value]
    command(rig, "flatten")
    rig.wait(4)
    assert len(times) == 1
    assert len(rig.sent(wire.RequestSnapshot)) == asked + 1
    rig.wait(196)
    gaps = [(after - before) / SECOND_NS for before, after in zip([start_ns, *times], times, strict=False)]
    assert gaps == [0, 5, 10, 20, 40, 64]
    rig.exchange.on_submit = lambda _: None
    rig.wait(64)
    assert rig.exchange.position == 0


def test_an_order_of_kill_that_finds_nothing_to_reduce_leads_to_a_comparison() -> None:
    rig = Rig().up()
    by_hand(rig, "BUY", HUNDREDTH)
    unheard = wire.SubmitOrder(0, SYMBOL, "web_2", "SELL", "MARKET", HUNDREDTH)
    rig.exchange.execute(unheard)
    strict(rig)
    command(rig, "kill")
    rig.wait(10)
    assert owners(rig) == {}
    assert len(rig.sent(wire.SubmitOrder)) == 1
    assert any("nothing to reduce" in text for text in said(rig))


def test_a_stop_that_finds_nothing_to_reduce_leads_to_one_comparison() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up()

    def answer(order: wire.SubmitOrder) -> list[Event] | None:
        if order.order_type == "MARKET":
            return None
        rig.exchange.execute(wire.SubmitOrder(0, SYMBOL, "web_2", "SELL", "MARKET", rig.exchange.position))
        return [wire.Reply(order.request_id, "refused", -2022, "ReduceOnly Order is rejected.")]

    rig.exchange.on_submit = answer
    asked = len(rig.sent(wire.RequestSnapshot))
    rig.prices(*UP)
    rig.wait(1)
    assert rig.exchange.position == 0
    assert owners(rig) == {}
    assert len([one for one in rig.sent(wire.SubmitOrder) if one.reduce_only]) == 1  # type: ignore[attr-defined]
    assert len(rig.sent(wire.RequestSnapshot)) == asked + 1


def test_a_stop_that_is_refused_again_and_again_is_compared_once() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up()
    rig.exchange.on_submit = lambda order: (
        None
        if order.order_type == "MARKET"
        else [wire.Reply(order.request_id, "refused", -2022, "ReduceOnly Order is rejected.")]
    )
    rig.prices(*UP)
    rig.wait(10)
    assert len([text for text in said(rig) if "nothing to reduce" in text]) == 1


def test_an_exit_that_a_comparison_has_made_needless_stands_in_no_later_ones_way() -> None:
    rig = Rig().up().prices(*UP)
    rig.exchange.execute(wire.SubmitOrder(0, SYMBOL, "web_2", "SELL", "MARKET", TENTH))
    strict(rig)
    leave = rig.engine.trades.exits.leave
    leave(OWNER, SYMBOL, cause=Cause.bar(1, 1), leg=CLOSE, signal="Out")
    rig.wait(1)
    assert owners(rig) == {}
    rig.status()
    rig.prices(100, 98, 96, 99, 102, start=6.2)
    held = rig.exchange.position
    assert held != 0
    assert leave(OWNER, SYMBOL, cause=Cause.bar(1, 2), leg=CLOSE, signal="Out").verdict.allowed
    rig.wait(0)
    assert rig.exchange.position == 0


def test_flatten_says_whose_position_it_does_not_close() -> None:
    rig = Rig().up()
    assert command(rig, "flatten").text.startswith("nothing to close: already flat; paused until resume")
    by_hand(rig, "BUY", HUNDREDTH)
    told = f"EXTERNAL holds 0.01 {SYMBOL}, which kill closes"
    said_of = command(rig, "flatten").text
    assert said_of.startswith(f"nothing to close: no strategy holds a position; {told}; paused until resume")
    assert told in command(rig, "flatten", symbol=SYMBOL).text
    assert told not in command(rig, "flatten", strategy=OWNER).text
    command(rig, "kill")
    assert "already flat" in command(rig, "flatten").text


def test_flatten_names_a_strategy_that_is_no_longer_configured() -> None:
    rig = Rig().up().prices(*UP)
    gone = restarted(rig, config(replace(spec(), owner="other:s2")))
    gone.up()
    assert f"{OWNER} holds 0.1 {SYMBOL}, which kill closes" in command(gone, "flatten").text
    assert gone.exchange.position == TENTH

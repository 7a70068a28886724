"""Leverage, margin mode, keys, the state of a symbol: what is wrong keeps entries out, and is told once.

Positions stay as they are.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from engine.account.leverage import AGAIN_NS
from engine.core.engine import Engine
from engine.model.audit import HealthChanged, Notice
from engine.model.events import Command, Event
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from runtime.control.shown import as_it_is
from tests.support.engine_rig import Rig, config, spec

D = Decimal
UP = (100, 99, 98, 100, 101)
LEVERAGE_GATE = "BTCUSDT: leverage 5 is not confirmed by the exchange"


def refuse(message: wire.SetLeverage) -> list[Event]:
    return [wire.Reply(message.request_id, "refused", -4028, "Leverage 5 is not valid")]


def silence(_message: wire.SetLeverage) -> list[Event]:
    return []


def told(rig: Rig, word: str) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and word in one.text]


def vetoes(rig: Rig) -> list[str]:
    return [one.rule for one in rig.records(Signal) if isinstance(one, Signal)]


def leveraged(answer: Callable[[wire.SetLeverage], list[Event]] | None = None) -> Rig:
    rig = Rig(Engine(config(spec(leverage=5))))
    if answer is not None:
        rig.exchange.on_leverage = answer
    return rig.up()


def test_leverage_that_is_confirmed_is_traded_with() -> None:
    rig = leveraged().prices(*UP)
    assert rig.exchange.position == D("0.1")
    assert len(rig.sent(wire.SetLeverage)) == 1


@pytest.mark.parametrize("answer", [refuse, silence], ids=["refused", "not answered"])
def test_leverage_that_is_not_confirmed_keeps_entries_out_and_is_asked_for_again(
    answer: Callable[[wire.SetLeverage], list[Event]],
) -> None:
    rig = leveraged(answer).prices(*UP)
    assert rig.engine.health.blockers() == (LEVERAGE_GATE,)
    assert vetoes(rig) == ["leverage_setting"]
    assert rig.exchange.position == 0
    rig.wait(60)
    assert len(rig.sent(wire.SetLeverage)) > 3
    rig.exchange.on_leverage = rig.exchange.set_leverage
    rig.wait(70)
    rig.status()
    assert LEVERAGE_GATE not in rig.engine.health.blockers()


def test_a_refused_leverage_is_told_once_and_asked_for_ever_less_often() -> None:
    rig = leveraged(refuse)
    times = [rig.now_ns]
    for _ in range(600):
        before = len(rig.sent(wire.SetLeverage))
        rig.wait(1)
        if len(rig.sent(wire.SetLeverage)) > before:
            times.append(rig.now_ns)
    gaps = [(later - earlier) // SECOND_NS for earlier, later in pairwise(times)]
    assert gaps[:6] == [2, 4, 8, 16, 32, 64]
    assert set(gaps[6:]) == {64}
    (text,) = told(rig, "was not accepted")
    assert text.startswith("leverage 5 of BTCUSDT was not accepted: refused -4028 Leverage 5 is not valid")


def test_exits_do_not_wait_for_leverage() -> None:
    rig = leveraged().prices(*UP)
    rig.exchange.on_leverage, rig.exchange.leverage = refuse, 20
    rig.down().up()
    assert LEVERAGE_GATE in rig.engine.health.blockers()
    rig.feed(Command(rig.now_ns, "f1", "flatten"))
    assert rig.exchange.position == 0


def test_leverage_changed_by_hand_is_told_and_set_again_and_entries_wait_meanwhile() -> None:
    rig = leveraged()
    rig.exchange.leverage = 50
    rig.feed(rig.exchange.instrument())
    assert LEVERAGE_GATE in rig.engine.health.blockers()
    rig.wait(2)
    (text,) = told(rig, "leverage is 50")
    assert "the configuration wants 5" in text
    assert rig.exchange.leverage == 5
    assert LEVERAGE_GATE not in rig.engine.health.blockers()


def test_leverage_changed_by_hand_that_cannot_be_set_again_keeps_entries_out() -> None:
    rig = leveraged()
    rig.exchange.on_leverage = refuse
    rig.exchange.leverage = 50
    rig.feed(rig.exchange.instrument())
    rig.wait(300)
    assert LEVERAGE_GATE in rig.engine.health.blockers()
    assert len(told(rig, "leverage is 50")) == 1
    assert len(told(rig, "was not accepted")) == 1
    rig.exchange.leverage = 5
    rig.feed(rig.exchange.instrument())
    assert LEVERAGE_GATE not in rig.engine.health.blockers()


def test_a_snapshot_asked_for_before_leverage_was_set_is_no_change_by_hand() -> None:
    rig = Rig(Engine(config(spec(leverage=5))))
    old = rig.exchange.snapshot
    rig.exchange.snapshot = lambda *asked: msgspec.structs.replace(  # type: ignore[method-assign]  # as it was
        old(*asked), instruments=(msgspec.structs.replace(rig.exchange.instrument(), leverage=20),)
    )
    rig.up().wait(10)
    assert LEVERAGE_GATE not in rig.engine.health.blockers()
    assert told(rig, "leverage") == []


def test_a_change_of_leverage_that_nobody_has_configured_is_told_with_what_it_allows() -> None:
    rig = Rig(Engine(config(limits=RiskLimits(max_position_notional_quote=D(50_000))))).up()
    bracket = wire.Bracket(D(0), D(10_000), 75, D("0.004"), D(0))
    changed = msgspec.structs.replace(rig.exchange.instrument(), leverage=75, brackets=(bracket,))
    rig.feed(changed)
    rig.feed(changed)
    (text,) = told(rig, "leverage")
    assert text == (
        "BTCUSDT: leverage was changed from 20 to 75 by somebody else; it allows a position of 10000, and "
        "risk.max_position_notional_quote is 50000: larger entries will be refused"
    )
    rig.prices(*UP)
    assert rig.exchange.position == D("0.1")


def test_after_the_clock_was_set_back_leverage_is_asked_for_soon() -> None:
    rig = leveraged(refuse)
    rig.wait(100)
    rig.engine.leverages.on_set_back(5)
    assert rig.engine.leverages.deadline_ns == 5 + AGAIN_NS


def isolated(rig: Rig, margin_type: str = "isolated") -> wire.AccountUpdate:
    update = rig.exchange.account("MARGIN_TYPE_CHANGE")
    (one,) = update.positions
    return msgspec.structs.replace(update, positions=(msgspec.structs.replace(one, margin_type=margin_type),))


def test_isolated_margin_keeps_entries_out_until_it_is_undone_and_is_told_once() -> None:
    rig = Rig().up().prices(100)
    rig.feed(isolated(rig))
    rig.prices(*UP[1:], start=1)
    assert vetoes(rig) == ["margin_mode"]
    said = [one.line(as_it_is) for one in rig.notices(HealthChanged) if isinstance(one, HealthChanged)]
    assert sum("isolated margin" in line for line in said) == 1
    rig.feed(isolated(rig, "cross"))
    assert rig.engine.health.blockers() == ()
    rig.prices(100, 98, 97, start=5)
    assert rig.exchange.position == D("-0.1")


def test_isolated_margin_that_only_a_snapshot_tells_keeps_entries_out_too() -> None:
    rig = Rig().up()
    old = rig.exchange.snapshot

    def now_isolated(*asked: int) -> wire.Snapshot:
        snapshot = old(*asked)
        (one,) = snapshot.positions
        return msgspec.structs.replace(
            snapshot, positions=(msgspec.structs.replace(one, margin_type="isolated"),)
        )

    rig.exchange.snapshot = now_isolated  # type: ignore[method-assign]  # changed while nobody told
    rig.wait(61)
    assert any("isolated margin" in one for one in rig.engine.health.blockers())


def test_isolated_margin_keeps_a_position_and_lets_it_go() -> None:
    rig = Rig().up().prices(*UP)
    rig.feed(isolated(rig))
    assert rig.exchange.position == D("0.1")
    rig.feed(Command(rig.now_ns, "f1", "flatten"))
    assert rig.exchange.position == 0


def test_keys_that_are_refused_keep_entries_out_and_are_told_once() -> None:
    rig = Rig().up()
    for _ in range(3):
        rig.status(keys_refused="HTTP 401 -2015: Invalid API-key, IP, or permissions for action.")
    rig.prices(*UP)
    assert vetoes(rig) == ["keys"]
    assert len(told(rig, "refuses the API key")) == 1
    rig.status()
    assert rig.engine.health.blockers() == ()


@pytest.mark.parametrize("status", ["BREAK", "PENDING_TRADING", ""])
def test_a_symbol_that_is_not_traded_is_not_entered_until_it_is(status: str) -> None:
    rig = Rig().up()
    rig.feed(msgspec.structs.replace(rig.exchange.instrument(), status=status))
    rig.prices(*UP)
    assert vetoes(rig) == ["status"]
    rig.feed(rig.exchange.instrument())
    assert rig.engine.health.blockers() == ()
    rig.prices(100, 98, 97, start=5)
    assert rig.exchange.position == D("-0.1")

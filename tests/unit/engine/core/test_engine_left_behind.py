"""`flatten --strategy` of a strategy that is no longer configured, over restarts."""

import pytest

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.config import EngineConfig
from engine.model.effects import Append
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec
from tests.unit.engine.core.test_engine_positions_at_risk import OWNER, PROTECTED, TENTH, command, held
from tests.unit.engine.core.test_engine_restarts import UP, restarted

SWAPPED = config(spec("ema_cross", owner="ema_cross:s1", params={"fast": 2, "slow": 3}))


def run_after(*rigs: Rig, settings: EngineConfig) -> Rig:
    """A start on the journal of all those runs."""
    records = tuple(
        enumerate((one.record for rig in rigs for one in rig.effects if isinstance(one, Append)), 1)
    )
    again = Rig(Engine(settings), rigs[-1].exchange)
    again.now_ns = rigs[-1].now_ns
    restore(again.engine, Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0))
    return again


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("by_snapshot", [False, True])
def test_leaving_what_a_strategy_that_is_gone_holds_survives_a_restart(
    refused: bool, by_snapshot: bool
) -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    swapped = run_after(rig, settings=SWAPPED).up()
    if refused:
        swapped.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "refused", -1008, "Busy")]
    else:
        swapped.down()
    command(swapped, "flatten", strategy=OWNER)
    assert swapped.exchange.position == TENTH
    swapped.exchange.on_submit = lambda _: None
    if by_snapshot:
        again = restarted(swapped, SWAPPED, by_snapshot=True).up()
    else:
        again = run_after(rig, swapped, settings=SWAPPED).up()
    again.wait(60)
    assert (again.exchange.position, held(again)) == (0, 0)
    assert [one.reduce_only for one in again.sent(wire.SubmitOrder)] == [True]


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_strategy_put_back_before_its_position_was_left_leaves_it_and_waits_for_resume(
    by_snapshot: bool,
) -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    swapped = run_after(rig, settings=SWAPPED).up()
    swapped.down()
    command(swapped, "flatten", strategy=OWNER)
    if by_snapshot:
        back = restarted(swapped, config(PROTECTED), by_snapshot=True).up()
    else:
        back = run_after(rig, swapped, settings=config(PROTECTED)).up()
    back.wait(60)
    assert (back.exchange.position, held(back)) == (0, 0)
    assert back.engine.strategies.slots[0].paused


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_strategy_put_back_after_its_position_was_left_is_not_paused(by_snapshot: bool) -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    swapped = run_after(rig, settings=SWAPPED).up()
    command(swapped, "flatten", strategy=OWNER)
    swapped.wait(1)
    if by_snapshot:
        back = restarted(swapped, config(PROTECTED), by_snapshot=True).up()
    else:
        back = run_after(rig, swapped, settings=config(PROTECTED)).up()
    slot = back.engine.strategies.slots[0]
    assert (slot.paused, slot.leaving) == (False, None)


def test_leaving_does_not_touch_a_position_that_the_strategy_made_after_it() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    swapped = run_after(rig, settings=SWAPPED).up()
    command(swapped, "flatten", strategy=OWNER)
    swapped.wait(1)
    assert swapped.exchange.position == 0
    back = run_after(rig, swapped, settings=config(PROTECTED)).up()
    command(back, "resume", 2)
    back.prices(100, 98, 96, 99, 102, 104, start=10)
    assert back.exchange.position != 0
    gone_again = run_after(rig, swapped, back, settings=SWAPPED).up()
    gone_again.wait(60)
    assert gone_again.exchange.position == back.exchange.position != 0

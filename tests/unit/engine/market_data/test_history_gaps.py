"""Bars that the exchange itself lacks are told with place and length, once, and do not stop the warm-up."""

from engine.core.engine import Engine
from engine.model.audit import Notice
from engine.model.events import Event
from engine.model.timeframes import SECOND_NS
from engine.strategies.slot import SlotState
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

MINUTE_NS = 60 * SECOND_NS
RUNNING_NS = START_NS - START_NS % MINUTE_NS


def rig_without(missing: set[int], *owners: str) -> Rig:
    """Strategies on minutes; the exchange has no bars of some, counted backwards from the running one."""
    exchange = Exchange()

    def answer(request: wire.RequestKlines) -> list[Event]:
        times = (RUNNING_NS - back * MINUTE_NS for back in range(40, 0, -1) if back not in missing)
        bars = [
            wire.Kline("BTCUSDT", "1m", at, at + MINUTE_NS, *[100.0] * 4, 1.0, 1.0, 1, True, at)
            for at in times
        ]
        bars = bars[-request.limit :]
        return [wire.KlinesReply(request.request_id, "BTCUSDT", "1m", tuple(bars), True)]

    exchange.klines = answer
    specs = [spec(owner=name, timeframe="1m", candles="exchange", netting=True) for name in owners or ("a",)]
    return Rig(Engine(config(*specs)), exchange).up()


def told(rig: Rig) -> list[str]:
    texts = [one.text for one in rig.notices(Notice) if isinstance(one, Notice)]
    return [text for text in texts if "missing" in text]


def test_a_whole_history_is_not_talked_about() -> None:
    rig = rig_without(set())
    assert rig.engine.strategies.slots[0].state is SlotState.RUNNING
    assert told(rig) == []


def test_gaps_are_told_with_place_and_length_and_the_strategy_goes_on() -> None:
    rig = rig_without({3, 5, 6})
    assert rig.engine.strategies.slots[0].state is SlotState.RUNNING
    assert len(rig.sent(wire.RequestKlines)) == 1
    (text,) = told(rig)
    assert text == (
        "BTCUSDT 1m history: 3 bars missing: 2023-11-14 22:07 to 2023-11-14 22:09 (2m), "
        "2023-11-14 22:10 to 2023-11-14 22:11 (1m) UTC"
    )


def test_a_gap_is_told_once_for_all_strategies_and_requests() -> None:
    rig = rig_without({3}, "a", "b")
    rig.down().up()
    assert {slot.state for slot in rig.engine.strategies.slots} == {SlotState.RUNNING}
    assert len(told(rig)) == 1

"""When the candles of several series want to be looked at."""

from engine.market_data.aggregator import CandleAggregator
from engine.model.timeframes import SECOND_NS

GRACE_NS = 250_000_000


def test_the_deadline_moves_on_once_ticks_have_closed_every_bar_that_ends_there():
    candles = CandleAggregator([("A", "mid", SECOND_NS), ("B", "mid", SECOND_NS)], GRACE_NS)
    first, second = candles.tracks["A", "mid"], candles.tracks["B", "mid"]
    first.add(0, 100.0)
    second.add(0, 100.0)
    assert candles.deadline_ns == SECOND_NS + GRACE_NS
    for bar in first.add(SECOND_NS, 101.0):
        candles.on_closed(bar)
    assert candles.deadline_ns == SECOND_NS + GRACE_NS
    for bar in second.add(SECOND_NS, 101.0):
        candles.on_closed(bar)
    assert candles.deadline_ns == 2 * SECOND_NS + GRACE_NS

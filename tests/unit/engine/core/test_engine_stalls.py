"""An engine that stood still: what waited in the socket meanwhile is old, and must be seen as old."""

from collections.abc import Sequence
from decimal import Decimal

from engine.market_data.remote_feed import RemoteFeed
from engine.model.events import Event
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from gateways.wire.client import EngineIdentity
from gateways.wire.cursor import Cursor
from tests.support.engine_rig import START_NS, Rig

UP = (100, 99, 98, 100, 101)


def book(seconds: float, bid: float) -> wire.OrderBookTick:
    time_ns = START_NS + int(seconds * SECOND_NS)
    return wire.OrderBookTick(
        "BTCUSDT", time_ns, time_ns, time_ns, time_ns, ((bid, 1.0),), ((bid + 0.2, 1.0),)
    )


def deliver(rig: Rig, now_s: float, ticks: Sequence[wire.OrderBookTick]) -> None:
    """As they come out of one read of the socket at that time."""
    feed = RemoteFeed(
        EngineIdentity("aaaaaa", 1, ("BTCUSDT",), "nbaaaaaa-"),
        host="127.0.0.1",
        port=1,
        token=b"",
        cursor=Cursor(),
        now_ns=lambda: START_NS + int(now_s * SECOND_NS),
    )
    taken: list[Event] = []
    feed._sink = taken.append
    feed._on_messages(ticks)
    for event in taken:
        rig.feed(event)


def test_a_signal_made_of_old_ticks_is_late_and_enters_nothing() -> None:
    rig = Rig().up()
    deliver(rig, 70.0, [book(at, price) for at, price in enumerate(UP)])
    assert not rig.sent(wire.SubmitOrder)


def test_ticks_that_are_read_in_time_trade() -> None:
    rig = Rig().up()
    for at, price in enumerate(UP):
        rig.now_ns = rig.exchange.now_ns = START_NS + at * SECOND_NS
        deliver(rig, at + 0.01, [book(at, price)])
    assert [one.fate for one in rig.records(Signal)] == ["traded"]
    assert rig.exchange.position == Decimal("0.1")

"""The dead man's switch is fed by heartbeats and by nothing else."""

import pytest

from gateways.binance.orders.dead_man import DeadManSwitch
from gateways.binance.protocol.translate import order_row
from gateways.wire.messages import OrderUpdate

SECOND_NS = 1_000_000_000


def order(client_order_id: str, *, reduce_only: bool = False) -> OrderUpdate:
    row = {
        "orderId": 7, "symbol": "A", "status": "NEW", "clientOrderId": client_order_id, "price": "99",
        "origQty": "1", "executedQty": "0", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY",
        "reduceOnly": reduce_only, "updateTime": 5,
    }  # fmt: skip
    return order_row(row)


ENTRY, TARGET, BY_HAND = order("nb-1"), order("nb-2", reduce_only=True), order("web_1")


class Rig:
    def __init__(self, *resting: OrderUpdate) -> None:
        self.sent: list[tuple[str, int]] = []
        self.cancelled: list[str] = []
        self.resting = list(resting)
        self.now_ns = 0
        self.switch = DeadManSwitch(
            lambda symbol, ms: self.sent.append((symbol, ms)),
            lambda: self.now_ns,
            lambda _: self.resting,
            lambda order: self.cancelled.append(order.client_order_id),
        )

    def beat(self, symbols: list[str], countdown_ms: int) -> None:
        self.switch.heartbeat(symbols, countdown_ms, "nb-")


def test_it_is_fed_four_times_a_countdown():
    rig = Rig()
    for second in range(120):
        rig.now_ns = second * SECOND_NS
        rig.beat(["B"], 120_000)
    assert rig.sent == [("B", 120_000)] * 4


def test_a_heartbeat_without_a_countdown_disarms_once():
    rig = Rig()
    rig.beat(["B", "A"], 10_000)
    rig.beat(["A", "B"], 0)
    rig.beat(["A", "B"], 0)
    assert rig.sent == [("A", 10_000), ("B", 10_000), ("A", 0), ("B", 0)]
    assert rig.switch.armed == frozenset()


def test_a_feeding_that_failed_is_repeated_at_the_next_heartbeat():
    rig = Rig()
    rig.beat(["A"], 60_000)
    rig.switch.failed("A")
    rig.now_ns = SECOND_NS
    rig.beat(["A"], 60_000)
    assert len(rig.sent) == 2


def test_a_countdown_is_never_so_short_that_a_hiccup_fires_it():
    rig = Rig()
    rig.beat(["A"], 1)
    assert rig.sent == [("A", 5_000)]


@pytest.mark.parametrize("spared", [TARGET, BY_HAND])
def test_the_exchanges_countdown_never_runs_where_it_would_take_a_target_or_somebody_elses_order(
    spared: OrderUpdate,
):
    rig = Rig(ENTRY, spared)
    rig.beat(["A"], 10_000)
    assert rig.sent == []
    rig.resting = [ENTRY]
    rig.beat(["A"], 10_000)
    assert rig.sent == [("A", 10_000)]
    rig.resting = [ENTRY, spared]
    rig.switch.on_order("A")
    assert rig.sent[1:] == [("A", 0)]


def test_where_the_exchange_may_not_the_gateway_cancels_the_entries_of_a_silent_engine():
    rig = Rig(ENTRY, TARGET, BY_HAND)
    rig.beat(["A"], 10_000)
    rig.now_ns = 9 * SECOND_NS
    rig.switch.on_time()
    assert rig.cancelled == []
    rig.now_ns = 10 * SECOND_NS
    rig.switch.on_time()
    rig.switch.on_time()
    assert rig.cancelled == ["nb-1"]
    rig.now_ns = 15 * SECOND_NS
    rig.switch.on_time()
    assert rig.cancelled == ["nb-1", "nb-1"]


def test_a_countdown_that_may_not_have_arrived_does_not_keep_the_gateway_from_cancelling():
    rig = Rig(ENTRY)
    rig.beat(["A"], 10_000)
    rig.now_ns = 10 * SECOND_NS
    rig.switch.on_time()
    assert (rig.sent, rig.cancelled) == ([("A", 10_000)], ["nb-1"])


@pytest.mark.parametrize("is_switched_off", [False, True])
def test_a_disarming_that_failed_is_repeated_until_it_arrives(is_switched_off: bool):
    rig = Rig(ENTRY)
    rig.beat(["A"], 10_000)
    if is_switched_off:
        rig.beat(["A"], 0)
    else:
        rig.resting = [ENTRY, TARGET]
        rig.switch.on_order("A")
    rig.switch.failed("A")
    rig.switch.on_time()
    rig.switch.failed("A")
    rig.switch.on_order("A")
    rig.switch.on_time()
    rig.switch.on_order("A")
    assert rig.sent == [("A", 10_000), ("A", 0), ("A", 0), ("A", 0)]


def test_an_engine_that_is_heard_or_has_switched_it_off_loses_no_entry():
    rig = Rig(ENTRY, TARGET)
    rig.beat(["A"], 10_000)
    rig.now_ns = 9 * SECOND_NS
    rig.beat(["A"], 10_000)
    rig.now_ns = 18 * SECOND_NS
    rig.switch.on_time()
    rig.beat(["A"], 0)
    rig.now_ns = 60 * SECOND_NS
    rig.switch.on_time()
    assert (rig.cancelled, rig.sent) == ([], [])

"""The dead man's switch is fed by heartbeats and by nothing else."""

from gateways.binance.dead_man import DeadManSwitch

SECOND_NS = 1_000_000_000


class Rig:
    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.now_ns = 0
        self.switch = DeadManSwitch(lambda symbol, ms: self.sent.append((symbol, ms)), lambda: self.now_ns)


def test_it_is_fed_four_times_a_countdown():
    rig = Rig()
    for second in range(120):
        rig.now_ns = second * SECOND_NS
        rig.switch.heartbeat(["B"], 120_000)
    assert rig.sent == [("B", 120_000)] * 4


def test_a_heartbeat_without_a_countdown_disarms_once():
    rig = Rig()
    rig.switch.heartbeat(["B", "A"], 10_000)
    rig.switch.heartbeat(["A", "B"], 0)
    rig.switch.heartbeat(["A", "B"], 0)
    assert rig.sent == [("A", 10_000), ("B", 10_000), ("A", 0), ("B", 0)]
    assert rig.switch.armed == frozenset()


def test_a_feeding_that_failed_is_repeated_at_the_next_heartbeat():
    rig = Rig()
    rig.switch.heartbeat(["A"], 60_000)
    rig.switch.failed("A")
    rig.now_ns = SECOND_NS
    rig.switch.heartbeat(["A"], 60_000)
    assert len(rig.sent) == 2


def test_a_countdown_is_never_so_short_that_a_hiccup_fires_it():
    rig = Rig()
    rig.switch.heartbeat(["A"], 1)
    assert rig.sent == [("A", 5_000)]

"""An engine that comes and goes sees every order event once and in order, or a Gap where it cannot."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateways.wire.cursor import Cursor
from gateways.wire.framing import engine_decoder
from gateways.wire.messages import AccountUpdate, Balance, Gap, Heartbeat, ToEngine
from gateways.wire.replay import ReplayLog

KEPT = 5


def event(number: int) -> AccountUpdate:
    balance = Balance("USDT", Decimal(number), Decimal(number))
    return AccountUpdate(0, 0, "ORDER", (balance,), (), number, number)


def number_of(update: AccountUpdate) -> int:
    return update.event_time_ns


def read(frames: list[bytes]) -> list[ToEngine]:
    return engine_decoder().feed(b"".join(frames))


class Replay(RuleBasedStateMachine):
    """Gateway with a short memory, engine that loses its connection at any moment.

    `seen` is what the engine has taken since its last Gap, `happened` what the gateway has published since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 1
        self.log = ReplayLog(self.epoch, KEPT)
        self.published = 0
        self.cursor = Cursor()
        self.connected = False
        self.expected: list[int] = []
        self.seen: list[int] = []
        self.in_flight: list[bytes] = []

    def take(self, messages: list[ToEngine]) -> None:
        for message in self.cursor.filter(messages):
            if isinstance(message, Gap):
                self.seen.clear()
                self.expected = self.expected_after_gap()
            elif isinstance(message, AccountUpdate):
                self.seen.append(number_of(message))

    def expected_after_gap(self) -> list[int]:
        return [number_of(one) for one in read(self.in_flight) if isinstance(one, AccountUpdate)]

    @rule()
    def publish(self) -> None:
        self.published += 1
        frame = self.log.append(event(self.published))
        self.expected.append(self.published)
        if self.connected:
            self.in_flight.append(frame)

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.connected = True
        self.in_flight = list(self.log.since(self.cursor.epoch, self.cursor.sequence))

    @precondition(lambda self: self.connected and self.in_flight)
    @rule()
    def deliver_one(self) -> None:
        frame = self.in_flight.pop(0)
        self.take(read([frame]))

    @precondition(lambda self: self.connected)
    @rule()
    def lose_the_connection(self) -> None:
        self.connected = False
        self.in_flight = []

    @rule()
    def restart_the_gateway(self) -> None:
        self.connected = False
        self.in_flight = []
        self.epoch += 1
        self.log = ReplayLog(self.epoch, KEPT)

    @invariant()
    def what_was_seen_has_no_hole_and_no_double(self) -> None:
        if self.cursor.epoch:
            assert self.seen == self.expected[: len(self.seen)]

    @invariant()
    def a_drained_connection_is_up_to_date(self) -> None:
        if self.connected and not self.in_flight:
            assert self.seen == self.expected
            assert self.cursor.sequence == self.log.last_sequence


TestReplay = Replay.TestCase
TestReplay.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(0, 12))
def test_the_cursor_takes_each_event_once_and_marks_every_hole(arrivals: list[int], start: int) -> None:
    cursor = Cursor(1, start)
    log = ReplayLog(1, 100)
    frames = [log.append(event(number)) for number in range(1, 13)]
    taken = cursor.filter(read([frames[number - 1] for number in arrivals]))
    last = start
    for message in taken:
        if isinstance(message, Gap):
            assert message.next_sequence > last + 1
            last = message.next_sequence - 1
        else:
            assert isinstance(message, AccountUpdate)
            assert message.sequence == last + 1
            last = message.sequence
    assert cursor.sequence == max([start, *arrivals])


def test_heartbeats_stay_with_the_client() -> None:
    assert Cursor().filter([Heartbeat(1), Heartbeat(2)]) == []


def test_a_cursor_ahead_of_the_gateway_is_a_gap() -> None:
    log = ReplayLog(7, KEPT)
    log.append(event(1))
    (gap,) = read(log.since(7, 5))
    assert isinstance(gap, Gap)
    assert (gap.epoch, gap.next_sequence) == (7, 2)

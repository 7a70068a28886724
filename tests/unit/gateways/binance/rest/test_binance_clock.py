"""The exchange's time, estimated."""

from hypothesis import given
from hypothesis import strategies as st

from gateways.binance.rest.clock import DRIFT_PER_NS, ExchangeClock

MS = 1_000_000


class Times:
    def __init__(self) -> None:
        self.monotonic = 5_000_000_000
        self.wall = 1_700_000_000_000_000_000


def clock(times: Times) -> ExchangeClock:
    return ExchangeClock(lambda: times.monotonic, lambda: times.wall)


@given(
    st.integers(-3_600_000, 3_600_000),
    st.lists(st.tuples(st.integers(0, 500 * MS), st.integers(0, 500 * MS)), min_size=1, max_size=40),
)
def test_the_true_time_lies_within_the_stated_uncertainty(offset_ms: int, ways: list[tuple[int, int]]):
    times = Times()
    estimate = clock(times)
    true_offset = times.wall - times.monotonic + offset_ms * MS + 123_456
    for out, back in ways:
        sent = times.monotonic
        server_ms = (sent + out + true_offset) // MS
        times.monotonic += out + back
        estimate.add(sent, times.monotonic, server_ms)
        assert abs(estimate.now_ns() - (times.monotonic + true_offset)) <= estimate.uncertainty_ns
        times.monotonic += 1_000_000_000


def test_the_shortest_way_is_believed():
    times = Times()
    estimate = clock(times)
    base = times.wall // MS
    estimate.add(times.monotonic - 400 * MS, times.monotonic, base - 400)
    assert estimate.uncertainty_ns > 200 * MS
    estimate.add(times.monotonic - 2 * MS, times.monotonic, base - 1)
    assert estimate.uncertainty_ns < 2 * MS
    assert abs(estimate.offset_ns) < MS
    estimate.add(times.monotonic - 400 * MS, times.monotonic, base - 400)
    assert abs(estimate.offset_ns) < MS


def test_an_old_sample_is_worth_less_than_a_fresh_one():
    times = Times()
    estimate = clock(times)
    estimate.add(times.monotonic - 2 * MS, times.monotonic, times.wall // MS)
    times.monotonic += int(10 * MS / DRIFT_PER_NS)
    later_ms = times.wall // MS + 100_000 + 7
    estimate.add(times.monotonic - 4 * MS, times.monotonic, later_ms)
    assert abs(estimate.now_ns() - (later_ms * MS + 2 * MS)) <= 3 * MS


def test_a_step_of_the_wall_clock_changes_nothing_but_the_told_offset():
    times = Times()
    estimate = clock(times)
    estimate.add(times.monotonic - 2 * MS, times.monotonic, times.wall // MS)
    before = estimate.now_ns()
    times.wall += 3_600_000_000_000
    assert estimate.now_ns() == before
    assert estimate.offset_ns < -3_599_000_000_000


def test_a_signed_time_is_never_from_the_future():
    times = Times()
    estimate = clock(times)
    estimate.add(times.monotonic - 300 * MS, times.monotonic, times.wall // MS - 300)
    true_latest_ms = times.wall // MS
    assert estimate.timestamp_ms() <= true_latest_ms


def test_a_machine_that_slept_believes_the_first_sample_after_it():
    times = Times()
    estimate = clock(times)
    server_ms = times.wall // MS
    for _ in range(16):
        estimate.add(times.monotonic - 2 * MS, times.monotonic, server_ms)
        times.monotonic += 10_000 * MS
        server_ms += 10_000
    server_ms += 3_600_000  # the monotonic clock stood still meanwhile
    estimate.add(times.monotonic - 80 * MS, times.monotonic, server_ms)
    assert abs(estimate.now_ns() - server_ms * MS) <= estimate.uncertainty_ns < 50 * MS

from pathlib import Path

import pytest

from gateways.simulator.api.venue.clock import ClockError, SimClock, open_clock


class Wall:
    def __init__(self, now_ms: float) -> None:
        self.now_ms = now_ms

    def __call__(self) -> float:
        return self.now_ms


def test_speed_scales_the_time_since_the_epoch():
    wall = Wall(1_000_000.0)
    clock = SimClock(10.0, 1_000_000, wall)
    wall.now_ms += 250
    assert clock.now_ms() == 1_002_500
    assert clock.seconds_until(1_003_500) == pytest.approx(0.1)
    assert clock.seconds_until(1_000_000) == 0.0


def test_two_clocks_of_one_epoch_agree():
    wall = Wall(5_000.0)
    early = SimClock(3.0, 1_000, wall)
    wall.now_ms = 9_000.0
    assert SimClock(3.0, 1_000, wall).now_ms() == early.now_ms() == 25_000


def test_exchange_time_never_goes_back_but_the_claimed_time_follows_the_skew():
    wall = Wall(10_000.0)
    clock = SimClock(1.0, 10_000, wall)
    clock.skew_ms = 5_000
    assert (clock.now_ms(), clock.server_ms()) == (15_000, 15_000)
    clock.skew_ms = -2_000
    assert (clock.now_ms(), clock.server_ms()) == (15_000, 8_000)
    wall.now_ms = 20_000.0
    assert (clock.now_ms(), clock.server_ms()) == (20_000, 18_000)


def test_a_restart_goes_on_with_the_first_epoch(tmp_path: Path):
    first = open_clock(tmp_path, 4.0, 123_000)
    assert open_clock(tmp_path, 4.0, None).epoch_ms == first.epoch_ms == 123_000


@pytest.mark.parametrize(("speed", "epoch"), [(2.0, None), (4.0, 5)])
def test_a_state_folder_refuses_another_clock(tmp_path: Path, speed: float, epoch: int | None):
    open_clock(tmp_path, 4.0, 123_000)
    with pytest.raises(ClockError, match=r"clock\.json"):
        open_clock(tmp_path, speed, epoch)

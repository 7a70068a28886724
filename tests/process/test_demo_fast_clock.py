"""A demo whose clock runs faster than the machine's: all three processes read the same time."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.demo_rig import Demo
from tests.process.turning import TURNING_CONFIG, python_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")

SPEED, HOUR_S = 3, 3600
CLOCK = """[clock]
speed = {speed}
epoch_ms = {epoch_ms}
[risk]"""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    clock = CLOCK.format(speed=SPEED, epoch_ms=int((time.time() - HOUR_S) * 1000))
    running = Demo(
        tmp_path,
        config=TURNING_CONFIG.replace("[risk]", clock),
        environment={"PYTHONPATH": python_path()},
    )
    yield running
    running.abandon()


def test_it_trades_and_its_time_is_that_of_the_exchange(demo: Demo) -> None:
    demo.until(lambda status: status.fills >= 4, "fills")
    ahead_s = (demo.status().time_ns - time.time_ns()) / 1e9
    assert ahead_s > (SPEED - 1) * HOUR_S
    summary = demo.end()
    assert summary["rejects"] == summary["restarts"] == 0

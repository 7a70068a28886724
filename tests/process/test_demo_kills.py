"""kill -9 of any process of a trading demo, at any moment: nothing doubled, lost or left behind."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.demo_kills import Killer
from tests.process.demo_rig import PROCESSES, Demo
from tests.process.demo_truth import truth_of
from tests.process.turning import TURNING_CONFIG, python_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")

BLOWS = (
    (("engine",), True),
    (("simulator",), True),
    (("gateway", "engine"), True),
    (("simulator", "gateway", "engine"), False),
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    started: list[Demo] = []

    def one() -> Demo:
        environment = {"PYTHONPATH": python_path()}
        started.append(Demo(tmp_path, config=TURNING_CONFIG, environment=environment))
        return started[-1]

    yield one
    for demo in started:
        demo.abandon()


def test_kills_at_any_moment_double_and_lose_nothing(start: Callable[[], Demo]) -> None:
    demo = start()
    killer = Killer(demo, random.Random(11))
    demo.until(lambda status: status.fills >= 1, "the first fill")
    for names, in_flight in BLOWS:
        since = killer.strike(names, in_flight=in_flight)
        killer.wait_until_back(names, since)
    fills = demo.status().fills
    demo.until(lambda status: status.fills > fills, "a fill after all that")
    demo.come_to_rest()
    summary = demo.end()
    assert summary["restarts"] == killer.kills
    assert truth_of(demo, protected=True).problems == []
    assert "Traceback" not in demo.lines


def test_nothing_outlives_a_killed_supervisor_and_the_next_one_goes_on(start: Callable[[], Demo]) -> None:
    demo = start()
    demo.until(lambda status: status.fills >= 1, "a fill")
    children = [demo.pid(name) for name in PROCESSES]
    assert None not in children
    os.kill(demo.process.pid, signal.SIGKILL)
    demo.process.wait()
    deadline = time.monotonic() + 20
    while any(pid is not None and is_alive(pid) for pid in children):
        assert time.monotonic() < deadline, children
        time.sleep(0.05)
    again = start()
    again.until(lambda status: status.fills >= 1, "a fill")
    again.come_to_rest()
    assert again.end(signal.SIGINT)["restarts"] == 0
    assert truth_of(again, protected=True).problems == []
    assert "Traceback" not in again.lines


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"

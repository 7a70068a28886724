"""A strategy that kills its process is left out after the second time; the others trade on."""

import sys
from pathlib import Path

import pytest

from tests.process.demo_rig import Demo
from tests.process.turning import TURNING_CONFIG, python_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")

ENDS_ALL = """
[[strategies]]
name = "ends_all"
symbols = ["ETHUSDT"]
timeframe = "1s"
protective_stop_percent = 5
"""


def test_after_the_second_death_the_engine_comes_back_without_the_strategy(tmp_path: Path) -> None:
    config = TURNING_CONFIG.replace('symbols = ["BTCUSDT"]', 'symbols = ["BTCUSDT", "ETHUSDT"]', 1)
    demo = Demo(tmp_path, config=config + ENDS_ALL, environment={"PYTHONPATH": python_path()})
    try:
        demo.until(lambda _: "last on bar" in demo.lines, "the strategy to be left out", 120)
        fills = demo.status().fills
        demo.until(lambda status: status.fills > fills + 1, "the other strategy to trade on")
        stops = [one for one in demo.status().open_orders if one.symbol == "ETHUSDT"]
        held = [one for one in demo.status().positions if one.symbol == "ETHUSDT"]
        assert [one.order_type for one in stops] == ["STOP_MARKET"] * len(held)
        assert "ends_all:s2 on ETHUSDT was at work on bar" in demo.lines
        assert "ends_all:s2 on ETHUSDT is failed: it was at work when the engine ended 2 times" in demo.lines
        assert demo.end()["restarts"] == 2
    finally:
        demo.abandon()

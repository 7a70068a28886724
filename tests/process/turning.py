"""Trades every other second, whatever the market does: for tests that break what surrounds the trading."""

import os
from pathlib import Path

from tests.process.demo_kills import BUSY_CONFIG, PROTECTIONS

CROSSOVER = """name = "sma_crossover_inflection"
symbols = ["BTCUSDT"]
timeframe = "1s"
params = { short = 1, long = 2, smoothing = 1 }
"""
TURNS = """name = "turns"
symbols = ["BTCUSDT"]
timeframe = "1s"
"""


def turning(config: str) -> str:
    """The same, with a strategy that turns by the clock."""
    assert CROSSOVER in config
    return config.replace(CROSSOVER, TURNS)


TURNING_CONFIG = turning(BUSY_CONFIG.format(seed=7, protection=PROTECTIONS["stop"]))


def python_path(*folders: Path) -> str:
    """By which processes find the strategies made for tests, and what else they are to find."""
    return os.pathsep.join(map(str, (Path(__file__).parent / "more_strategies", *folders)))

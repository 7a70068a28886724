"""Sample markets, made from integers alone: the same bars on every machine and with every library version.

They are no real market: a random walk in ticks whose volatility and drift change slowly, with the path
inside each bar walked in steps so that high and low belong to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.model.bars import Bars

_MASK = (1 << 64) - 1
_STEPS = 8
_SCALE = 1 << 20
_GAP = 2_600_000
"""A draw beyond this opens a bar away from the last close, about one bar in eighty."""
_BEGIN_NS = 1_672_531_200_000_000_000
_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Dataset:
    """A sample market by name. Prices are multiples of 0.01; times begin on 2023-01-01 UTC.

    `step_ppm` is the usual size of one of the eight steps inside a bar, in millionths of price.
    """

    name: str
    symbol: str
    timeframe_ns: int
    bars: int
    seed: int
    first_price_ticks: int
    step_ppm: int


DATASETS = {
    one.name: one
    for one in (
        Dataset("sample-1h", "SAMPLEUSDT", 60 * _MINUTE_NS, 8760, 1, 120_000, 1500),
        Dataset("sample-15m", "SAMPLEUSDT", 15 * _MINUTE_NS, 17520, 2, 120_000, 750),
        Dataset("sample-5m", "SAMPLEUSDT", 5 * _MINUTE_NS, 25920, 3, 120_000, 420),
        Dataset("other-1h", "OTHERUSDT", 60 * _MINUTE_NS, 8760, 4, 1_650_000, 1200),
        Dataset("calm-1h", "CALMUSDT", 60 * _MINUTE_NS, 8760, 5, 10_000, 300),
    )
}


def dataset(name: str) -> Bars:
    """The bars of a named sample market; KeyError for an unknown name."""
    return generate(DATASETS[name])


def generate(spec: Dataset) -> Bars:
    """Walk the market. Pure integer arithmetic; prices become floats by one division at the end."""
    draw = _normals(spec.seed)
    price = spec.first_price_ticks
    volatility = drift = 0
    rows = np.empty((spec.bars, 5), dtype=np.int64)
    for i in range(spec.bars):
        volatility += (4 * next(draw) - volatility) // 64
        drift += (2 * next(draw) - drift) // 128
        step_ppm = spec.step_ppm * max(300, min(4000, 1000 + 2200 * volatility // _SCALE)) // 1000
        # A weak pull home keeps a long walk near the price it began with.
        push = drift // 4 - (price - spec.first_price_ticks) * _SCALE // (100 * spec.first_price_ticks)
        gap = next(draw)
        if abs(gap) > _GAP:
            price = _moved(price, gap, step_ppm)
        open_ = high = low = price
        for _ in range(_STEPS):
            price = _moved(price, next(draw) + push, step_ppm)
            high, low = max(high, price), min(low, price)
        volume = (abs(next(draw)) * step_ppm // spec.step_ppm + (high - low) * 4096) // 64
        rows[i] = open_, high, low, price, volume
    columns = rows.T
    return Bars(
        spec.symbol,
        spec.timeframe_ns,
        _BEGIN_NS + np.arange(spec.bars, dtype=np.int64) * spec.timeframe_ns,
        columns[0] / 100.0,
        columns[1] / 100.0,
        columns[2] / 100.0,
        columns[3] / 100.0,
        columns[4] / 10.0,
    )


def _moved(price: int, draw: int, step_ppm: int) -> int:
    """The price after a draw whose unit is `_SCALE`, never below ten ticks."""
    unit = _SCALE * 1_000_000
    return max(10, price + (price * draw * step_ppm + unit // 2) // unit)


def _normals(seed: int) -> Iterator[int]:
    """Nearly normal integers of mean 0 and standard deviation `_SCALE`: sums of four uniform ones."""
    for word in _words(seed):
        # Four 16-bit uniforms: each has variance (2**32 - 1) / 12, so their sum a deviation of 37,837.
        total = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48) - 131_070
        yield total * _SCALE // 37_837


def _words(seed: int) -> Iterator[int]:
    """64-bit words of splitmix64 (Steele, Lea and Flood 2014)."""
    state = seed & _MASK
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        word = state
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB & _MASK
        yield word ^ (word >> 31)

"""The mid prices both engines of `tick_throughput.py` get. Needs the standard library only: the peer's
environment has nothing else of ours."""

import math
import random
from collections.abc import Iterator

STEP_NS = 10_000_000
"""A hundred ticks a second of market time."""


def mids(total: int, chunk: int) -> Iterator[list[float]]:
    """`total` mid prices in lists of `chunk`: a slow wave, and a seeded walk that is drawn back to it."""
    draw = random.Random(7).gauss  # noqa: S311  # a price path, no secret
    away = 0.0
    for first in range(0, total, chunk):
        made = []
        for index in range(first, min(total, first + chunk)):
            away = 0.9995 * away + draw(0.0, 0.4)
            wave = 40.0 * math.sin(index / 30_000.0)
            made.append(round(64_000.05 + round((wave + away) * 10) / 10, 2))
        yield made

"""Tick and quantity step of a symbol, found from its own bars.

All prices of an instrument are multiples of its tick, and all volumes multiples of its quantity step: the
step of a column is the greatest common divisor of its values, counted in the last decimal they use.
"""

from dataclasses import dataclass, replace
from math import floor, log10

import numpy as np
from numpy.typing import NDArray

from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings

ASSUMED_QTY_STEP = 0.0001
_MOST_TICK_ASSUMED = 0.01
_MOST_DECIMALS = 14
_PROOF = 50
"""So many different values rarely share a divisor by chance (2**-50)."""
_NOISE = 1e-12
"""Relative error of a value that went through a few operations on floats."""
_ULPS = 4 * np.finfo(np.float64).eps
_SAMPLE = 4096
_PART = 1 << 14
_MOST_STEP_VALUE = 1000.0
"""A quantity step worth more is the rounding of a volume column, no instrument's step."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Tick (price) and quantity step (base units) of a symbol, and in words where each comes from.

    The smallest order (base units, account currency) is known from an instrument only.
    """

    tick: float
    qty_step: float
    tick_source: str
    qty_step_source: str
    min_qty: float = 0.0
    min_notional: float = 0.0


def grid_of(bars: Bars) -> Grid:
    """The grid of the bars' prices and volumes.

    A file of few prices does not prove a tick coarser than 0.01. Prices on no grid at all get a tick of a
    millionth of their size; volumes on none, or too coarse to be an instrument's, a step of 0.0001.
    """
    if not len(bars):
        return Grid(_MOST_TICK_ASSUMED, ASSUMED_QTY_STEP, "assumed", "assumed")
    tick = common_step(bars.open, bars.high, bars.low, bars.close)
    source = "the grid of the prices"
    if tick is None:
        tick = 10.0 ** (floor(log10(float(bars.low.min()))) - 6)
        source = "assumed: the prices lie on no grid"
    elif tick > _MOST_TICK_ASSUMED and not _many_values(bars):
        tick, source = _MOST_TICK_ASSUMED, "assumed: too few prices to find their grid"
    step = common_step(bars.volume_base) if _is_proof(bars.volume_base) else None
    if step is None or step * float(bars.close[-1]) > _MOST_STEP_VALUE:
        return Grid(tick, ASSUMED_QTY_STEP, source, "assumed")
    return Grid(tick, step, source, "the grid of the volumes")


def settled(settings: BrokerSettings, bars: Bars) -> BrokerSettings:
    """The settings with tick and quantity step of the bars where none is given (0)."""
    market = settings.market
    if market.tick and market.qty_step:
        return settings
    grid = grid_of(bars)
    market = replace(market, tick=market.tick or grid.tick, qty_step=market.qty_step or grid.qty_step)
    return replace(settings, market=market)


def common_step(*columns: NDArray[np.float64]) -> float | None:
    """The largest step of which all values are multiples, up to float noise; None where there is none.

    With fewer than 50 different values it is a power of ten, which needs no proof.
    """
    sample = np.unique(np.concatenate([_spread(column) for column in columns]))
    most = max((float(np.abs(column).max()) for column in columns if len(column)), default=0.0)
    if not most:
        return None
    for decimals in range(_MOST_DECIMALS + 1):
        scale = 10.0**decimals
        if most * scale * _ULPS > 0.1:
            return None
        if not _on_grid(sample, scale) or not all(_on_grid(column, scale) for column in columns):
            continue
        units = 1
        if len(sample) >= _PROOF:
            units = int(np.gcd.reduce(np.rint(sample * scale).astype(np.int64)))
            for column in columns if units > 1 else ():
                units = int(np.gcd.reduce(np.rint(column * scale).astype(np.int64), initial=units))
        return float(f"{units}e-{decimals}")
    return None


def off_grid(bars: Bars, tick: float) -> NDArray[np.bool_]:
    """Which bars have a price that is no multiple of `tick`, by more than a ten-thousandth of it."""
    off = np.zeros(len(bars), np.bool_)
    for column in (bars.open, bars.high, bars.low, bars.close):
        ticks = column / tick
        off |= np.abs(ticks - np.rint(ticks)) > np.maximum(1e-4, ticks * _NOISE)
    return off


def _on_grid(values: NDArray[np.float64], scale: float) -> bool:
    """Whether all values, none below zero, are whole numbers of 1 / scale; in parts that fit a cache."""
    for first in range(0, len(values), _PART):
        scaled = values[first : first + _PART] * scale
        units = np.rint(scaled)
        allowed = np.maximum(np.minimum(scaled * _NOISE, 1e-3), scaled * _ULPS)
        # A value that rounds to no unit at all is off by all of itself, however small it is.
        if not (np.abs(scaled - units) <= allowed).all():
            return False
    return True


def _spread(column: NDArray[np.float64]) -> NDArray[np.float64]:
    return column[:: max(1, len(column) // _SAMPLE)]


def _is_proof(column: NDArray[np.float64]) -> bool:
    return len(np.unique(_spread(column))) >= _PROOF


def _many_values(bars: Bars) -> bool:
    columns = (bars.open, bars.high, bars.low, bars.close)
    return len(np.unique(np.concatenate([_spread(column) for column in columns]))) >= _PROOF

"""Rounding to the price and quantity grid (docs/assumptions.md, "Price and quantity grid")."""

from math import isnan

import numpy as np

from engine.backtest.kernel.layout import Symbol
from engine.compiled import compiled

_LEVEL_TOLERANCE_TICKS = 1e-4
_LOT_NOISE = 1e-9


def whole_per_unit(step: float) -> float:
    """1/step where that is a whole number, else 0: grid values are then quotients of whole numbers."""
    per_unit = round(1.0 / step)
    return float(per_unit) if per_unit >= 1 and abs(per_unit * step - 1.0) < 1e-9 else 0.0


@compiled
def snap(s: Symbol, price: float) -> float:
    """The grid price nearest to `price`, halves up."""
    steps: float = np.floor(price / s.tick + 0.5)
    return steps / s.ticks_per_unit if s.ticks_per_unit > 0.0 else steps * s.tick


@compiled
def round_level(s: Symbol, price: float, upwards: bool) -> float:
    """Grid price of a level: not below `price` if `upwards`, else not above it; nan stays nan."""
    if isnan(price):
        return price
    ticks = price / s.tick
    whole = np.ceil(ticks - _LEVEL_TOLERANCE_TICKS) if upwards else np.floor(ticks + _LEVEL_TOLERANCE_TICKS)
    return snap(s, whole * s.tick)


@compiled
def slip(s: Symbol, price: float, direction: float) -> float:
    """Fill price of a market or stop order that buys (1) or sells (-1)."""
    adverse = s.slippage_ticks * s.tick + price * s.slippage_bps / 10_000.0
    return snap(s, price + direction * adverse)


@compiled
def _on_grid(s: Symbol, steps: float) -> float:
    return steps / s.steps_per_unit if s.steps_per_unit > 0.0 else steps * s.step


@compiled
def floor_qty(s: Symbol, qty: float) -> float:
    """The largest quantity on the grid not above `qty`; one that is on it already stays."""
    steps = np.floor(qty / s.step + _LOT_NOISE)
    above = _on_grid(s, steps + 1.0)
    return above if above <= qty else _on_grid(s, steps)


@compiled
def round_qty(s: Symbol, qty: float) -> float:
    """Quantity on the grid up to float noise, put exactly on it."""
    return _on_grid(s, np.rint(qty / s.step))

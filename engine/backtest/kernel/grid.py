"""Rounding to the price and quantity grid (docs/assumptions.md, "Price and quantity grid")."""

from math import isnan

import numpy as np

from engine.backtest.kernel.layout import Symbol
from engine.compiled.functions import compiled
from engine.compiled.memory import float_at

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
def level_ticks(price: float, tick: float, upwards: bool) -> float:
    """A level in whole ticks: the fewest not below it if `upwards`, else the most not above it."""
    ticks = price / tick
    whole: float = (
        np.ceil(ticks - _LEVEL_TOLERANCE_TICKS) if upwards else np.floor(ticks + _LEVEL_TOLERANCE_TICKS)
    )
    return whole


@compiled
def round_level(s: Symbol, price: float, upwards: bool) -> float:
    """Grid price of a level: not below `price` if `upwards`, else not above it; nan stays nan."""
    if isnan(price):
        return price
    ticks = level_ticks(price, s.tick, upwards)
    return ticks / s.ticks_per_unit if s.ticks_per_unit > 0.0 else ticks * s.tick


@compiled
def slip(s: Symbol, price: float, direction: float) -> float:
    """Fill price of a market or stop order that buys (1) or sells (-1)."""
    return _in_bar(s, price, direction, s.slippage_ticks * s.tick + price * s.slippage_bps / 10_000.0)


@compiled
def unslipped(s: Symbol, price: float) -> float:
    """Fill price of a limit or a liquidation."""
    return _in_bar(s, price, 1.0, 0.0)


@compiled
def _in_bar(s: Symbol, price: float, direction: float, adverse: float) -> float:
    """The price moved against us, on the grid, above zero, and outside the bar by no more than `adverse`."""
    low, high = float_at(s.low_at, s.bar), float_at(s.high_at, s.bar)
    asked = price + direction * adverse
    bottom, top = low - adverse, high + adverse
    found = snap(s, asked)
    if 0.0 < bottom <= found <= top:
        return found
    bottom = max(bottom, min(low, s.tick))
    lowest, highest = round_level(s, bottom, True), round_level(s, top, False)
    if lowest > highest:
        return min(max(asked, bottom), top)
    return min(max(found, lowest), highest)


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

"""Rounding to the symbol's price and quantity grid, as TradingView does it (event-driven engine).

Sources: pine_semantics 3.2. Levels are rounded when an order is created, with a tolerance of 1e-4 tick;
quantities are truncated to the smallest contract.
"""

from functools import lru_cache
from math import floor, isnan

from engine.model.levels import level_ticks

_LOT_NOISE = 1e-9


def round_level_up(price: float, tick: float) -> float:
    """Smallest grid price not below `price` (buy stops, sell limits); nan stays nan."""
    if isnan(price):
        return price
    return _price_of(level_ticks(price, tick, upwards=True), tick)


def round_level_down(price: float, tick: float) -> float:
    """Largest grid price not above `price` (sell stops, buy limits); nan stays nan."""
    if isnan(price):
        return price
    return _price_of(level_ticks(price, tick, upwards=False), tick)


def snap(price: float, tick: float) -> float:
    """The float nearest to the grid price nearest to `price`.

    Grid prices are computed as a quotient of integers where 1/tick is one, so that the result is the
    float a person would type (3441.88, not 3441.8800000000001).
    """
    return _price_of(floor(price / tick + 0.5), tick)


def _price_of(ticks: int, tick: float) -> float:
    per_unit = steps_per_unit(tick)
    return ticks / per_unit if per_unit else ticks * tick


def round_qty(qty: float, step: float) -> float:
    """The float nearest to the grid quantity nearest to `qty`."""
    steps = round(qty / step)
    per_unit = steps_per_unit(step)
    return steps / per_unit if per_unit else steps * step


def floor_qty(qty: float, step: float) -> float:
    """Truncate a quantity to the grid; noise of 1e-9 steps below an integer counts as the integer.

    A quantity that is on the grid already stays, though its quotient by the step may fall short by more.
    """
    steps = floor(qty / step + _LOT_NOISE)
    per_unit = steps_per_unit(step)
    if per_unit:
        return (steps + 1) / per_unit if (steps + 1) / per_unit <= qty else steps / per_unit
    return (steps + 1) * step if (steps + 1) * step <= qty else steps * step


def fill_price(price: float, direction: int, adverse: float, low: float, high: float, tick: float) -> float:
    """Where an order fills that buys (1) or sells (-1) at `price`, moved against us by `adverse`.

    The nearest grid price of the bar from `low` to `high` widened by `adverse`, and above zero. Where that
    range has no grid price, its nearest end to the price asked.
    """
    asked = price + direction * adverse
    bottom, top = low - adverse, high + adverse
    found = snap(asked, tick)
    if 0.0 < bottom <= found <= top:
        return found
    bottom = max(bottom, min(low, tick))
    lowest, highest = round_level_up(bottom, tick), round_level_down(top, tick)
    if lowest > highest:
        return min(max(asked, bottom), top)
    return min(max(found, lowest), highest)


@lru_cache(maxsize=64)
def steps_per_unit(step: float) -> int:
    """Steps in a unit where that is a whole number, else 0."""
    per_unit = round(1.0 / step)
    return per_unit if per_unit >= 1 and abs(per_unit * step - 1.0) < 1e-9 else 0

"""Price levels in whole ticks, by the one rule of the emulator and of live trading (pine_semantics 3.2)."""

from math import ceil, floor

_LEVEL_TOLERANCE_TICKS = 1e-4


def level_ticks(price: float, tick: float, *, upwards: bool) -> int:
    """A level in whole ticks: the fewest not below it if `upwards`, else the most not above it.

    The live engine rounds by this function too, so both place a level at the same tick.
    """
    ticks = price / tick
    return ceil(ticks - _LEVEL_TOLERANCE_TICKS) if upwards else floor(ticks + _LEVEL_TOLERANCE_TICKS)

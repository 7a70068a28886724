"""Pine's comparisons of floats: operands closer than 1e-10 count as equal, and nan compares false.

Source: pine_semantics 1.3. Crossovers are exact and do not use these.
"""

from engine.compiled.functions import shared

TOLERANCE = 1e-10


@shared
def below(a: float, b: float) -> bool:
    """Pine's `a < b`."""
    return a - b < -TOLERANCE


@shared
def above(a: float, b: float) -> bool:
    """Pine's `a > b`."""
    return a - b > TOLERANCE


@shared
def at_most(a: float, b: float) -> bool:
    """Pine's `a <= b`."""
    return a - b <= TOLERANCE


@shared
def at_least(a: float, b: float) -> bool:
    """Pine's `a >= b`."""
    return a - b >= -TOLERANCE


@shared
def is_true(condition: float) -> bool:
    """Whether a condition holds: it is a number other than 0; na is no."""
    return condition == condition and condition != 0.0  # noqa: PLR0124  # nan alone differs from itself

"""What numbers mean in a condition."""

from engine.compiled.functions import shared

TOLERANCE = 1e-10
"""Pine's comparisons take floats that are no further apart for equal (pine_semantics 1.3), crossovers not."""


@shared
def is_true(condition: float) -> bool:
    """Whether a condition holds: it is a number other than 0; na is no."""
    return condition == condition and condition != 0.0  # noqa: PLR0124  # nan alone differs from itself

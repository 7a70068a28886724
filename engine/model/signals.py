"""What a strategy says about closed bars: one bar at a time, or a whole history in arrays."""

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Direction = Literal["long", "short"]
Fate = Literal[
    "traded", "vetoed", "late", "duplicate", "warming", "suspect", "paused", "rejected", "ignored", "failed"
]
"""What became of a signal, as its record in the journal says it (rejected: what it says together with its
order's)."""


class Signals(msgspec.Struct, frozen=True, gc=False):
    """What a strategy says about one closed bar: independent flags, never a choice between them.

    `tag` names the setup (entries with a tag seen before can be de-duplicated; "" is never a duplicate).
    `risk_distance` is the price distance that one R stands for (nan: none). `values` are the indicator
    values behind the flags, in the order of the strategy's `value_names`.
    """

    enter_long: bool
    enter_short: bool
    exit_long: bool
    exit_short: bool
    tag: str = ""
    risk_distance: float = float("nan")
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalArrays:
    """`Signals` of a whole history, one element a bar.

    Flags are bool arrays, `risk_distance` float64, `tag` int32 indices into `tags` (index 0 is "").
    `values` has one float64 row for each of the strategy's `value_names`.
    """

    enter_long: NDArray[np.bool_]
    enter_short: NDArray[np.bool_]
    exit_long: NDArray[np.bool_]
    exit_short: NDArray[np.bool_]
    tag: NDArray[np.int32]
    tags: tuple[str, ...]
    risk_distance: NDArray[np.float64]
    values: NDArray[np.float64]

"""What a strategy says about closed bars: one bar at a time, or a whole history in arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
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
    `risk_distance` is the price distance that one R stands for. `values` are the indicator values behind the
    flags, in the order of the strategy's `value_names`. `strength` says how good the signal is, from 0 to 1.

    Prices belong to one side, so that a bar can have them for both: `limit_*` is where an entry waits for its
    price instead of going to the market, `stop_*` and `target_*` are levels of the position it opens. What
    they do is in `engine/model/exit_rules.py`. Of every number nan is none.
    """

    enter_long: bool
    enter_short: bool
    exit_long: bool
    exit_short: bool
    tag: str = ""
    risk_distance: float = nan
    values: tuple[float, ...] = ()
    strength: float = nan
    limit_long: float = nan
    limit_short: float = nan
    stop_long: float = nan
    stop_short: float = nan
    target_long: float = nan
    target_short: float = nan


SIGNAL_LEVELS = ("limit_long", "limit_short", "stop_long", "stop_short", "target_long", "target_short")
"""Prices that a signal may have."""

SIGNAL_NUMBERS = ("strength", *SIGNAL_LEVELS)
"""Numbers that a signal may have and most have not: of a whole history they are arrays or None."""


@dataclass(frozen=True, slots=True)
class SignalArrays:
    """`Signals` of a whole history, one element a bar.

    Flags are bool arrays, `risk_distance` float64, `tag` int32 indices into `tags` (index 0 is "").
    `values` has one float64 row for each of the strategy's `value_names`. The others are float64, nan for
    none, or None where no bar has any.
    """

    enter_long: NDArray[np.bool_]
    enter_short: NDArray[np.bool_]
    exit_long: NDArray[np.bool_]
    exit_short: NDArray[np.bool_]
    tag: NDArray[np.int32]
    tags: tuple[str, ...]
    risk_distance: NDArray[np.float64]
    values: NDArray[np.float64]
    strength: NDArray[np.float64] | None = None
    limit_long: NDArray[np.float64] | None = None
    limit_short: NDArray[np.float64] | None = None
    stop_long: NDArray[np.float64] | None = None
    stop_short: NDArray[np.float64] | None = None
    target_long: NDArray[np.float64] | None = None
    target_short: NDArray[np.float64] | None = None

    def at(self, bar: int) -> Signals:
        """What is said about one bar; a negative number counts from the end."""
        given = ((name, getattr(self, name)) for name in SIGNAL_NUMBERS)
        return Signals(
            bool(self.enter_long[bar]),
            bool(self.enter_short[bar]),
            bool(self.exit_long[bar]),
            bool(self.exit_short[bar]),
            self.tags[self.tag[bar]],
            float(self.risk_distance[bar]),
            tuple(self.values[:, bar].tolist()),
            **{name: float(array[bar]) for name, array in given if array is not None},
        )


def gathered(said: Sequence[Signals]) -> SignalArrays:
    """`Signals` of consecutive bars as arrays. All have as many values as the first."""

    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(one, name) for one in said], dtype=np.float64)

    def flags(name: str) -> NDArray[np.bool_]:
        return np.array([getattr(one, name) for one in said], dtype=np.bool_)

    tags = tuple(dict.fromkeys(["", *(one.tag for one in said)]))
    number = {tag: at for at, tag in enumerate(tags)}
    numbers = {name: column(name) for name in SIGNAL_NUMBERS}
    return SignalArrays(
        flags("enter_long"),
        flags("enter_short"),
        flags("exit_long"),
        flags("exit_short"),
        np.array([number[one.tag] for one in said], dtype=np.int32),
        tags,
        column("risk_distance"),
        np.array([one.values for one in said], dtype=np.float64).reshape(len(said), -1).T,
        **{name: array for name, array in numbers.items() if not np.isnan(array).all()},
    )

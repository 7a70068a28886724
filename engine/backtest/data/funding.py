"""Funding of a perpetual contract: what longs pay shorts at fixed hours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding events of one symbol: int64 times ascending and the rate paid by longs (a fraction)."""

    time_ns: NDArray[np.int64]
    rate: NDArray[np.float64]

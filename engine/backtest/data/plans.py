"""What a backtest of signal strategies is asked to run; both engines take this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules

if TYPE_CHECKING:  # importing it would bring every strategy along
    from engine.model.signals import SignalArrays


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding events of one symbol: int64 times ascending and the rate paid by longs."""

    time_ns: NDArray[np.int64]
    rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SymbolPlan:
    """One symbol of a backtest: its bars, what the strategy said about each, and how it leaves."""

    bars: Bars
    signals: SignalArrays
    exit_rules: ExitRules
    settings: BrokerSettings
    finer: Bars | None = None
    funding: Funding | None = None

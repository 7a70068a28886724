"""A strategy that turns by the clock: a test of what surrounds trading need not wait for a market to turn."""

import numpy as np

from engine.model.bars import Bar, Bars
from engine.model.signals import SignalArrays, Signals
from engine.model.timeframes import SECOND_NS
from engine.strategies.base import SignalStrategy, StrategyParams, registry

PERIOD_SECONDS = 2


class TurnsParams(StrategyParams):
    """None."""


@registry.register
class Turns(SignalStrategy):
    """Long for two seconds, then short for two. It remembers nothing, so a restart changes nothing."""

    name = "turns"
    Params = TurnsParams

    def __init__(self, params: TurnsParams) -> None:
        self.params = params

    @property
    def warmup_bars(self) -> int:
        return 1

    def on_bar(self, bar: Bar) -> Signals:
        is_long = is_long_at(bar.open_time_ns)
        return Signals(enter_long=is_long, enter_short=not is_long, exit_long=False, exit_short=False)

    def batch(self, bars: Bars) -> SignalArrays:
        is_long = np.array([is_long_at(int(time_ns)) for time_ns in bars.open_time_ns], dtype=np.bool_)
        never = np.zeros(len(bars), dtype=np.bool_)
        return SignalArrays(
            enter_long=is_long,
            enter_short=~is_long,
            exit_long=never,
            exit_short=never,
            tag=np.zeros(len(bars), dtype=np.int32),
            tags=("",),
            risk_distance=np.full(len(bars), np.nan),
            values=np.empty((0, len(bars))),
        )

    def reset(self) -> None:
        """Nothing to forget."""


def is_long_at(open_time_ns: int) -> bool:
    return open_time_ns // SECOND_NS // PERIOD_SECONDS % 2 == 0

"""A strategy whose position leaves in parts: resting stop, two partial targets and a last one."""

import numpy as np

from engine.model.bars import Bar, Bars
from engine.model.exit_rules import ExitRules, PartialExit
from engine.model.timeframes import SECOND_NS
from engine.strategies.base import SignalArrays, Signals, SignalStrategy, StrategyParams, registry

PERIOD_SECONDS = 6
RISK_FRACTION = 0.0001
"""Of the price: so near that targets and stops are reached within seconds."""


class LadderedParams(StrategyParams):
    """None."""


@registry.register
class Laddered(SignalStrategy):
    """Long in one period of the clock, short in the next. A restart changes nothing: it remembers nothing."""

    name = "laddered"
    Params = LadderedParams
    value_names = ("close",)

    def __init__(self, params: LadderedParams) -> None:
        self.params = params

    @property
    def warmup_bars(self) -> int:
        return 1

    @property
    def exit_rules(self) -> ExitRules:
        return ExitRules(
            stop_kind="resting",
            stop_r=2.0,
            take_profit_r=3.0,
            break_even_at_r=2.0,
            trailing_percent=0.05,
            partial_exits=(PartialExit(0.5, 0.25), PartialExit(1.0, 0.25)),
            max_holding_bars=10,
            cooldown_bars=1,
            protective_stop_percent=2.0,
        )

    def on_bar(self, bar: Bar) -> Signals:
        is_long = is_long_at(bar.open_time_ns)
        return Signals(
            enter_long=is_long,
            enter_short=not is_long,
            exit_long=False,
            exit_short=False,
            tag="up" if is_long else "down",
            risk_distance=bar.close * RISK_FRACTION,
            values=(bar.close,),
        )

    def batch(self, bars: Bars) -> SignalArrays:
        is_long = np.array([is_long_at(int(time_ns)) for time_ns in bars.open_time_ns], dtype=np.bool_)
        never = np.zeros(len(bars), dtype=np.bool_)
        return SignalArrays(
            enter_long=is_long,
            enter_short=~is_long,
            exit_long=never,
            exit_short=never,
            tag=np.where(is_long, 1, 2).astype(np.int32),
            tags=("", "up", "down"),
            risk_distance=bars.close * RISK_FRACTION,
            values=bars.close[np.newaxis, :].copy(),
        )

    def reset(self) -> None:
        """Nothing to forget."""


def is_long_at(open_time_ns: int) -> bool:
    return open_time_ns // SECOND_NS // PERIOD_SECONDS % 2 == 0

"""A strategy that takes the whole process with it, at its second bar."""

import os
import signal

from engine.model.bars import Bar
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams, registry


class EndsAllParams(StrategyParams):
    """None."""


@registry.register
class EndsAll(ScriptStrategy):
    """Long at the first bar; the second kills the engine as the system would, for memory or a fault."""

    name = "ends_all"
    Params = EndsAllParams

    def __init__(self, params: EndsAllParams) -> None:
        self.params = params
        self.bars = 0

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset({"entry"})

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self.bars += 1
        if self.bars == 1:
            broker.entry("L", "long")
        else:
            os.kill(os.getpid(), signal.SIGKILL)

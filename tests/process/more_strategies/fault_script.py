"""A script for faulty days: every eight seconds a market entry with target and stop, and a limit entry that
moves, fills in part and is cancelled. It remembers nothing, so a restart changes nothing."""

from engine.model.bars import Bar
from engine.model.signals import Direction
from engine.model.timeframes import SECOND_NS
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams, registry

CYCLE = 8
NEAR, FAR = 0.00002, 0.002


class FaultScriptParams(StrategyParams):
    """None."""


@registry.register
class FaultScript(ScriptStrategy):
    """Uses every kind of order the live port has."""

    name = "fault_script"
    Params = FaultScriptParams

    def __init__(self, params: FaultScriptParams) -> None:
        self.params = params

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset({"entry", "entry.limit", "exit", "exit.limit", "exit.stop", "close", "cancel"})

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        second = bar.open_time_ns // SECOND_NS
        direction: Direction = "long" if second // CYCLE % 2 else "short"
        sign = 1.0 if direction == "long" else -1.0
        phase = second % CYCLE
        if phase == 0:
            broker.entry("M", direction)
            broker.exit("MX", "M", limit=bar.close * (1.0 + sign * FAR), stop=bar.close * (1.0 - sign * FAR))
        elif phase == 2:
            broker.close("M")
        elif phase in {3, 4, 5}:
            broker.entry("L", direction, limit=bar.close * (1.0 - sign * NEAR * (phase - 3)))
            broker.exit("LX", "L", limit=bar.close * (1.0 + sign * NEAR), stop=bar.close * (1.0 - sign * FAR))
        elif phase == 6:
            broker.cancel("L")
        elif phase == 7:
            broker.close("L")

"""A grid of limit orders below the market."""

from pydantic import Field

from engine.model.bars import Bar
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams, registry


class GridParams(StrategyParams):
    """The lines of the grid."""

    lines: int = Field(default=5, ge=1, le=50, description="how many buys wait below the price")
    step_percent: float = Field(
        default=1.0, gt=0, lt=50, description="distance of one line from the next, of the top"
    )


@registry.register
class GridStrategy(ScriptStrategy):
    """Buys at each line that the price falls to and sells one line higher; needs `pyramiding` of `lines`.

    It collects small gains while the price goes to and fro. Below its last line it holds all it has bought,
    without a stop: a market that falls and stays there is its loss.
    """

    name = "grid"
    Params = GridParams

    def __init__(self, params: GridParams) -> None:
        self.params = params
        self._top = 0.0

    @property
    def verbs(self) -> frozenset[str]:
        """Entries and exits at a price."""
        return frozenset({"entry", "entry.limit", "exit", "exit.limit", "cancel"})

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        """While flat the grid follows the price up; each line is either bought or waits."""
        if broker.position_size == 0.0:
            self._top = max(self._top, bar.close)
        step = self._top * self.params.step_percent / 100.0
        held = {trade.entry_id for trade in broker.open_trades}
        for line in range(1, self.params.lines + 1):
            entry = f"line {line}"
            if entry in held:
                broker.exit(f"sell {line}", entry, limit=self._top - (line - 1) * step)
            else:
                broker.entry(entry, "long", limit=self._top - line * step)

"""Strategies as a graph of series: what a person writes once, evaluated over a history and a bar at a time.

class Breakaway(Strategy):
    length = param(20, ge=1, doc="bars of the average")
    exits = ExitRules(stop_loss_percent=5.0)

    def define(self, bar: BarSeries) -> Rules:
        average = ta.ema(bar.close, self.length)
        return Rules(enter_long=bar.close > average, exit_long=bar.close < average)
"""

from typing import Any, ClassVar

from engine.model.bars import Bar, Bars
from engine.model.exit_rules import ExitRules
from engine.model.signals import SignalArrays, Signals
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds
from engine.series.streaming import Memory, Stream
from engine.strategies.base import SignalStrategy, StrategyParams
from engine.strategies.param import model_of, resolved
from engine.strategies.rules import Graph, Rules


class Strategy(SignalStrategy):
    """A signal strategy that is defined by series.

    Subclasses write `define` and name their parameters by `param`. `exits` are the exit rules, in which a
    parameter may stand for a value. Make one by `Breakaway(length=40)`.
    """

    name: ClassVar[str] = ""
    exits: ExitRules = ExitRules()
    params: StrategyParams

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401  # as Python passes them on
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__
        if "Params" not in vars(cls):
            cls.Params = model_of(cls)

    def __init__(self, params: StrategyParams | None = None, /, **by_name: object) -> None:
        self.params = self.Params.model_validate(by_name) if params is None else params
        self._graph = Graph(self.define(BarSeries()))
        self.value_names = tuple(self._graph.plots)  # type: ignore[misc]  # each object has its own
        self._stream: Stream | None = None

    def define(self, bar: BarSeries) -> Rules:
        """The rules, as series made of the bar's; called once for each object."""
        raise NotImplementedError

    @property
    def exit_rules(self) -> ExitRules:
        """`exits` with the values of this object's parameters."""
        return resolved(self.exits, self)

    @property
    def graph(self) -> "Graph":
        """What `define` made."""
        return self._graph

    @property
    def warmup_bars(self) -> int:
        """Deciding bars after which signals no longer depend on where history began."""
        return self._graph.warmup_bars()

    def on_bar(self, bar: Bar) -> Signals:
        """Advance by one closed bar."""
        if self._stream is None:
            self._stream = Stream(self._graph.roots)
        return self._graph.signals(self._stream.advance(bar))

    def batch(self, bars: Bars) -> SignalArrays:
        """All signals of a history, from a fresh state; the streaming state is left alone."""
        return self.batch_of(History(Feeds(bars)))

    def batch_of(self, history: History) -> SignalArrays:
        """All signals of a history that may have been used, and may be used again, by other graphs."""
        return self._graph.arrays(history)

    def reset(self) -> None:
        """Forget everything seen."""
        if self._stream is not None:
            self._stream.reset()

    def __getstate__(self) -> tuple[dict[str, object], Memory | None]:
        return self.params.model_dump(), None if self._stream is None else self._stream.memory

    def __setstate__(self, state: tuple[dict[str, object], Memory | None]) -> None:
        by_name, memory = state
        Strategy.__init__(self, **by_name)
        if memory is not None:
            self._stream = Stream(self._graph.roots, memory)

"""Strategies as a graph of series: what a person writes once, evaluated over a history and a bar at a time.

class Breakaway(Strategy):
    length = param(20, ge=1, doc="bars of the average")
    exits = ExitRules(stop_loss_percent=5.0)

    def define(self, bar: BarSeries) -> Rules:
        average = ta.ema(bar.close, self.length)
        return Rules(enter_long=bar.close > average, exit_long=bar.close < average)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engine.model.bars import Bar, Bars, BarsKey
from engine.model.exit_rules import ExitRules, rule_in_r
from engine.model.sentences import SentenceError
from engine.model.signals import SignalArrays, Signals
from engine.series.bar import BarSeries
from engine.series.batch import History
from engine.series.feeds import Feeds, by_key
from engine.series.nodes import Feed
from engine.series.streaming import Stream
from engine.strategies.base import Inputs, SignalStrategy, StrategyParams
from engine.strategies.class_names import check_class
from engine.strategies.param import adopt_defaults, check_names, model_of, params_of, resolved
from engine.strategies.rules import Graph, Rules
from runtime.settings.refusals import sentence
from runtime.suggestions import did_you_mean

_MADE = frozenset({"params", "_graph", "_stream", "value_names"})
"""What an object of a strategy is made of again in another process."""
_OF_INIT = frozenset({"params", "_graph", "_stream", "_feeds", "_deciding"})
"""What only `Strategy.__init__` gives an object."""
_NOTHING = Signals(False, False, False, False)


class MissingAttribute(SentenceError, AttributeError):
    """A name that a strategy has not; `hasattr` and `getattr` with a default go on."""


class Strategy(SignalStrategy):
    """A signal strategy that is defined by series.

    Subclasses write `define` and name their parameters by `param`; a plain value for an inherited parameter
    is its new default. `exits` are the exit rules, in which a parameter may stand for a value. Make one by
    `Breakaway(length=40)`. `memory_bars` are deciding bars of the past that it is given live at least: for
    what carries on from any past, such as `ta.latch`.
    """

    exits: ExitRules = ExitRules()
    memory_bars: int = 0
    params: StrategyParams

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401  # as Python passes them on
        check_names(cls, Strategy)
        super().__init_subclass__(**kwargs)
        exits: object = cls.exits
        if not isinstance(exits, ExitRules):
            what = f"exits is a {type(exits).__name__}, nb.ExitRules(...) was expected"
            raise SentenceError(f"{cls.__name__}: {what}")
        check_class(cls, Strategy)
        if "Params" not in vars(cls):
            adopt_defaults(cls)
            cls.Params = model_of(cls)

    def __init__(self, params: StrategyParams | None = None, /, **by_name: object) -> None:
        _check_by_name(type(self), params)
        self.params = self._checked(by_name) if params is None else params
        self._graph = Graph(self.define(BarSeries()))
        _check_distance(self.exit_rules, self._graph.rules)
        self.value_names = tuple(self._graph.plots)  # type: ignore[misc]  # each object has its own
        self._stream: Stream | None = None
        self._feeds: dict[BarsKey, list[Feed]] | None = None
        self._deciding = ("", 0)

    if not TYPE_CHECKING:  # which would take each name for one that it has

        def __getattr__(self, name: str) -> object:
            if name.startswith("__"):
                raise AttributeError(name)
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # what its own code raised
            raise MissingAttribute(self._without(name))

    def _without(self, name: str) -> str:
        """One sentence about an attribute that it has not."""
        title = type(self).__name__
        if name in _OF_INIT:
            init = "super().__init__(params, **by_name)"
            return f"{title}: an __init__ of your own must call {init}, or can be left out"
        known = [*params_of(type(self)), *(one for one in dir(type(self)) if not one.startswith("_"))]
        return f"{title} has no {name}{did_you_mean(name, known)}"

    def _checked(self, by_name: Mapping[str, object]) -> StrategyParams:
        try:
            return self.Params.model_validate(by_name)
        except ValidationError as error:
            what = sentence(error, self.Params, prefix="parameter ")
            raise SentenceError(f"{type(self).__name__}: {what}") from None

    def define(self, bar: BarSeries) -> Rules:  # noqa: ARG002  # for those who write it
        """The rules, as series made of the bar's; called once for each object."""
        raise SentenceError(f"{type(self).__name__} has no define(self, bar), which returns nb.Rules(...)")

    @property
    def exit_rules(self) -> ExitRules:
        """`exits` with the values of this object's parameters."""
        return resolved(self.exits, self)

    @property
    def gives_distance(self) -> bool:
        """Whether the rules have a `risk_distance`."""
        return self._graph.rules.risk_distance is not None

    @property
    def graph(self) -> Graph:
        """What `define` made."""
        return self._graph

    @property
    def warmup_bars(self) -> int:
        """Deciding bars after which signals no longer depend on where history began; longer bars begin with
        them, so it counts these only once it is bound.
        """
        own_ns = self._deciding[1]
        lengths = {feed: key[1] // own_ns for key, feeds in (self._feeds or {}).items() for feed in feeds}
        return max(self.memory_bars, self._graph.whole_warmup_bars(lengths) - 1)

    @property
    def inputs(self) -> Inputs:
        """The timeframes and symbols that `define` looks at beside the deciding bars."""
        return Inputs(others=self._graph.feeds, needs_volume=self._graph.needs_volume)

    def bind(self, symbol: str, timeframe_ns: int) -> None:
        """Learn which bars decide; `SeriesError` where they cannot make up a timeframe of `bar.on`."""
        self._feeds = by_key(self._graph.feeds, symbol, timeframe_ns)
        self._deciding = (symbol, timeframe_ns)

    def history_bars(self, symbol: str, timeframe_ns: int) -> int:
        """How many bars of one of its inputs warm it up, where each input has a history of its own: its own
        warm-up, over that of the deciding bars.
        """
        own = max(self.memory_bars, self._graph.warmup_bars() - 1)
        feeds = (self._feeds or {}).get((symbol, timeframe_ns), ())
        covered = -(-own * self._deciding[1] // timeframe_ns)
        needed = [self._graph.warmup_bars(feed) + covered + 1 for feed in feeds]
        return max([own, *needed] if (symbol, timeframe_ns) == self._deciding else needed, default=own)

    def on_bar(self, bar: Bar) -> Signals:
        """Advance by one closed bar; of an informative one nothing is said."""
        if self._stream is None:
            self._stream = Stream(self._graph.roots)
        if self._graph.feeds:
            if self._feeds is None:
                raise SentenceError(f"{type(self).__name__} looks at other bars, so call bind() first")
            for feed in self._feeds.get((bar.symbol, bar.timeframe_ns), ()):
                self._stream.advance(bar, feed)
            if (bar.symbol, bar.timeframe_ns) != self._deciding:
                return _NOTHING
        return self._graph.signals(self._stream.decide(bar))

    def batch_beside(self, bars: Bars, beside: Sequence[Bars]) -> SignalArrays:
        """`batch` of a strategy that looks at other bars, too: those given, and longer ones made of them."""
        return self.batch_of(History(Feeds(bars, beside)))

    def batch(self, bars: Bars) -> SignalArrays:
        """All signals of a history, from a fresh state; the streaming state is left alone."""
        return self.batch_of(History(Feeds(bars)))

    def batch_of(self, history: History) -> SignalArrays:
        """All signals of a history that may have been used, and may be used again, by other graphs."""
        return self._graph.arrays(history)

    def reasons(self) -> dict[str, str]:
        """Why each flag is what it is on the last bar that was fed, in words and numbers."""
        stream = self._stream
        return {} if stream is None else self._graph.reasons(stream.last)

    def reasons_at(
        self, bars: Bars, index: int, beside: Iterable[Bars] | Mapping[str, Bars] = ()
    ) -> dict[str, str]:
        """Why each flag is what it is on one bar of a history; a negative index counts from the end."""
        if not -len(bars) <= index < len(bars):
            raise SentenceError(
                f"reasons_at: there is no bar {index}, the history has bars 0 to {len(bars) - 1}"
            )
        return self._graph.reasons(History(Feeds(bars, beside)).at(index, self._graph.nodes))

    def reset(self) -> None:
        """Forget everything seen."""
        if self._stream is not None:
            self._stream.reset()

    def __getstate__(self) -> dict[str, object]:
        memory = None if self._stream is None else self._stream.memory
        own = {name: value for name, value in vars(self).items() if name not in _MADE}
        return own | {"params": self.params.model_dump(), "memory": memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        memory, params = state.pop("memory"), state.pop("params")
        vars(self).update(state)  # of its own `__init__`, which `define` may look at
        Strategy.__init__(self, **params)
        vars(self).update(state)
        if memory is not None:
            self._stream = Stream(self._graph.roots, memory)


def _check_by_name(cls: type, params: object) -> None:
    """`SentenceError` for a value in the place of the object that holds all parameters."""
    if params is not None and not isinstance(params, StrategyParams):
        made = f"{cls.__name__}({next(iter(params_of(cls)), 'length')}={params!r:.40})"
        raise SentenceError(f"{cls.__name__}: parameters are given by name, such as {made}")


def _check_distance(exits: ExitRules, rules: Rules) -> None:
    """`SentenceError` for exit rules in multiples of a distance that no signal has."""
    needed = rule_in_r(exits)
    if needed and rules.risk_distance is None:
        raise SentenceError(
            f"exits: {needed} is a multiple of risk_distance, which nb.Rules(...) does not give"
        )

"""One strategy on one symbol: its object, its state, and the bars it has seen."""

from collections import deque
from enum import StrEnum

import msgspec

from engine.market_data.klines import MAX_KLINES
from engine.model.bars import Bar, BarsKey
from engine.model.broker_settings import Sizing
from engine.model.cause import Cause
from engine.model.config import StrategySpec
from engine.model.limits import Verdict
from engine.model.operator_state import OperatorState, OwnerKey
from engine.model.sentences import SentenceError, what_and_where
from engine.model.signals import Fate, Signals
from engine.model.timeframes import NEVER_NS, SECOND_NS, bar_open_ns, timeframe_ns, timeframe_text
from engine.series.nodes import SeriesError
from engine.strategies.base import ScriptStrategy, SignalStrategy, StrategyParams
from engine.strategies.finding import StrategyClass, StrategyNotFound, find_strategy
from engine.strategies.inputs import inputs_of
from runtime.settings.refusals import expected
from runtime.suggestions import allowed

MAX_PENDING_BARS = 2 * MAX_KLINES
"""Bars kept while history is on its way, and history itself; more than that and it is asked for again."""

MAX_LATENESS_NS = 10 * SECOND_NS


class StrategyRefused(SentenceError):
    """A configured strategy cannot run; the text is one sentence for a person."""


class SlotState(StrEnum):
    """States of a strategy."""

    WAITING = "waiting"
    """For the first reconciliation with the exchange."""
    FETCHING = "fetching"
    """History was asked for; live bars wait."""
    WARMING = "warming"
    """It sees bars but does not trade."""
    RUNNING = "running"
    PAUSED = "paused"
    """It sees bars and exits positions, but enters none."""
    STOPPED = "stopped"
    FAILED = "failed"
    """It raised an exception and gets no more bars; the exit rules of its position do."""


LISTENING = frozenset({SlotState.WARMING, SlotState.RUNNING, SlotState.PAUSED})


class Block(msgspec.Struct, frozen=True):
    """Why a bar's entries are not followed."""

    fate: Fate
    detail: str

    @property
    def verdict(self) -> Verdict:
        """The verdict on an entry of that bar; no rule was asked."""
        return Verdict(False, reason=self.detail, fate=self.fate)


class Decision(msgspec.Struct):
    """One deciding bar of one strategy: what it said, and what blocks its entries (None: nothing)."""

    slot: "StrategySlot"
    bar: Bar
    signals: Signals | None
    block: Block | None


class StrategySlot:
    """One strategy on one symbol.

    `inputs` are the bars it is fed, first the deciding ones, which are `timeframe_ns` long. `lateness_ns` is
    how long after a bar's close its entries are still accepted. `decided_open_ns` is the open time of the
    last bar that was ever decided on, also by an engine that ran before.
    """

    def __init__(self, spec: StrategySpec, symbol: str, operator: OperatorState | None = None) -> None:
        self.spec = spec
        self.owner = spec.owner
        self.symbol = symbol
        self.key: OwnerKey = (self.owner, symbol)
        self.strategy = build_strategy(spec)
        self.inputs = _inputs(spec, self.strategy, symbol)
        self.has_others = len(self.inputs) > 1
        self.timeframe_ns = self.inputs[0][1]
        self.lateness_ns = min(self.timeframe_ns, MAX_LATENESS_NS)
        self.decided_open_ns = 0
        self.state = SlotState.WAITING
        self.reason = ""
        self.fed_open_ns: dict[BarsKey, int] = {}
        self.first_open_ns = 0
        """The first deciding bar since it was made: longer ones that began before it may never come."""
        self.suspects: set[BarsKey] = set()
        """Bars of which the newest has a hole in its data."""
        self.waiting: list[Bar] = []
        """Live bars of one of several inputs, in the order in which they are to be fed, from the first one
        that waits for another: a deciding bar, until `held_until_ns`, for those that close with it, any other
        for the deciding bar before it."""
        self.held_until_ns = NEVER_NS
        self.is_disordered = False
        """A deciding bar did not wait long enough: what is remembered differs from what its history gives."""
        self.pending: deque[Bar] = deque(maxlen=MAX_PENDING_BARS)
        self.backlog: deque[Bar] = deque(maxlen=MAX_PENDING_BARS)
        """Bars in the order in which they are to be fed, a slice an event; new ones wait behind them."""
        self.wanted: dict[int, BarsKey] = {}
        self.retry_at_ns = 0
        self._operator = operator or OperatorState()
        self.warmup_bars = self._warmup_bars()
        self.warm_left = self.warmup_bars

    @property
    def paused(self) -> bool:
        """Whether the operator has stopped this strategy's entries."""
        return self._operator.is_halted(self.key)

    @property
    def leaving(self) -> Cause | None:
        """The command that said to close its position; None after `resume`."""
        return self._operator.leaving(self.key)

    @property
    def sizing(self) -> Sizing:
        """How much a default-sized entry buys."""
        return self.spec.sizing

    @property
    def has_history(self) -> bool:
        """Whether the exchange keeps bars of all its timeframes; there are none of seconds."""
        return all(length % (60 * SECOND_NS) == 0 for _, length in self.inputs)

    @property
    def can_be_made_again(self) -> bool:
        """Whether it is a function of its bars, and these can be had; a script's own memory cannot."""
        return self.has_history and isinstance(self.strategy, SignalStrategy)

    def _warmup_bars(self) -> int:
        """Deciding bars to see before it trades. The other inputs have a history of their own, or none."""
        strategy = self.strategy
        if not isinstance(strategy, SignalStrategy):
            return int(getattr(strategy, "warmup_bars", 0))
        return strategy.history_bars(*self.inputs[0]) if self.has_history else strategy.warmup_bars

    def note_order(self, bar: Bar) -> None:
        """A bar is fed: remember whether one that goes in front of it is still to come."""
        if self.decides_on(bar):
            self.first_open_ns = self.first_open_ns or bar.open_time_ns
            self.is_disordered |= bool(self.missing(bar))
        else:
            self.is_disordered |= self.is_early(bar)

    def decides_on(self, bar: Bar) -> bool:
        """Whether it is one of the deciding bars, and no informative one."""
        return self.inputs[0] == (bar.symbol, bar.timeframe_ns)

    def history_bars(self, symbol: str, length_ns: int) -> int:
        """How many of these bars warm it up."""
        if not isinstance(self.strategy, SignalStrategy):
            return self.warmup_bars
        return self.strategy.history_bars(symbol, length_ns)

    def feeding_order(self, bar: Bar) -> tuple[int, bool, int]:
        """Sort key: what closes first is fed first, then informative bars, then the longest."""
        return (bar.close_time_ns, self.decides_on(bar), -bar.timeframe_ns)

    def is_early(self, bar: Bar) -> bool:
        """Whether it is an informative bar that closes behind a deciding one that is still to come."""
        decided_ns = self.fed_open_ns.get(self.inputs[0], 0)
        return 0 < decided_ns < bar.close_time_ns - 2 * self.timeframe_ns and not self.decides_on(bar)

    def missing(self, bar: Bar) -> str:
        """An informative bar that closes with this deciding one and was not fed yet; "" for none."""
        first = self.first_open_ns or bar.open_time_ns
        for symbol, length in self.inputs[1:]:
            newest = bar_open_ns(bar.close_time_ns, length) - length
            fed = self.fed_open_ns.get((symbol, length), 0)
            if fed < newest and (fed or newest >= first):
                return self.words(symbol, length)
        return ""

    def words(self, symbol: str, length_ns: int) -> str:
        """A bar of one of its inputs for a person."""
        of = "" if symbol == self.symbol else f" of {symbol}"
        return f"{timeframe_text(length_ns)} bar{of}"

    def begin_again(self) -> None:
        """Discard what it has seen and warm up again."""
        if isinstance(self.strategy, SignalStrategy):
            self.strategy.reset()
        else:
            # Of the same class: a file that was edited meanwhile is not to be traded unseen.
            self.strategy = build_strategy(self.spec, type(self.strategy))
        self.fed_open_ns.clear()
        self.first_open_ns = 0
        self.suspects.clear()
        self.is_disordered = False
        self.warm_left = self.warmup_bars


def _inputs(
    spec: StrategySpec, strategy: SignalStrategy | ScriptStrategy, symbol: str
) -> tuple[BarsKey, ...]:
    """The bars a strategy is fed on a symbol, the deciding ones first."""
    try:
        return inputs_of(strategy, symbol, timeframe_ns(spec.timeframe))
    except ValueError as error:
        raise StrategyRefused(f"{key_of(spec, 'timeframe')}strategy {spec.name}: {error}") from None


def class_of(spec: StrategySpec) -> StrategyClass:
    """The strategy's class; `StrategyRefused` says why there is none."""
    try:
        return find_strategy(spec.name)
    except StrategyNotFound as error:
        raise StrategyRefused(f"{key_of(spec, 'name')}{error}") from error


def build_strategy(spec: StrategySpec, cls: StrategyClass | None = None) -> SignalStrategy | ScriptStrategy:
    """The strategy object, of `cls` where that is known; `StrategyRefused` says what is wrong."""
    cls = cls or class_of(spec)
    try:
        strategy = cls.from_params(spec.params)
    except ValueError as error:
        if not isinstance(error, SeriesError):  # which is about what `define` makes, not about parameters
            raise StrategyRefused(_complaint(spec, cls.Params, error)) from None
        raise StrategyRefused(_cannot_be_made(spec, cls, error)) from error
    except (Exception, SystemExit) as error:  # somebody's own code, of which one sentence is wanted
        raise StrategyRefused(_cannot_be_made(spec, cls, error)) from error
    inputs = strategy.inputs
    if spec.candles not in inputs.candles:
        raise StrategyRefused(
            f"{key_of(spec, 'candles')}strategy {spec.name} cannot use {spec.candles} candles; "
            f"allowed: {', '.join(inputs.candles)}"
        )
    if inputs.needs_volume and spec.candles == "mid":
        raise StrategyRefused(
            f"{key_of(spec, 'candles')}strategy {spec.name} needs volume, which mid candles do not have; "
            "allowed: trade, exchange"
        )
    return strategy


def _cannot_be_made(spec: StrategySpec, cls: StrategyClass, error: BaseException) -> str:
    return f"{key_of(spec, 'name')}strategy {spec.name} cannot be made: {what_and_where(error, cls)}"


def key_of(spec: StrategySpec, *names: str) -> str:
    """Where in the configuration it stands, in front of a sentence; nothing where there is none."""
    return f"{'.'.join((spec.key, *names))}: " if spec.key else ""


def _complaint(spec: StrategySpec, params: type[StrategyParams], error: ValueError) -> str:
    """The first complaint about parameters as one sentence."""
    details = getattr(error, "errors", None)
    if details is None:
        return f"{key_of(spec, 'params')}strategy {spec.name}: {error}"
    first = details()[0]
    names = tuple(str(part) for part in first["loc"])
    where, name = key_of(spec, "params", *names), ".".join(names)
    if first["type"] == "extra_forbidden":
        return f"{where}strategy {spec.name} has no parameter {name}{allowed(name, params.model_fields)}"
    if first["type"] == "missing":
        return f"{where}strategy {spec.name} needs the parameter {name}"
    if first["type"] == "value_error":
        return f"{where}strategy {spec.name}: {first['ctx']['error']}"
    given = f"{name} is {spec.params.get(name)!r}, it should be {expected(first)}"
    return f"{where}strategy {spec.name}: {given}"

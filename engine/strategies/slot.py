"""One strategy on one symbol: its object, its state, and the bars it has seen."""

from collections import deque
from enum import StrEnum

import msgspec

from engine.market_data.klines import MAX_KLINES
from engine.model.bars import Bar
from engine.model.broker_settings import Sizing
from engine.model.cause import Cause
from engine.model.config import StrategySpec
from engine.model.limits import Verdict
from engine.model.operator_state import OperatorState, OwnerKey
from engine.model.sentences import SentenceError
from engine.model.signals import Fate, Signals
from engine.model.timeframes import SECOND_NS, timeframe_ns
from engine.strategies.base import ScriptStrategy, SignalStrategy, StrategyParams
from engine.strategies.faults import what_and_where
from engine.strategies.finding import StrategyClass, StrategyNotFound, find_strategy
from runtime.settings.refusals import expected

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

    `lengths_ns` are its timeframes, the deciding one first. `decided_open_ns` is the open time of the
    last bar that was ever decided on, also by an engine that ran before.
    """

    def __init__(self, spec: StrategySpec, symbol: str, operator: OperatorState | None = None) -> None:
        self.spec = spec
        self.owner = spec.owner
        self.symbol = symbol
        self.key: OwnerKey = (self.owner, symbol)
        self.strategy = build_strategy(spec)
        texts = self.strategy.inputs.timeframes or (spec.timeframe,)
        self.lengths_ns = tuple(timeframe_ns(text) for text in texts)
        self.decided_open_ns = 0
        self.state = SlotState.WAITING
        self.reason = ""
        self.fed_open_ns: dict[int, int] = {}
        self.suspect_ns: set[int] = set()
        """Timeframes whose newest bar has a hole in its data."""
        self.pending: deque[Bar] = deque(maxlen=MAX_PENDING_BARS)
        self.backlog: deque[Bar] = deque(maxlen=MAX_PENDING_BARS)
        """Bars in the order in which they are to be fed, a slice an event; new ones wait behind them."""
        self.wanted: dict[int, int] = {}
        self.retry_at_ns = 0
        self._operator = operator or OperatorState()
        warmup = getattr(self.strategy, "warmup_bars", 0)
        self.warmup_bars = int(warmup)
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
    def timeframe_ns(self) -> int:
        """Length of the deciding bars."""
        return self.lengths_ns[0]

    @property
    def sizing(self) -> Sizing:
        """How much a default-sized entry buys."""
        return self.spec.sizing

    @property
    def has_history(self) -> bool:
        """Whether the exchange keeps bars of all its timeframes; there are none of seconds."""
        return all(length % (60 * SECOND_NS) == 0 for length in self.lengths_ns)

    @property
    def lateness_ns(self) -> int:
        """How long after a bar's close its entries are still accepted."""
        return min(self.timeframe_ns, MAX_LATENESS_NS)

    def begin_again(self) -> None:
        """Discard what it has seen and warm up again."""
        if isinstance(self.strategy, SignalStrategy):
            self.strategy.reset()
        else:
            # Of the same class: a file that was edited meanwhile is not to be traded unseen.
            self.strategy = build_strategy(self.spec, type(self.strategy))
        self.fed_open_ns.clear()
        self.suspect_ns.clear()
        self.warm_left = self.warmup_bars


def class_of(spec: StrategySpec) -> StrategyClass:
    """The strategy's class; `StrategyRefused` says why there is none."""
    try:
        return find_strategy(spec.name)
    except StrategyNotFound as error:
        raise StrategyRefused(f"{_key(spec, 'name')}{error}") from error


def build_strategy(spec: StrategySpec, cls: StrategyClass | None = None) -> SignalStrategy | ScriptStrategy:
    """The strategy object, of `cls` where that is known; `StrategyRefused` says what is wrong."""
    cls = cls or class_of(spec)
    try:
        strategy = cls.from_params(spec.params)
    except ValueError as error:
        raise StrategyRefused(_complaint(spec, cls.Params, error)) from None
    except (Exception, SystemExit) as error:  # somebody's own code, of which one sentence is wanted
        why = f"cannot be made: {what_and_where(error, cls)}"
        raise StrategyRefused(f"{_key(spec, 'name')}strategy {spec.name} {why}") from error
    inputs = strategy.inputs
    if spec.candles not in inputs.candles:
        allowed = ", ".join(inputs.candles)
        raise StrategyRefused(
            f"{_key(spec, 'candles')}strategy {spec.name} cannot use {spec.candles} candles; "
            f"allowed: {allowed}"
        )
    if inputs.needs_volume and spec.candles == "mid":
        raise StrategyRefused(
            f"{_key(spec, 'candles')}strategy {spec.name} needs volume, which mid candles do not have; "
            "allowed: trade, exchange"
        )
    return strategy


def _key(spec: StrategySpec, *names: str) -> str:
    """Where in the configuration it stands, in front of a sentence; nothing where there is none."""
    return f"{'.'.join((spec.key, *names))}: " if spec.key else ""


def _complaint(spec: StrategySpec, params: type[StrategyParams], error: ValueError) -> str:
    """The first complaint about parameters as one sentence."""
    details = getattr(error, "errors", None)
    if details is None:
        return f"{_key(spec, 'params')}strategy {spec.name}: {error}"
    first = details()[0]
    names = tuple(str(part) for part in first["loc"])
    where, name = _key(spec, "params", *names), ".".join(names)
    if first["type"] == "extra_forbidden":
        allowed = ", ".join(params.model_fields) or "none"
        return f"{where}strategy {spec.name} has no parameter {name}; allowed: {allowed}"
    if first["type"] == "missing":
        return f"{where}strategy {spec.name} needs the parameter {name}"
    if first["type"] == "value_error":
        return f"{where}strategy {spec.name}: {first['ctx']['error']}"
    given = f"{name} is {spec.params.get(name)!r}, it should be {expected(first)}"
    return f"{where}strategy {spec.name}: {given}"

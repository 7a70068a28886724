"""The two kinds of strategy, and the one output both end in.

A `SignalStrategy` is blind to position and money: for each closed bar it yields independent flags. What
becomes of them is decided by `ExitRules`, sizing and risk. A `ScriptStrategy` sees a `PositionView` and
calls Pine's verbs on a `Broker`. The backtest broker and the live TradeExecutor implement that port.
"""

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from engine.model.bars import Bar, Bars, CandleKind
from engine.model.exit_rules import ExitRules
from engine.model.named_files import NamedFiles, file_named, files_of, module_named
from engine.model.sentences import SentenceError
from engine.model.signals import Direction, SignalArrays, Signals


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a strategy must be fed. An empty `timeframes` means: whatever one timeframe it is run on.

    With several timeframes the first is the deciding one; the others are informative, and `on_bar` gets
    their closed bars too (longest first when they close together). `others` are (symbol, timeframe) of
    further informative bars: "" is the strategy's own symbol, or the deciding timeframe.
    """

    timeframes: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    candles: tuple[CandleKind, ...] = ("mid", "trade", "exchange")
    needs_volume: bool = False


class StrategyParams(BaseModel):
    """Base of a strategy's parameters: ranges and descriptions stand on the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SignalStrategy(ABC):
    """Turns closed bars into `Signals`.

    `on_bar` (streaming) and `batch` (history) run the same compiled step and agree to the last bit.
    """

    name: ClassVar[str]
    Params: ClassVar[type[StrategyParams]] = StrategyParams
    value_names: ClassVar[tuple[str, ...]] = ()
    params: StrategyParams

    def __init_subclass__(cls, **arguments: object) -> None:
        """A class without a `name` of its own is called as it is."""
        super().__init_subclass__(**arguments)
        cls.name = vars(cls).get("name", cls.__name__)

    @property
    def inputs(self) -> Inputs:
        """What the strategy must be fed."""
        return Inputs()

    @property
    @abstractmethod
    def warmup_bars(self) -> int:
        """Number of bars after which signals no longer depend on where history began."""

    @property
    def exit_rules(self) -> ExitRules:
        """What the parameters say about leaving a position."""
        return ExitRules()

    @property
    def gives_distance(self) -> bool:
        """Whether its signals may have a `risk_distance`; without one, exits in multiples of R do nothing."""
        return True

    def bind(self, symbol: str, timeframe_ns: int) -> None:  # noqa: B027  # most have nothing to learn
        """Learn which bars decide, before the first is fed, to tell them from those of `inputs.others`."""

    def history_bars(self, symbol: str, timeframe_ns: int) -> int:  # noqa: ARG002  # for strategies with others
        """How many bars of one of its inputs warm it up, once it is bound."""
        return self.warmup_bars

    @abstractmethod
    def on_bar(self, bar: Bar) -> Signals:
        """Advance by one closed bar. What is said about an informative one is not looked at."""

    @abstractmethod
    def batch(self, bars: Bars) -> SignalArrays:
        """All signals of a history, from a fresh state."""

    def batch_beside(self, bars: Bars, beside: Sequence[Bars]) -> SignalArrays:  # noqa: ARG002  # as above
        """`batch` of a strategy that looks at other bars, too: those given, and longer ones made of them."""
        return self.batch(bars)

    @abstractmethod
    def reset(self) -> None:
        """Forget everything seen."""

    @classmethod
    def from_params(cls, raw: Mapping[str, object]) -> Self:
        """Build from untrusted parameters; pydantic's ValidationError names a bad one."""
        return cls(*_arguments(cls, raw))


class OpenTradeView(Protocol):
    """One open trade as a script sees it; `size` is signed."""

    @property
    def entry_id(self) -> str: ...
    @property
    def entry_price(self) -> float: ...
    @property
    def entry_bar_index(self) -> int: ...
    @property
    def size(self) -> float: ...


class PositionView(Protocol):
    """What a `ScriptStrategy` may know, as of the close of the bar it is called on.

    `position_size` is signed; `position_avg_price` is nan while flat; money is in account currency.
    """

    @property
    def bar_index(self) -> int: ...
    @property
    def position_size(self) -> float: ...
    @property
    def position_avg_price(self) -> float: ...
    @property
    def equity(self) -> float: ...
    @property
    def net_profit(self) -> float: ...
    @property
    def open_profit(self) -> float: ...
    @property
    def initial_capital(self) -> float: ...
    @property
    def open_trades(self) -> Sequence[OpenTradeView]: ...
    @property
    def closed_trades(self) -> int: ...


class Broker(PositionView, Protocol):
    """Pine's verbs. Prices that are None or nan mean "not given"; `qty` None means default sizing."""

    def entry(
        self,
        id: str,
        direction: Direction,
        qty: float | None = None,
        *,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_type: Literal["none", "cancel", "reduce"] = "none",
        comment: str = "",
    ) -> None:
        """Open a position, or turn one of the other side; a pending order of this id is changed."""

    def order(
        self,
        id: str,
        direction: Direction,
        qty: float | None = None,
        *,
        limit: float | None = None,
        stop: float | None = None,
        oca_name: str = "",
        oca_type: Literal["none", "cancel", "reduce"] = "none",
        comment: str = "",
    ) -> None:
        """Buy or sell, whatever the position is."""

    def exit(
        self,
        id: str,
        from_entry: str = "",
        qty: float | None = None,
        *,
        qty_percent: float = 100.0,
        profit: float | None = None,
        limit: float | None = None,
        loss: float | None = None,
        stop: float | None = None,
        trail_price: float | None = None,
        trail_points: float | None = None,
        trail_offset: float | None = None,
        oca_name: str = "",
        comment: str = "",
        comment_profit: str = "",
        comment_loss: str = "",
        comment_trailing: str = "",
    ) -> None:
        """Leave what `from_entry` opened ("": all): at a price, some ticks away, or trailing."""

    def close(
        self,
        id: str,
        *,
        comment: str = "",
        qty: float | None = None,
        qty_percent: float = 100.0,
        immediately: bool = False,
    ) -> None:
        """Leave at market what the entries of this id opened."""

    def close_all(self, *, comment: str = "", immediately: bool = False) -> None:
        """Leave the position at market."""

    def cancel(self, id: str) -> None:
        """Take back the pending orders of this id."""

    def cancel_all(self) -> None:
        """Take back all pending orders."""


class ScriptStrategy(ABC):
    """Pine-like: called once for each closed bar, after pending orders were filled, with a broker.

    Pine calls with memory (`ta.*`) are objects made in `__init__` and advance when executed, so a call
    inside an `if` remembers its previous execution, as in Pine.

    One with parameters names their class in `Params` and takes them in `__init__`; one without has neither.
    """

    name: ClassVar[str]
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    def __init_subclass__(cls, **arguments: object) -> None:
        """A class without a `name` of its own is called as it is."""
        super().__init_subclass__(**arguments)
        cls.name = vars(cls).get("name", cls.__name__)

    @property
    def inputs(self) -> Inputs:
        """What the strategy must be fed."""
        return Inputs()

    @property
    def verbs(self) -> frozenset[str]:
        """Broker verbs and options in use; what the live port cannot place is refused at start-up."""
        return frozenset({"entry", "close"})

    @abstractmethod
    def on_bar(self, bar: Bar, broker: Broker) -> None:
        """Decide on one closed bar."""

    @classmethod
    def from_params(cls, raw: Mapping[str, object]) -> Self:
        """Build from untrusted parameters; pydantic's ValidationError names a bad one."""
        return cls(*_arguments(cls, raw))


def _arguments(
    cls: type[SignalStrategy] | type[ScriptStrategy], raw: Mapping[str, object]
) -> tuple[StrategyParams, ...]:
    """What its `__init__` is to be given: its `Params`, or nothing where it neither names nor needs any."""
    params = cls.Params.model_validate(dict(raw))
    taken = inspect.signature(cls).parameters.values()
    if cls.Params is StrategyParams:
        return (params,) if any(one.default is one.empty for one in taken) else ()
    if cls.Params.model_fields and not taken:
        raise SentenceError("its Params have fields, so its __init__ must take them, as (self, params)")
    return (params,) if taken else ()


def _place(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


_StrategyClass = TypeVar("_StrategyClass", type[SignalStrategy], type[ScriptStrategy])


@dataclass(slots=True)
class StrategyRegistry:
    """Strategies by name. Registration of a name twice is an error.

    `package` holds a file for each strategy, named as it is, which is imported when it is asked for.
    """

    package: str = ""
    _by_name: dict[str, type[SignalStrategy] | type[ScriptStrategy]] = field(default_factory=dict)

    def register(self, cls: _StrategyClass) -> _StrategyClass:
        """Class decorator. A file that is loaded again, after an edit, replaces what it had registered."""
        package, _, file = cls.__module__.rpartition(".")
        if self.package and package == self.package and file != cls.name:
            raise SentenceError(f"{cls.__name__} is named {cls.name!r}, so its file must be {cls.name}.py")
        before = self._by_name.get(cls.name)
        if before is not None and not _is_reloaded(before, cls):
            raise SentenceError(f"a strategy named {cls.name!r} is registered already, by {_place(before)}")
        self._by_name[cls.name] = cls
        return cls

    def names(self) -> tuple[str, ...]:
        """All names, sorted. A file that cannot be imported has none; `broken` says what is wrong with it."""
        self.broken()
        return tuple(sorted(self._by_name))

    def broken(self) -> tuple[str, ...]:
        """A sentence for each file of the package that cannot be imported."""
        return self._files().broken

    def get(self, name: str) -> type[SignalStrategy] | type[ScriptStrategy]:
        """The class of that name, or KeyError. `BrokenFile` where its file cannot be imported."""
        if name not in self._by_name and self.package and name.isidentifier():
            module_named(self.package, name)
        return self._by_name[name]

    def why_not(self, name: str) -> tuple[str, ...]:
        """Sentences about the files in which a strategy may be that `get` does not find."""
        files = self._files()
        if name in files.modules:
            return (f"{file_named(self.package, name)} registers no strategy: @registry.register is missing",)
        return files.broken

    def _files(self) -> NamedFiles:
        """Each registers its strategy when it is imported."""
        return files_of(self.package) if self.package else NamedFiles({}, ())


def _is_reloaded(before: type, after: type) -> bool:
    """Whether both are one class, or come from one file, of which every content is a module of its own."""
    if _place(before) == _place(after):
        return True
    files = [getattr(sys.modules.get(cls.__module__), "__file__", None) for cls in (before, after)]
    return before.__module__ != after.__module__ and files[0] is not None and files[0] == files[1]


registry = StrategyRegistry("engine.strategies.library")
"""The project's strategies, and those whose modules a user imports."""

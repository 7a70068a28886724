"""What the ten TradingView strategies have in common: vocabulary, levels, and what is made of them.

Each watches one value. In momentum mode it enters long where the value comes up to `upper` and short where
it comes down to `lower`; in mean reversion long where it comes up to `lower` and short where it comes down
to `upper`. With `exit_mode` midpoint it leaves where the value comes back through `mid`; with breakout it
does not leave on a signal (pine_semantics 5.1). Comparisons tolerate 1e-10, as Pine's do.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, TypeVar

import numpy as np
from pydantic import Field

from engine.compiled.functions import FloatArray, Rows, State, compiled
from engine.indicators.compare import above, at_least, at_most, below
from engine.model.exit_rules import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, EntryBar, ExitRules
from engine.strategies.base import StrategyParams
from engine.strategies.kernel import CLOSE, HIGH, LOW, KernelStrategy

SignalMode = Literal["momentum", "mean_reversion"]
ExitMode = Literal["midpoint", "breakout"]
Source = Annotated[
    Literal["close", "hlc3"],
    Field(description="the price of a bar that it looks at; hlc3 is (high + low + close) / 3"),
]
LONGEST = 5000
"""Longest window a strategy accepts, in bars."""

_MEAN_REVERSION, _MIDPOINT, _HLC3, _UPPER, _LOWER, _MID, _PREVIOUS = 0, 1, 2, 3, 4, 5, 6
INDICATOR = 7
"""Where a strategy's own state begins, behind the common part."""


class CommonParams(StrategyParams):
    """What all ten accept, whether their rule uses it or not. Percents are of the entry price."""

    signal_mode: SignalMode = Field(default="momentum", description="with the move or against it")
    exit_mode: ExitMode = Field(
        default="breakout", description="leave when the value crosses mid, or never on a signal"
    )
    stop_loss_percent: float | None = Field(
        default=None, gt=0, description="distance of the stop from the entry in percent; null is off"
    )
    take_profit_percent: float | None = Field(
        default=None, gt=0, description="distance of the target from the entry in percent; null is off"
    )
    max_holding_bars: int | None = Field(
        default=None, ge=0, description="bars after which the position is left; null is off"
    )
    max_holding_strict: bool = Field(default=False, description="leave when held > max instead of >=")
    cooldown_bars: int = Field(default=0, ge=0, description="flat bars after a stop")
    allow_flip: bool = Field(default=True, description="an opposite entry signal turns the position")
    flip_needs_cooldown: bool = Field(default=False, description="no flip while a cooldown is left")
    entry_bar: EntryBar = Field(default="keep", description="what a flip does to the holding count")


class LevelParams(CommonParams):
    """Common parameters and the three levels, in the indicator's units."""

    upper: float = Field(description="upper level, in the unit of its value")
    lower: float = Field(description="lower level, in the unit of its value")
    mid: float = Field(description="where exit_mode midpoint leaves, in the unit of its value")


CommonT = TypeVar("CommonT", bound=CommonParams)


@compiled
def price_of(s: State, rows: Rows, i: int) -> float:
    """The close, or (high + low + close) / 3 where the parameters say hlc3."""
    if s[_HLC3] != 0.0:
        return (rows[i, HIGH] + rows[i, LOW] + rows[i, CLOSE]) / 3.0
    return rows[i, CLOSE]


@compiled
def level_flags(
    s: State,
    before: float,
    now: float,
    upper: tuple[float, float],
    lower: tuple[float, float],
    mid: tuple[float, float],
) -> int:
    """Flags of a value that was `before` and is `now`; each level is (before, now) too. nan gives none."""
    reaches_upper = below(before, upper[0]) and at_least(now, upper[1])
    reaches_lower = above(before, lower[0]) and at_most(now, lower[1])
    rises_to_lower = below(before, lower[0]) and at_least(now, lower[1])
    falls_to_upper = above(before, upper[0]) and at_most(now, upper[1])
    falls_to_mid = above(before, mid[0]) and at_most(now, mid[1])
    rises_to_mid = below(before, mid[0]) and at_least(now, mid[1])
    reverting = s[_MEAN_REVERSION] != 0.0
    flags = 0
    if rises_to_lower if reverting else reaches_upper:
        flags |= ENTER_LONG
    if falls_to_upper if reverting else reaches_lower:
        flags |= ENTER_SHORT
    if s[_MIDPOINT] != 0.0:
        if rises_to_mid if reverting else falls_to_mid:
            flags |= EXIT_LONG
        if falls_to_mid if reverting else rises_to_mid:
            flags |= EXIT_SHORT
    return flags


@compiled
def fixed_level_flags(s: State, now: float) -> int:
    """Flags of a value against the fixed levels; remembers it for the next bar."""
    before = s[_PREVIOUS]
    s[_PREVIOUS] = now
    return level_flags(s, before, now, (s[_UPPER], s[_UPPER]), (s[_LOWER], s[_LOWER]), (s[_MID], s[_MID]))


class ThresholdStrategy(KernelStrategy[CommonT]):
    """Common construction: subclasses say how long their indicator's state is and prepare it."""

    value_names: ClassVar[tuple[str, ...]] = ("value",)

    @property
    def exit_rules(self) -> ExitRules:
        """The common parameters; the exit flags do what `exit_mode` says."""
        p = self.params
        return ExitRules(
            stop_loss_percent=p.stop_loss_percent,
            take_profit_percent=p.take_profit_percent,
            max_holding_bars=p.max_holding_bars,
            max_holding_strict=p.max_holding_strict,
            cooldown_bars=p.cooldown_bars,
            allow_flip=p.allow_flip,
            flip_needs_cooldown=p.flip_needs_cooldown,
            entry_bar=p.entry_bar,
        )

    @abstractmethod
    def indicator_size(self) -> int:
        """Length of the indicator's state."""

    @abstractmethod
    def indicator_init(self, state: FloatArray) -> None:
        """Prepare the indicator's state, from `INDICATOR` on."""

    def initial_state(self) -> FloatArray:
        """The common part, then the indicator's."""
        p = self.params
        state = np.zeros(INDICATOR + self.indicator_size())
        state[_MEAN_REVERSION] = p.signal_mode == "mean_reversion"
        state[_MIDPOINT] = p.exit_mode == "midpoint"
        state[_HLC3] = getattr(p, "source", "close") == "hlc3"
        state[_PREVIOUS] = np.nan
        if isinstance(p, LevelParams):
            state[_UPPER], state[_LOWER], state[_MID] = p.upper, p.lower, p.mid
        self.indicator_init(state)
        return state

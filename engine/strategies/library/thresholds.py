"""What the ten TradingView strategies have in common: vocabulary, levels, and what is made of them.

Each watches one value. In momentum mode it enters long where the value comes up to `upper` and short where
it comes down to `lower`; in mean reversion long where it comes up to `lower` and short where it comes down
to `upper`. With `exit_mode` midpoint it leaves where the value comes back through `mid`; with breakout it
does not leave on a signal (pine_semantics 5.1). Comparisons tolerate 1e-10, as Pine's do.
"""

from engine.indicators.compare import TOLERANCE
from engine.model.exit_rules import EntryBar, ExitRules
from engine.series.bar import BarSeries
from engine.series.nodes import BoolSeries, Number, Series
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import Rules

LONGEST = 5000
"""Longest window a strategy accepts, in bars."""


def above(a: Series, b: Number) -> BoolSeries:
    """Pine's `a > b` of floats."""
    return a - b > TOLERANCE


def below(a: Series, b: Number) -> BoolSeries:
    """Pine's `a < b` of floats."""
    return a - b < -TOLERANCE


def rises_to(value: Series, level: Number) -> BoolSeries:
    """It was below the level on the bar before, and is not now."""
    return below(value[1], _before(level)) & (value - level >= -TOLERANCE)


def falls_to(value: Series, level: Number) -> BoolSeries:
    """It was above the level on the bar before, and is not now."""
    return above(value[1], _before(level)) & (value - level <= TOLERANCE)


def _before(level: Number) -> Number:
    return level[1] if isinstance(level, Series) else level


class ThresholdStrategy(Strategy):
    """The parameters that all ten accept, used or not. Percents are of the entry price."""

    signal_mode = param("momentum", choices=("momentum", "mean_reversion"), doc="with the move or against it")
    exit_mode = param(
        "breakout",
        choices=("midpoint", "breakout"),
        doc="leave when the value crosses mid, or never on a signal",
    )
    stop_loss_percent: float | None = param(
        None, gt=0, doc="distance of the stop from the entry in percent; null is off"
    )
    take_profit_percent: float | None = param(
        None, gt=0, doc="distance of the target from the entry in percent; null is off"
    )
    max_holding_bars: int | None = param(None, ge=0, doc="bars after which the position is left; null is off")
    max_holding_strict = param(False, doc="leave when held > max instead of >=")
    cooldown_bars = param(0, ge=0, doc="flat bars after a stop")
    allow_flip = param(True, doc="an opposite entry signal turns the position")
    flip_needs_cooldown = param(False, doc="no flip while a cooldown is left")
    entry_bar: EntryBar = param("keep", doc="what a flip does to the holding count")
    exits = ExitRules(
        stop_loss_percent=stop_loss_percent,
        take_profit_percent=take_profit_percent,
        max_holding_bars=max_holding_bars,
        max_holding_strict=max_holding_strict,
        cooldown_bars=cooldown_bars,
        allow_flip=allow_flip,
        flip_needs_cooldown=flip_needs_cooldown,
        entry_bar=entry_bar,
    )

    def rules(
        self, value: Series, upper: Number, lower: Number, mid: Number, plot: dict[str, Series]
    ) -> Rules:
        """The flags of a value against three levels."""
        low_up, high_down = rises_to(value, lower), falls_to(value, upper)
        up, down = rises_to(value, upper), falls_to(value, lower)
        to_mid_down, to_mid_up = falls_to(value, mid), rises_to(value, mid)
        reverts, leaves = self.signal_mode == "mean_reversion", self.exit_mode == "midpoint"
        return Rules(
            enter_long=low_up if reverts else up,
            enter_short=high_down if reverts else down,
            exit_long=leaves and (to_mid_up if reverts else to_mid_down),
            exit_short=leaves and (to_mid_down if reverts else to_mid_up),
            plot=plot,
        )


class Sourced:
    """What looks at one price of a bar."""

    source = param("close", choices=("close", "hlc3"), doc="the price of a bar that it looks at")

    def price(self, bar: BarSeries) -> Series:
        """The close, or (high + low + close) / 3."""
        return bar.hlc3 if self.source == "hlc3" else bar.close


class LevelStrategy(ThresholdStrategy):
    """One against three fixed levels, in the unit of its value."""

    upper = param(0.0, doc="upper level, in the unit of its value")
    lower = param(0.0, doc="lower level, in the unit of its value")
    mid = param(0.0, doc="where exit_mode midpoint leaves, in the unit of its value")

    def level_rules(self, value: Series) -> Rules:
        """The flags of a value against the three levels; it is plotted under the strategy's name."""
        return self.rules(value, self.upper, self.lower, self.mid, {self.name: value})

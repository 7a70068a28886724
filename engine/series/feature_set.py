"""A set of features to begin with. Each has its formula and its source here.

Distances are in percent of the close, so that they compare over years and symbols: (close - level) / close.
What is not known yet is na. Spread and imbalance of the order book need ticks, which bars do not hold.
"""

from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.functions import na
from engine.series.nodes import BoolSeries, Series

Named = dict[str, Series | BoolSeries]


def standard_features(bar: BarSeries, tz: str = "UTC") -> Named:
    """Trend, volatility, calendar, prior days and weeks, swings and market structure, by name.

    `tz` is the time zone of hours, days and weeks.
    """
    return (
        trend(bar)
        | volatility(bar)
        | calendar(bar, tz)
        | prior_levels(bar, tz)
        | fractal_swings(bar)
        | market_structure(bar)
    )


def trend(bar: BarSeries, length: int = 50) -> Named:
    """How strong a trend is, and where it goes.

    adx: Wilder's average directional index of 14 bars (New Concepts in Technical Trading Systems, 1978).
    ema_slope_percent: 100 * (ema - ema[1]) / ema[1], a bar.
    regression_slope_percent: 100 * slope / close of the least-squares line through `length` closes, a bar.
    """
    average = ta.ema(bar.close, length)
    return {
        "adx": ta.dmi(bar, 14, 14).adx,
        "ema_slope_percent": (average - average[1]) / average[1] * 100.0,
        "regression_slope_percent": ta.linreg_slope(bar.close, length) / bar.close * 100.0,
    }


def volatility(bar: BarSeries, length: int = 14, window: int = 500) -> Named:
    """How wide bars are, and beside their own past.

    atr_percent: 100 * atr / close, atr by Wilder (1978).
    atr_percentile: how many percent of the `window` values of atr_percent before are at most this one; the
    regime: under 20 is calm, over 80 is wild.
    """
    width = ta.atr_percent(bar, length)
    return {"atr_percent": width, "atr_percentile": ta.percentrank(width, window)}


def calendar(bar: BarSeries, tz: str = "UTC") -> Named:
    """When a bar opens.

    hour: 0 to 23 in `tz`. weekday: 0 is Monday. bar_index: from 0, it depends on where history begins.
    asia, europe, america: 09:00-15:00 in Tokyo, 08:00-16:30 in London, 09:30-16:00 in New York, the hours of
    their stock exchanges.
    """
    return {
        "hour": bar.hour_in(tz),
        "weekday": bar.weekday_in(tz),
        "bar_index": bar.index,
        "asia": bar.session("09:00-15:00", "Asia/Tokyo"),
        "europe": bar.session("08:00-16:30", "Europe/London"),
        "america": bar.session("09:30-16:00", "America/New_York"),
    }


def prior_levels(bar: BarSeries, tz: str = "UTC") -> Named:
    """Distance in percent to high, low and close of the day before and of the week before, in `tz`.

    A day or week counts when it is over and history has seen all of it.
    """
    found: Named = {}
    for period, begins in (("day", bar.new_day(tz)), ("week", bar.new_week(tz))):
        levels = ta.prior_period(bar, begins)
        for name in ("high", "low", "close"):
            found[f"to_prior_{period}_{name}_percent"] = _distance(bar, getattr(levels, name))
    return found


def fractal_swings(bar: BarSeries, wing: int = 2) -> Named:
    """Distance in percent to the last swing high and low, known `wing` bars after they were made.

    A swing high is above the `wing` highs on either side (fractals; Williams, Trading Chaos, 1995).
    """
    found = ta.fractals(bar, wing)
    return {
        "to_swing_high_percent": _distance(bar, ta.valuewhen(~na(found.high), found.high)),
        "to_swing_low_percent": _distance(bar, ta.valuewhen(~na(found.low), found.low)),
    }


def market_structure(bar: BarSeries, left: int = 2, right: int = 2) -> Named:
    """Higher highs, lower lows and breaks of structure, each on the bar that makes it known (Dow).

    A pivot is confirmed `right` bars after it. `break_up`: the first close above the last confirmed high.
    structure_up: since the last break it was one upwards.
    """
    found = ta.market_structure(bar, left, right)
    return {
        "higher_high": found.higher_high,
        "lower_high": found.lower_high,
        "higher_low": found.higher_low,
        "lower_low": found.lower_low,
        "break_up": found.break_up,
        "break_down": found.break_down,
        "structure_up": ta.latch(found.break_up, found.break_down),
    }


def _distance(bar: BarSeries, level: Series) -> Series:
    return (bar.close - level) / bar.close * 100.0

"""The strategies once more, as they come out of a notebook: one function of a frame of bars each.

They share no code with `engine.strategies` or `engine.indicators`, only the parameters. A function takes bars
(columns open, high, low, close, volume) and the strategy's parameters, and gives a frame with the four flags
and the strategy's values.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from model_integration import formulas as f

_EQUAL = 1e-10

Twin = Callable[[pd.DataFrame, Any], pd.DataFrame]
Column = pd.Series  # of float64


def cci(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401  # each strategy has its own parameters
    """cci against fixed levels."""
    return _against_levels("cci", f.cci(_source(bars, p), p.length), p)


def cmo(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """Pine's or Wilder's cmo against fixed levels."""
    value = f.cmo if p.smoothing == "sum" else f.cmo_wilder
    return _against_levels("cmo", value(_source(bars, p), p.length), p)


def mom(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """Change over `length` bars against fixed levels."""
    return _against_levels("mom", _source(bars, p).diff(p.length), p)


def ppo(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """ppo against fixed levels."""
    return _against_levels("ppo", f.ppo(_source(bars, p), p.fast_length, p.slow_length, p.ma_type), p)


def roc(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """roc against fixed levels."""
    return _against_levels("roc", f.roc(_source(bars, p), p.length), p)


def rsi(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """rsi against fixed levels."""
    return _against_levels("rsi", f.rsi(_source(bars, p), p.length), p)


def trix(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """trix against fixed levels."""
    return _against_levels("trix", f.trix(_source(bars, p), p.length), p)


def ultosc(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """ultosc against fixed levels."""
    return _against_levels("ultosc", f.ultosc(bars, (p.length1, p.length2, p.length3)), p)


def bband(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """The source against its bands."""
    x = _source(bars, p)
    mid, spread = f.AVERAGES[p.ma_type](x, p.length), x.rolling(p.length).std(ddof=0)
    upper, lower = mid + p.upper_deviation * spread, mid - p.lower_deviation * spread
    flags = _flags(x, upper, lower, mid, p)
    return flags.assign(upper=upper, mid=mid, lower=lower)


def tema(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """Two triple averages cross, strictly on both sides."""
    x = _source(bars, p)
    fast, slow = f.tema(x, p.fast_length), f.tema(x, p.slow_length)
    now, zero = fast - slow, pd.Series(0.0, index=x.index)
    rises = _below(now.shift(), zero) & _below(zero, now)
    falls = _below(zero, now.shift()) & _below(now, zero)
    return pd.DataFrame({"enter_long": rises, "enter_short": falls, "tema_fast": fast, "tema_slow": slow})


def ema_cross(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """Two exponential averages cross; exact, touching before counts."""
    fast, slow = f.ema(bars["close"], p.fast), f.ema(bars["close"], p.slow)
    now = fast - slow
    before = now.shift()
    return pd.DataFrame(
        {
            "enter_long": (before <= 0.0) & (now > 0.0),
            "enter_short": (before >= 0.0) & (now < 0.0),
            "fast_ema": fast,
            "slow_ema": slow,
        }
    )


def sma_crossover_inflection(bars: pd.DataFrame, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """The mean slope of the long average changes its sign."""
    short, long = f.sma(bars["close"], p.short), f.sma(bars["close"], p.long)
    slope = f.sma(long.diff(), p.smoothing)
    sign = _sign(slope)
    # The last sign that was not zero, up to the bar before.
    before = sign.where(sign != 0.0).ffill().shift()
    return pd.DataFrame(
        {
            "enter_long": (before < 0.0) & (sign > 0.0),
            "enter_short": (before > 0.0) & (sign < 0.0),
            "short_sma": short,
            "long_sma": long,
            "slope": slope,
            "crossover": _sign(short - long),
        }
    )


TWINS: dict[str, Twin] = {
    "bband": bband,
    "cci": cci,
    "cmo": cmo,
    "ema_cross": ema_cross,
    "mom": mom,
    "ppo": ppo,
    "roc": roc,
    "rsi": rsi,
    "sma_crossover_inflection": sma_crossover_inflection,
    "tema": tema,
    "trix": trix,
    "ultosc": ultosc,
}
"""By the name of the strategy whose twin it is."""


def _source(bars: pd.DataFrame, p: Any) -> Column:  # noqa: ANN401
    if p.source == "hlc3":
        return (bars["high"] + bars["low"] + bars["close"]) / 3.0
    return bars["close"]


def _against_levels(name: str, value: Column, p: Any) -> pd.DataFrame:  # noqa: ANN401
    upper, lower, mid = (pd.Series(level, index=value.index) for level in (p.upper, p.lower, p.mid))
    return _flags(value, upper, lower, mid, p).assign(**{name: value})


def _flags(value: Column, upper: Column, lower: Column, mid: Column, p: Any) -> pd.DataFrame:  # noqa: ANN401
    """Crossings of the levels; which of them enter and leave depends on the modes."""
    if p.signal_mode == "mean_reversion":
        enter_long, enter_short = _comes_up(value, lower), _comes_down(value, upper)
        exit_long, exit_short = _comes_up(value, mid), _comes_down(value, mid)
    else:
        enter_long, enter_short = _comes_up(value, upper), _comes_down(value, lower)
        exit_long, exit_short = _comes_down(value, mid), _comes_up(value, mid)
    leaves = p.exit_mode == "midpoint"
    return pd.DataFrame(
        {
            "enter_long": enter_long,
            "enter_short": enter_short,
            "exit_long": exit_long & leaves,
            "exit_short": exit_short & leaves,
        }
    )


def _comes_up(value: Column, level: Column) -> Column:
    return _below(value.shift(), level.shift()) & (value - level >= -_EQUAL)


def _comes_down(value: Column, level: Column) -> Column:
    return _below(level.shift(), value.shift()) & (value - level <= _EQUAL)


def _below(a: Column, b: Column) -> Column:
    return a - b < -_EQUAL


def _sign(x: Column) -> Column:
    """-1, 0 or 1, where closer than 1e-10 to zero is zero; na stays na."""
    return (x > _EQUAL).astype(float).where(x.notna()) - (x < -_EQUAL).astype(float)

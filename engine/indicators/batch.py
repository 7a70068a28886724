"""Indicators over whole histories: arrays in, arrays out; settings as in the class of the same name."""

from numpy.typing import ArrayLike

from engine.compiled.functions import FloatArray
from engine.indicators.averages import AverageKind
from engine.indicators.stream_averages import Dema, Ema, Hma, Rma, Sma, Tema, Vwma, Wma
from engine.indicators.stream_oscillators import (
    Aroon,
    Cci,
    Cmo,
    CmoWilder,
    Macd,
    Mfi,
    Mom,
    Ppo,
    Roc,
    Rsi,
    Stochastic,
    Trix,
    Ultosc,
    WilliamsR,
)
from engine.indicators.stream_ranges import (
    Atr,
    Bollinger,
    Dmi,
    Donchian,
    Highest,
    Ichimoku,
    Keltner,
    Lowest,
    Stdev,
    Supertrend,
    TrueRange,
)
from engine.indicators.stream_trends import Crossover, Crossunder, Linreg, Obv, Sar, VolumeProfile, Vwap


def sma(x: ArrayLike, length: int) -> FloatArray:
    """See `Sma`."""
    return Sma(length).run(x)


def ema(x: ArrayLike, length: int) -> FloatArray:
    """See `Ema`."""
    return Ema(length).run(x)


def rma(x: ArrayLike, length: int) -> FloatArray:
    """See `Rma`."""
    return Rma(length).run(x)


def wma(x: ArrayLike, length: int) -> FloatArray:
    """See `Wma`."""
    return Wma(length).run(x)


def dema(x: ArrayLike, length: int) -> FloatArray:
    """See `Dema`."""
    return Dema(length).run(x)


def tema(x: ArrayLike, length: int) -> FloatArray:
    """See `Tema`."""
    return Tema(length).run(x)


def hma(x: ArrayLike, length: int) -> FloatArray:
    """See `Hma`."""
    return Hma(length).run(x)


def vwma(x: ArrayLike, volume: ArrayLike, length: int) -> FloatArray:
    """See `Vwma`."""
    return Vwma(length).run(x, volume)


def mom(x: ArrayLike, length: int) -> FloatArray:
    """See `Mom`."""
    return Mom(length).run(x)


def roc(x: ArrayLike, length: int) -> FloatArray:
    """See `Roc`."""
    return Roc(length).run(x)


def rsi(x: ArrayLike, length: int) -> FloatArray:
    """See `Rsi`."""
    return Rsi(length).run(x)


def cci(x: ArrayLike, length: int) -> FloatArray:
    """See `Cci`."""
    return Cci(length).run(x)


def cmo(x: ArrayLike, length: int) -> FloatArray:
    """See `Cmo`."""
    return Cmo(length).run(x)


def cmo_wilder(x: ArrayLike, length: int) -> FloatArray:
    """See `CmoWilder`."""
    return CmoWilder(length).run(x)


def trix(x: ArrayLike, length: int) -> FloatArray:
    """See `Trix`."""
    return Trix(length).run(x)


def ppo(x: ArrayLike, fast: int = 12, slow: int = 26, kind: AverageKind = "ema") -> FloatArray:
    """See `Ppo`."""
    return Ppo(fast, slow, kind).run(x)


def macd(x: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[FloatArray, ...]:
    """Macd, signal, histogram; see `Macd`."""
    return Macd(fast, slow, signal).run(x)


def ultosc(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, length1: int = 7, length2: int = 14, length3: int = 28
) -> FloatArray:
    """See `Ultosc`."""
    return Ultosc(length1, length2, length3).run(high, low, close)


def stochastic(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14, smooth_k: int = 1, smooth_d: int = 3
) -> tuple[FloatArray, ...]:
    """K, d; see `Stochastic`."""
    return Stochastic(length, smooth_k, smooth_d).run(high, low, close)


def williams_r(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int) -> FloatArray:
    """See `WilliamsR`."""
    return WilliamsR(length).run(high, low, close)


def aroon(high: ArrayLike, low: ArrayLike, length: int) -> tuple[FloatArray, ...]:
    """Up, down; see `Aroon`."""
    return Aroon(length).run(high, low)


def mfi(x: ArrayLike, volume: ArrayLike, length: int) -> FloatArray:
    """See `Mfi`."""
    return Mfi(length).run(x, volume)


def highest(x: ArrayLike, length: int) -> FloatArray:
    """See `Highest`."""
    return Highest(length).run(x)


def lowest(x: ArrayLike, length: int) -> FloatArray:
    """See `Lowest`."""
    return Lowest(length).run(x)


def donchian(high: ArrayLike, low: ArrayLike, length: int) -> tuple[FloatArray, ...]:
    """Upper, middle, lower; see `Donchian`."""
    return Donchian(length).run(high, low)


def ichimoku(
    high: ArrayLike, low: ArrayLike, conversion: int = 9, base: int = 26, lead: int = 52
) -> tuple[FloatArray, ...]:
    """Conversion, base, lead_a, lead_b; see `Ichimoku`."""
    return Ichimoku(conversion, base, lead).run(high, low)


def stdev(x: ArrayLike, length: int) -> FloatArray:
    """See `Stdev`."""
    return Stdev(length).run(x)


def bollinger(x: ArrayLike, length: int = 20, multiplier: float = 2.0) -> tuple[FloatArray, ...]:
    """Middle, upper, lower; see `Bollinger`."""
    return Bollinger(length, multiplier).run(x)


def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike, handle_na: bool = False) -> FloatArray:
    """See `TrueRange`."""
    return TrueRange(handle_na).run(high, low, close)


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int) -> FloatArray:
    """See `Atr`."""
    return Atr(length).run(high, low, close)


def keltner(
    x: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 20, multiplier: float = 2.0
) -> tuple[FloatArray, ...]:
    """Middle, upper, lower; see `Keltner`."""
    return Keltner(length, multiplier).run(x, high, low, close)


def supertrend(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, factor: float = 3.0, length: int = 10
) -> tuple[FloatArray, ...]:
    """Value, direction; see `Supertrend`."""
    return Supertrend(factor, length).run(high, low, close)


def dmi(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14, smoothing: int = 14
) -> tuple[FloatArray, ...]:
    """Plus, minus, adx; see `Dmi`."""
    return Dmi(length, smoothing).run(high, low, close)


def sar(
    high: ArrayLike, low: ArrayLike, start: float = 0.02, increment: float = 0.02, maximum: float = 0.2
) -> FloatArray:
    """See `Sar`."""
    return Sar(start, increment, maximum).run(high, low)


def linreg(x: ArrayLike, length: int, offset: int = 0) -> FloatArray:
    """See `Linreg`."""
    return Linreg(length, offset).run(x)


def crossover(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """See `Crossover`."""
    return Crossover().run(a, b)


def crossunder(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """See `Crossunder`."""
    return Crossunder().run(a, b)


def obv(close: ArrayLike, volume: ArrayLike) -> FloatArray:
    """See `Obv`."""
    return Obv().run(close, volume)


def vwap(x: ArrayLike, volume: ArrayLike, new_session: ArrayLike) -> FloatArray:
    """See `Vwap`."""
    return Vwap().run(x, volume, new_session)


def volume_profile(
    high: ArrayLike,
    low: ArrayLike,
    volume: ArrayLike,
    length: int = 100,
    rows: int = 24,
    area_percent: float = 70.0,
) -> tuple[FloatArray, ...]:
    """Poc, area_high, area_low; see `VolumeProfile`."""
    return VolumeProfile(length, rows, area_percent).run(high, low, volume)

"""All indicators, by name."""

from engine.indicators.stream import ManyOutputs, SingleOutput
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

INDICATORS: dict[str, type[SingleOutput] | type[ManyOutputs]] = {
    cls.name: cls
    for cls in (
        Sma,
        Ema,
        Rma,
        Wma,
        Dema,
        Tema,
        Hma,
        Vwma,
        Mom,
        Roc,
        Rsi,
        Cci,
        Cmo,
        CmoWilder,
        Trix,
        Ppo,
        Macd,
        Ultosc,
        Stochastic,
        WilliamsR,
        Aroon,
        Mfi,
        Highest,
        Lowest,
        Donchian,
        Ichimoku,
        Stdev,
        Bollinger,
        TrueRange,
        Atr,
        Keltner,
        Supertrend,
        Dmi,
        Sar,
        Linreg,
        Crossover,
        Crossunder,
        Obv,
        Vwap,
        VolumeProfile,
    )
}
"""In the order of the table in docs/indicators.md."""

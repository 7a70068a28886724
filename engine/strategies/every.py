"""Every strategy of this package: importing it registers them all."""

from engine.strategies import (
    bband,
    cci,
    cmo,
    ema_cross,
    mom,
    ppo,
    roc,
    rsi,
    sma_crossover_inflection,
    tema,
    trix,
    ultosc,
)

__all__ = [
    "bband",
    "cci",
    "cmo",
    "ema_cross",
    "mom",
    "ppo",
    "roc",
    "rsi",
    "sma_crossover_inflection",
    "tema",
    "trix",
    "ultosc",
]

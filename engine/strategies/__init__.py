"""Every strategy: importing this package fills `engine.strategies.base.registry`."""

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

"""Every strategy: importing this package fills `engine.strategies.base.registry`."""

from engine.strategies import ema_cross, sma_crossover_inflection

__all__ = ["ema_cross", "sma_crossover_inflection"]

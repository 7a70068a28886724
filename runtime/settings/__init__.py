"""Configuration of one environment, shared by simulator, gateway, engine and supervisor."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.settings.environment import Home
    from runtime.settings.load import load_settings
    from runtime.settings.models import (
        ENVIRONMENTS,
        ClockSettings,
        EngineSettings,
        EnvironmentName,
        GatewaySettings,
        RiskSettings,
        Settings,
        SettingsError,
        SimulatorSettings,
        SizingSettings,
        StrategySettings,
        TelegramSettings,
        WireSettings,
        timeframe_to_ns,
    )

__all__ = [
    "ENVIRONMENTS",
    "ClockSettings",
    "EngineSettings",
    "EnvironmentName",
    "GatewaySettings",
    "Home",
    "RiskSettings",
    "Settings",
    "SettingsError",
    "SimulatorSettings",
    "SizingSettings",
    "StrategySettings",
    "TelegramSettings",
    "WireSettings",
    "load_settings",
    "timeframe_to_ns",
]

_ELSEWHERE = {"Home": "environment", "load_settings": "load"}


def __getattr__(name: str) -> object:
    """A name of this package when it is first used: a backtest wants its small modules, not its models."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'models')}"), name)

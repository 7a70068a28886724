"""Configuration of one environment, shared by simulator, gateway, engine and supervisor."""

from settings.environment import Home
from settings.load import load_settings
from settings.models import (
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
from settings.secret import Secret

__all__ = [
    "ENVIRONMENTS",
    "ClockSettings",
    "EngineSettings",
    "EnvironmentName",
    "GatewaySettings",
    "Home",
    "RiskSettings",
    "Secret",
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

"""Markets: the sources of the simulator's prices and order flow."""

from gateways.simulator.markets.base import Market, MarketError, MarketOptions
from gateways.simulator.markets.parse import parse_market

__all__ = ["Market", "MarketError", "MarketOptions", "parse_market"]

"""Where the simulator's prices come from."""

from gateways.simulator.markets.base import Market, MarketOptions, parse_market

__all__ = ["Market", "MarketOptions", "parse_market"]

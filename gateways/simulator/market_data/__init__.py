"""Public market data of the simulator: everything a client sees without an account."""

from gateways.simulator.market_data.market_data import MarketData
from gateways.simulator.market_data.symbol_feed import Publish

__all__ = ["MarketData", "Publish"]

"""Public market data of the simulator: what a Binance USD-M client sees without an account."""

from gateways.simulator.market_data.market_data import MarketData
from gateways.simulator.market_data.symbol_feed import Publish

__all__ = ["MarketData", "Publish"]

"""Public market data of the simulator: what a Binance USD-M client sees without an account."""

from gateways.simulator.market_data.component import MarketData
from gateways.simulator.market_data.feed import Publish

__all__ = ["MarketData", "Publish"]

"""Public market data of the simulator: what a Binance USD-M client sees without an account."""

from gateways.simulator.market_data.component import MarketData, Publish

__all__ = ["MarketData", "Publish"]

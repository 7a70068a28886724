"""Public market data of the simulator: everything a client sees without an account."""

from gateways.simulator.market_data.market_data import MarketData

__all__ = ["MarketData"]

"""Prices as text for people, everywhere with the decimals of their symbol's tick."""

from collections.abc import Mapping
from decimal import Decimal

from gateways.wire.messages import Instrument
from runtime.control.shown import price


class PriceText:
    """Shows a price by the tick of its symbol, which may change; as it is before the exchange has told it."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments

    def __call__(self, symbol: str, value: Decimal | float) -> str:
        """The price in digits."""
        instrument = self._instruments.get(symbol)
        return price(value, None if instrument is None else instrument.price_tick)

"""`MarketData`: streams and REST answers made from the book and the trades."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Publish = Callable[[str, dict[str, Any]], None]
"""`publish(stream_name, payload)`: one event of one stream; the payload is the raw frame's JSON object."""


class MarketData:
    """Public data of every symbol.

    Give the exchange's public events to `on_trade` and `on_book_changed`; call `advance` when
    `next_time_ms` has come (cadenced streams, klines, mark price). Only streams with at least one
    subscriber are built and published.
    """

    def __init__(
        self,
        specs: Mapping[str, Any],
        publish: Publish,
        *,
        now_ms: int,
        seed: int = 1,
        state_dir: Path | None = None,
    ) -> None:
        raise NotImplementedError

    def attach(self, exchange: Any) -> None:
        """Name the exchange whose books are read and whose index price is set."""
        raise NotImplementedError

    def on_trade(self, trade: Any) -> None:
        """Take a public trade, in order."""
        raise NotImplementedError

    def on_book_changed(self, symbol: str, now_ms: int) -> None:
        """Take the levels of a book that changed since the last call."""
        raise NotImplementedError

    def next_time_ms(self) -> int | None:
        """When `advance` wants to be called next."""
        raise NotImplementedError

    def advance(self, now_ms: int) -> None:
        """Publish everything that is due at `now_ms`."""
        raise NotImplementedError

    def subscribe(self, stream: str) -> bool:
        """Count one more subscriber of `stream`; False (and silence) if there is no such stream."""
        raise NotImplementedError

    def unsubscribe(self, stream: str) -> None:
        """Count one subscriber less."""
        raise NotImplementedError

    def rest(self, name: str, params: Mapping[str, str], now_ms: int) -> Any:
        """Answer a market data request, `name` being the path after /fapi/v1/ (v2: `v2/ticker/price`).

        Raises `ApiError` with Binance's code. Returns what is to be encoded as JSON.
        """
        raise NotImplementedError

    def publish_force_order(self, symbol: str, order: Mapping[str, Any], now_ms: int) -> None:
        """Publish a liquidation on `forceOrder` (`order` is the frame's `o`)."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what has to survive."""
        raise NotImplementedError

"""What the gateway needs of the settings, and nothing else."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from gateways.binance.protocol.errors import ConfigurationError
from runtime.settings import Settings

LEGACY_KEYS = Path(__file__).resolve().parents[1] / "vault" / "binance_keys"


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Addresses without a trailing slash; stream addresses end in /public, /market, /private."""

    name: str
    rest_url: str
    public_url: str
    market_url: str
    private_url: str
    symbols: tuple[str, ...]
    depth_levels: int
    depth_speed_ms: int
    window_ms: int
    stale_after_ns: int
    clock_speed: float
    wire_host: str
    wire_port: int
    token_path: Path
    key_paths: tuple[Path, ...]
    rehearse_s: float = 0.0
    state_dir: Path | None = None
    data_dir: Path | None = None
    path: Path = Path("the configuration")
    given_symbol: str = ""
    simulated: bool = True
    leverages: tuple[tuple[str, int], ...] = ()
    protective_stops: tuple[tuple[str, Decimal], ...] = ()
    max_order_quote: Decimal = Decimal(0)
    max_position_quote: Decimal = Decimal(0)
    clock_epoch_ms: int = 0

    @classmethod
    def of(cls, settings: Settings, given_symbol: str = "") -> "GatewayConfig":
        """From settings with addresses filled in; `given_symbol` is the command line's."""
        gateway = settings.gateway
        urls = (
            gateway.rest_url,
            gateway.public_stream_url,
            gateway.market_stream_url,
            gateway.private_stream_url,
        )
        if not all(urls):
            raise ConfigurationError("An address of the exchange is empty in the settings.")
        # Only live keys may come from the old place: it never said which environment they are for.
        legacy = (LEGACY_KEYS,) if settings.environment == "live" else ()
        return cls(
            name=f"binance-{settings.environment}",
            rest_url=urls[0].rstrip("/"),
            public_url=urls[1].rstrip("/"),
            market_url=urls[2].rstrip("/"),
            private_url=urls[3].rstrip("/"),
            symbols=settings.symbols,
            depth_levels=gateway.depth_levels,
            depth_speed_ms=gateway.depth_speed_ms,
            window_ms=gateway.receive_window_ms,
            stale_after_ns=settings.clock.stale_after_ms * 1_000_000,
            rehearse_s=gateway.rehearse_ms / 1e3,
            clock_speed=settings.clock.speed,
            clock_epoch_ms=settings.clock.epoch_ms,
            wire_host=settings.wire.host,
            wire_port=settings.wire.port,
            token_path=settings.token_path,
            key_paths=(settings.keys_path, *legacy),
            state_dir=settings.gateway_dir,
            data_dir=settings.data_dir,
            path=settings.home / "configs" / f"{settings.environment}.toml",
            given_symbol=given_symbol,
            simulated=settings.simulator.enabled,
            leverages=tuple(
                (symbol, one.leverage)
                for one in settings.strategies
                for symbol in one.symbols
                if one.leverage
            ),
            protective_stops=tuple(
                (symbol, one.protective_stop_percent)
                for one in settings.strategies
                for symbol in one.symbols
                if one.protective_stop_percent
            ),
            max_order_quote=settings.risk.max_order_notional_quote,
            max_position_quote=settings.risk.max_position_notional_quote,
        )

    @property
    def host(self) -> str:
        """Host of the exchange's REST address, for messages."""
        return urlsplit(self.rest_url).hostname or self.rest_url

    def where_symbol(self, symbol: str) -> str:
        """Where the symbol was configured, for messages."""
        if symbol == self.given_symbol or symbol not in self.symbols:
            return "the command line"
        return f"{self.path}: symbols[{self.symbols.index(symbol)}]"

    def leverage_of(self, symbol: str) -> int:
        """Leverage to set at start-up; 0: leave it as it is."""
        return max((leverage for name, leverage in self.leverages if name == symbol), default=0)

    def protective_stops_of(self, symbol: str) -> tuple[Decimal, ...]:
        """Distances of the symbol's protective stops, in percent of the entry price."""
        return tuple(percent for name, percent in self.protective_stops if name == symbol)

    def depth_stream(self, symbol: str) -> str:
        """250 ms is the stream without a suffix."""
        suffix = "" if self.depth_speed_ms == 250 else f"@{self.depth_speed_ms}ms"
        return f"{symbol.lower()}@depth{suffix}"

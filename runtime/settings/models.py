"""The keys of a configuration file. Every field states its range; unknown keys are errors.

Money is quote asset and `Decimal`; percents are percents, 1 is one hundredth.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from runtime.settings import patterns
from runtime.settings.addresses import EXPECTED, check_addresses

EnvironmentName = Literal["demo", "paper", "testnet", "live"]
ENVIRONMENTS: tuple[EnvironmentName, ...] = ("demo", "paper", "testnet", "live")
REAL_MONEY_WORD = "live"
NEEDS_WORD = f'i_trade_real_money must be "{REAL_MONEY_WORD}" before real orders are sent'
EXCHANGE_TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
"""Timeframes of Binance's klines; without months, which have no fixed length."""

DEAD_MAN_WEIGHT = 40
WEIGHT_A_MINUTE = 2400
"""Binance's request weight: the cost of one symbol's countdown, and the limit a minute."""
LEAST_DEAD_MAN_SECONDS = 5
"""A shorter countdown is lengthened to this."""

CASH_LIMITS = ("max_order_notional_quote", "max_position_notional_quote", "max_total_notional_quote")
"""Limits in [risk] that an entry of a fixed amount must fit."""

TELEGRAM_API_URL = "https://api.telegram.org/bot"

Symbol = Annotated[str, StringConstraints(pattern=patterns.SYMBOL)]
Timeframe = Annotated[str, StringConstraints(pattern=patterns.TIMEFRAME)]
Url = Annotated[str, StringConstraints(pattern=patterns.URL)]
RuleName = Annotated[str, StringConstraints(pattern=patterns.RULE_NAME)]
Port = Annotated[int, Field(ge=0, le=65535)]
Money = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Percent = Annotated[Decimal, Field(gt=0, le=100, allow_inf_nan=False)]
StopPercent = Annotated[Decimal, Field(gt=0, lt=100, allow_inf_nan=False)]
"""At 100 the stop of a long would be at a price of 0, which no exchange takes."""

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class SettingsError(Exception):
    """The configuration cannot be used; the message is one sentence with file, key and what is allowed."""


def timeframe_to_ns(timeframe: str) -> int:
    """Nanoseconds of "1s", "15m", "4h", "1d", "1w". ValueError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]*)([smhdw])", timeframe)
    if match is None:
        raise ValueError(f"{timeframe!r} is not a timeframe: a number and one of s, m, h, d, w")
    return int(match[1]) * _UNIT_SECONDS[match[2]] * 1_000_000_000


def _is_inside_vault(name: str) -> str:
    if re.fullmatch(r"[^/\\:.][^/\\:]*", name) is None or not name.isprintable():
        raise ValueError(f"{name!r} is not the name of a file inside vault/")
    return name


VaultName = Annotated[str, AfterValidator(_is_inside_vault)]
"""The name of a file inside vault/, never a path."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class SimulatorSettings(_Section):
    """The embedded exchange."""

    enabled: bool = False
    """True in demo and paper, false in testnet and live."""
    port: Port = 0
    """0 picks a free one."""
    market: Annotated[str, StringConstraints(pattern=patterns.MARKET)] = "synthetic"
    """Generated (in a regime, if one is named), a recording of real frames, klines replayed bar by bar, or
    the streams of another exchange."""
    seed: int = 1
    """Seed of the synthetic market: the same seed gives the same order flow."""
    keep_times: bool = False
    """A recording keeps its own times instead of the simulator's."""


class GatewaySettings(_Section):
    """Addresses of the exchange. Empty ones are filled in from the simulator where that is enabled."""

    rest_url: Url = ""
    """Base of every request."""
    public_stream_url: Url = ""
    """Books and book tickers; on Binance the /public path."""
    market_stream_url: Url = ""
    """Trades, klines, mark prices; on Binance the /market path."""
    private_stream_url: Url = ""
    """User events; on Binance the /private path."""
    keys_file: VaultName = "binance_keys"
    """Name inside vault/. Where the simulator is enabled, its own key file is used instead."""
    depth_levels: Annotated[int, Field(ge=1, le=20)] = 5
    """Order book levels on each side, in every tick."""
    depth_speed_ms: Literal[0, 100, 250, 500] = 100
    """Interval of the exchange's depth stream; 0 is the fastest."""
    rehearse_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Least time between two rehearsals of signing an order, each after a tick; 0 is never. At 1 ms it takes
    up to 2 % of a core."""
    receive_window_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    """A signed request older than this is refused by the exchange."""
    dead_man_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Resting entries are cancelled when the engine has been silent for this long; stops, targets and orders
    of others are not. 0 is off."""


class WireSettings(_Section):
    """Local socket between gateway and engine."""

    host: Literal["127.0.0.1", "localhost", "::1"] = "127.0.0.1"
    """This machine only."""
    port: Port = 0
    """0 picks a free one."""
    token_file: VaultName = "gateway_token"  # noqa: S105  # a file name inside vault/, not a token
    """Name inside vault/; made on first use."""


class ClockSettings(_Section):
    """Time."""

    grace_ms: Annotated[int, Field(ge=0, le=10_000)] = 250
    """A bar without a later tick closes this long after its end; an exchange's bar is overdue soon after."""
    max_offset_uncertainty_ms: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Entries wait while the uncertainty of the exchange's clock is larger."""
    stale_after_ms: Annotated[int, Field(ge=100, le=600_000)] = 5_000
    """Market data older than this blocks entries."""
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """How fast the simulator's clock runs from `epoch_ms` on."""
    epoch_ms: Annotated[int, Field(ge=0, lt=10**13)] = 0
    """Start of a scaled clock, ms UTC. Required where speed is not 1."""


class SizingSettings(_Section):
    """How much a default-sized entry buys; the kinds are those of the backtester's `Sizing`."""

    kind: Literal["fixed", "cash", "percent_of_equity", "risk_percent"] = "cash"
    """fixed: `value` base units. cash: quote notional. The percents are of equity."""
    value: Money = Decimal(200)
    """In the unit of `kind`. Cash must not exceed any `max_..._notional_quote` of [risk]."""
    by_strength: bool = False
    """Times the signal's strength, from 0 to 1; all of it where it has none."""


class StrategySettings(_Section):
    """One strategy on its symbols."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """Of one of nextbar's or of a file in strategies/; or FILE.py:Class, FILE.toml, package.module:Class."""
    owner: Annotated[str, StringConstraints(pattern=patterns.OWNER)] = ""
    """What it is called on orders and in the journal; when empty its name, or that of its class. Keep it: a
    position belongs to the name that entered it."""
    id: Annotated[str, StringConstraints(pattern=patterns.STRATEGY_ID)] = ""
    """Short name in client order ids; by the position in the file when empty: s1, s2, ..."""
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=200)]
    """What this strategy trades; each among the symbols above."""
    timeframe: Timeframe
    """Length of a bar."""
    candles: Literal["mid", "trade", "exchange"] = "mid"
    """Made from mid prices, from trades, or the exchange's own klines."""
    params: dict[str, bool | int | float | str] = Field(default_factory=dict, max_length=100)
    """The strategy's own parameters; checked by the strategy."""
    exits: dict[str, object] = Field(default_factory=dict, max_length=100)
    """Exit rules that take the place of the strategy's own (docs/writing_strategies.md)."""
    sizing: SizingSettings = SizingSettings()
    leverage: Annotated[int, Field(ge=1, le=150)] | None = None
    """Set at the exchange at start; left out, the exchange's setting stays."""
    protective_stop_percent: StopPercent | None = None
    """A resting reduce-only stop this far from the entry, for the case that the engine does not run."""
    unprotected: bool = False
    """Trade without a protective stop, on purpose."""
    netting: bool = False
    """Several strategies may trade this symbol; their positions add up."""

    @property
    def timeframe_ns(self) -> int:
        """Length of a bar."""
        return timeframe_to_ns(self.timeframe)


class RiskSettings(_Section):
    """Limits. Orders that only reduce a position are exempt from all but the exchange's own limits."""

    max_order_notional_quote: Money
    """Of one order."""
    max_position_notional_quote: Money
    """For each symbol; orders in flight count as filled."""
    max_total_notional_quote: Money | None = None
    """Of all positions together; orders in flight count as filled. Left out, only `max_leverage` applies."""
    max_leverage: Annotated[Decimal, Field(gt=0, le=150)]
    """Sum of position notionals over equity."""
    max_open_orders: Annotated[int, Field(ge=1, le=200)] = 20
    """Resting at the exchange, all symbols together."""
    price_band_percent: Percent = Decimal(2)
    """How far a limit price may be on the wrong side of the mark price."""
    max_orders: Annotated[int, Field(ge=1, le=10_000)] = 60
    """Orders within any `order_rate_seconds`."""
    order_rate_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """Window of `max_orders`."""
    max_daily_loss_quote: Money
    """Realised and open loss since 00:00 UTC with fees and funding, without transfers; entries stop at it."""
    rules: dict[RuleName, dict[str, bool | int | float | str]] = Field(default_factory=dict, max_length=100)
    """Rules of your own: `rules.NAME = { limit = 3 }`, a name and its parameters (docs/extending.md)."""


class JournalSettings(_Section):
    """The engine's own record."""

    segment_bytes: Annotated[int, Field(ge=65_536, le=1 << 30)] = 16 * 1024 * 1024
    """Size at which a new file begins."""
    reserve_bytes: Annotated[int, Field(ge=4_096, le=1 << 30)] = 1024 * 1024
    """Disk space kept for exits when the disk is full."""
    sync: bool = True
    """fdatasync before an order leaves. Off only for measurements."""
    keep_days: Annotated[float, Field(ge=0, le=36_500)] = 0.0
    """Files older than this are deleted once tables and snapshots no longer need them; 0 keeps all."""
    database_url: str = ""
    """SQLAlchemy URL of the tables, SQLite or PostgreSQL (docs/adr/0008); empty is SQLite inside
    data/<env>/engine."""


class EngineSettings(_Section):
    """The deciding process."""

    control_port: Port = 0
    """0 picks a free one."""
    summary_seconds: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    """Interval at which the status file is written."""
    compare_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Interval at which positions and open orders are compared with the exchange's; 0 is only on events."""
    rehearse_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Interval at which an order's path is rehearsed to keep caches warm; 0 is never. At 2 ms it takes a
    tenth of a core and makes orders a fifth quicker."""
    journal: JournalSettings = JournalSettings()


class TelegramSettings(_Section):
    """Messages to a Telegram chat; keys are in vault/telegram_keys."""

    enabled: bool = False
    """Requires the key file."""
    api_url: Url = TELEGRAM_API_URL
    """Base URL of the Bot API."""
    keys_file: VaultName = "telegram_keys"
    """Name inside vault/."""
    level: Literal["info", "warning", "critical"] = "info"
    """The least important message that is sent."""


class Settings(_Section):
    """One environment."""

    environment: EnvironmentName
    """May be left out; must be the name of the file."""
    i_trade_real_money: str = ""
    """Must be "live" in configs/live.toml."""
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=200)]
    """All symbols of this environment; the engine claims them at the gateway."""
    simulator: SimulatorSettings = SimulatorSettings()
    gateway: GatewaySettings = GatewaySettings()
    wire: WireSettings = WireSettings()
    clock: ClockSettings = ClockSettings()
    engine: EngineSettings = EngineSettings()
    risk: RiskSettings
    telegram: TelegramSettings = TelegramSettings()
    strategies: Annotated[tuple[StrategySettings, ...], Field(min_length=1, max_length=100)]

    home: Path = Path()
    """Filled in by the loader: folder of configs/, vault/ and data/."""

    @property
    def data_dir(self) -> Path:
        """Everything that the environment's processes write."""
        return self.home / "data" / self.environment

    @property
    def simulator_dir(self) -> Path:
        """The simulated exchange's state."""
        return self.data_dir / "simulator"

    @property
    def gateway_dir(self) -> Path:
        """The gateway's state."""
        return self.data_dir / "gateway"

    @property
    def engine_dir(self) -> Path:
        """Journal, tables, status."""
        return self.data_dir / "engine"

    @property
    def vault_dir(self) -> Path:
        """Keys and tokens."""
        return self.home / "vault"

    @property
    def token_path(self) -> Path:
        """Shared secret of gateway and engine."""
        return self.vault_dir / self.wire.token_file

    @property
    def keys_path(self) -> Path:
        """API key file: the simulator's own where one is enabled."""
        if self.simulator.enabled:
            return self.simulator_dir / "binance_keys"
        return self.vault_dir / self.gateway.keys_file

    @property
    def summary_path(self) -> Path:
        """The engine's numbers, rewritten each second."""
        return self.engine_dir / "summary.json"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for index, strategy in enumerate(self.strategies):
            self._check_strategy(f"strategies[{index}] ({strategy.name})", strategy)
        self._check_claims()
        if self.environment == "live" and self.i_trade_real_money != REAL_MONEY_WORD:
            raise ValueError(NEEDS_WORD)
        if self.simulator.enabled != (self.environment in {"demo", "paper"}):
            raise ValueError(
                "simulator.enabled must be true in demo and paper, and false in testnet and live"
            )
        if not self.simulator.enabled and not self._addresses_given():
            raise ValueError("gateway.rest_url and the three gateway stream URLs must be given")
        check_addresses(self.environment, {key: getattr(self.gateway, key) for key in EXPECTED})
        self._check_dead_man()
        if self.clock.speed != 1.0 and not self.clock.epoch_ms:
            raise ValueError("clock.epoch_ms must be given where clock.speed is not 1")
        return self

    def _check_dead_man(self) -> None:
        """Renewing it is expensive, four times a countdown for each symbol; it may use half of the limit."""
        seconds, count = self.gateway.dead_man_seconds, len(self.symbols)
        least = -(-DEAD_MAN_WEIGHT * count * 60 // (WEIGHT_A_MINUTE // 2))
        if seconds and max(seconds, LEAST_DEAD_MAN_SECONDS) < least:
            raise ValueError(
                f"gateway.dead_man_seconds is {seconds}, which for {count} symbols would use up Binance's "
                f"request limit; allowed: 0 or at least {least}"
            )

    def _check_strategy(self, where: str, strategy: StrategySettings) -> None:
        unknown = sorted(set(strategy.symbols) - set(self.symbols))
        if unknown:
            raise ValueError(f"{where}: {unknown[0]} is not among symbols ({', '.join(self.symbols)})")
        if not self._has_candles(strategy):
            allowed = ", ".join(EXCHANGE_TIMEFRAMES)
            use = "" if strategy.candles == "exchange" else " to warm up with"
            raise ValueError(
                f"{where}: timeframe: the exchange has no {strategy.timeframe} candles{use}, only {allowed}"
            )
        guarded = strategy.protective_stop_percent is not None or strategy.unprotected
        if self.environment in {"testnet", "live"} and not guarded:
            raise ValueError(f"{where} needs protective_stop_percent, or unprotected = true")
        self._check_cash(where, strategy.sizing)

    def _check_cash(self, where: str, sizing: SizingSettings) -> None:
        """An entry above a limit would be vetoed each time."""
        for name in CASH_LIMITS:
            limit: Decimal | None = getattr(self.risk, name)
            if sizing.kind == "cash" and limit is not None and sizing.value > limit:
                raise ValueError(
                    f"{where}: sizing.value is {sizing.value:,}, above risk.{name} ({limit:,}): "
                    "no entry of that size would be allowed"
                )

    @staticmethod
    def _has_candles(strategy: StrategySettings) -> bool:
        """Our own candles warm up with the exchange's, unless they are shorter than a minute."""
        if strategy.candles == "exchange":
            return strategy.timeframe in EXCHANGE_TIMEFRAMES
        length = strategy.timeframe_ns
        return bool(length % timeframe_to_ns("1m")) or length in map(timeframe_to_ns, EXCHANGE_TIMEFRAMES)

    def _check_claims(self) -> None:
        owners: dict[str, str] = {}
        for strategy in self.strategies:
            for symbol in strategy.symbols:
                if symbol in owners and not strategy.netting:
                    raise ValueError(
                        f"{symbol} is traded by {owners[symbol]} and {strategy.name}: "
                        "one strategy a symbol, unless both say netting = true"
                    )
                owners[symbol] = strategy.name

    def _addresses_given(self) -> bool:
        gateway = self.gateway
        return bool(
            gateway.rest_url
            and gateway.public_stream_url
            and gateway.market_stream_url
            and gateway.private_stream_url
        )

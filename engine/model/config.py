"""What the deciding core is told once, at start; `of_settings` makes it from an environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.bars import CandleKind
from engine.model.broker_settings import Sizing
from engine.model.exit_rules import ExitRules
from engine.model.limits import RiskLimits
from engine.model.timeframes import SECOND_NS
from runtime.settings import RiskSettings, Settings, StrategySettings

MS_NS = 1_000_000
OVERDUE_GRACES = 1.5
"""Grace times after its close a bar that has not come is overdue: told before two have passed."""
LEAST_GRACE_MS = 100
"""The exchange's own bars need that long to come, also where bars of ticks are closed at once."""


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """One configured strategy; it gets an instance for each of its symbols.

    `owner` names its orders, fills and signals in the journal and never changes for one strategy. `key` is
    its place in the configuration ("strategies[0]"), for what is said about it.
    """

    owner: str
    name: str
    symbols: tuple[str, ...]
    timeframe: str
    candles: CandleKind = "mid"
    params: Mapping[str, object] = field(default_factory=dict)
    sizing: Sizing = field(default_factory=Sizing)
    exit_rules: ExitRules | None = None
    leverage: int | None = None
    protective_stop_percent: Decimal | None = None
    netting: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything the core is configured with. Times are nanoseconds.

    A bar that has not come `overdue_ns` after its close is fetched, and entries wait. `reply_timeout_ns`
    without an answer makes an order unknown; absence counts as proven only `absence_grace_ns` after it was
    sent, and history is scanned from `scan_margin_ns` before its intent. `remembered_ids` of orders long
    closed are kept, so that none is sent twice. Every `compare_every_ns` the exchange is looked at though
    nothing has happened (0: never). `environment` is only for what is told.
    """

    symbols: tuple[str, ...]
    strategies: tuple[StrategySpec, ...]
    limits: RiskLimits = field(default_factory=RiskLimits)
    client_id_prefix: str = ""
    engine_id: str = "aaaaaa"
    depth_levels: int = 5
    grace_ns: int = 250 * MS_NS
    overdue_ns: int = 375 * MS_NS
    stale_after_ns: int = 5 * SECOND_NS
    max_clock_uncertainty_ns: int = 500 * MS_NS
    max_clock_offset_ns: int = 500 * MS_NS
    reply_timeout_ns: int = 5 * SECOND_NS
    query_every_ns: int = 2 * SECOND_NS
    absence_grace_ns: int = 10 * SECOND_NS
    scan_margin_ns: int = 60 * SECOND_NS
    snapshot_timeout_ns: int = 15 * SECOND_NS
    compare_every_ns: int = 60 * SECOND_NS
    max_retries: int = 5
    remembered_ids: int = 100_000
    environment: str = "demo"

    def ctl(self, words: str) -> str:
        """A command of `engine.ctl` as it is typed for this environment."""
        env = "" if self.environment == "demo" else f" --env {self.environment}"
        return f"`python -m engine.ctl{env} {words}`"


def of_settings(settings: Settings, *, engine_id: str, client_id_prefix: str) -> EngineConfig:
    """The core's configuration of one environment."""
    clock = settings.clock
    return EngineConfig(
        symbols=settings.symbols,
        strategies=tuple(_strategy(one, index) for index, one in enumerate(settings.strategies)),
        limits=_limits(settings.risk),
        environment=settings.environment,
        engine_id=engine_id,
        client_id_prefix=client_id_prefix,
        depth_levels=settings.gateway.depth_levels,
        grace_ns=clock.grace_ms * MS_NS,
        overdue_ns=int(OVERDUE_GRACES * max(clock.grace_ms, LEAST_GRACE_MS) * MS_NS * max(clock.speed, 1.0)),
        stale_after_ns=clock.stale_after_ms * MS_NS,
        max_clock_uncertainty_ns=clock.max_offset_uncertainty_ms * MS_NS,
        compare_every_ns=int(settings.engine.compare_seconds * SECOND_NS),
    )


def _strategy(one: StrategySettings, index: int) -> StrategySpec:
    return StrategySpec(
        owner=f"{one.name}:{one.id}",
        name=one.name,
        symbols=one.symbols,
        timeframe=one.timeframe,
        candles=one.candles,
        params=one.params,
        sizing=Sizing(one.sizing.kind, float(one.sizing.value)),
        leverage=one.leverage,
        protective_stop_percent=one.protective_stop_percent,
        netting=one.netting,
        key=f"strategies[{index}]",
    )


def _limits(risk: RiskSettings) -> RiskLimits:
    return RiskLimits(
        max_order_notional_quote=risk.max_order_notional_quote,
        max_position_notional_quote=risk.max_position_notional_quote,
        max_leverage=risk.max_leverage,
        max_open_orders=risk.max_open_orders,
        price_band_fraction=risk.price_band_percent / 100,
        max_orders_per_window=risk.max_orders,
        order_window_ns=risk.order_rate_seconds * SECOND_NS,
        max_daily_loss_quote=risk.max_daily_loss_quote,
    )

"""The configuration of the core, made from the settings of an environment."""

from engine.model.broker_settings import Sizing
from engine.model.config import MS_NS, EngineConfig, StrategySpec
from engine.model.limits import RiskLimits
from engine.model.owners import owner_of, short_name
from engine.model.timeframes import SECOND_NS
from runtime.settings import RiskSettings, Settings, StrategySettings

OVERDUE_GRACES = 1.5
"""A bar that has not come is overdue after this many grace times: reported before two have passed."""
LEAST_GRACE_MS = 100
"""The exchange's own bars take this long, even if bars of ticks are closed at once."""


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
        owner=owner_of(one.owner or short_name(one.name), one.id),
        name=one.name,
        symbols=one.symbols,
        timeframe=one.timeframe,
        candles=one.candles,
        params=one.params,
        exits=one.exits,
        sizing=Sizing(one.sizing.kind, float(one.sizing.value), one.sizing.by_strength),
        leverage=one.leverage,
        protective_stop_percent=one.protective_stop_percent,
        netting=one.netting,
        key=f"strategies[{index}]",
    )


def _limits(risk: RiskSettings) -> RiskLimits:
    return RiskLimits(
        max_order_notional_quote=risk.max_order_notional_quote,
        max_position_notional_quote=risk.max_position_notional_quote,
        max_total_notional_quote=risk.max_total_notional_quote,
        max_leverage=risk.max_leverage,
        max_open_orders=risk.max_open_orders,
        price_band_fraction=risk.price_band_percent / 100,
        max_orders_per_window=risk.max_orders,
        order_window_ns=risk.order_rate_seconds * SECOND_NS,
        max_daily_loss_quote=risk.max_daily_loss_quote,
        rules=risk.rules,
    )

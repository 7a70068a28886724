"""The configuration of the deciding core, fixed from its start on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.bars import CandleKind
from engine.model.broker_settings import Sizing
from engine.model.exit_rules import ExitRules
from engine.model.limits import RiskLimits
from engine.model.timeframes import SECOND_NS

MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """One configured strategy; it gets an instance for each of its symbols.

    `owner` names its orders, fills and signals in the journal and never changes for one strategy. `key` is
    its place in the configuration ("strategies[0]"), for what is said about it. `exit_rules` take
    the place of the strategy's own, and `exits` of some fields of those.
    """

    owner: str
    name: str
    symbols: tuple[str, ...]
    timeframe: str
    candles: CandleKind
    sizing: Sizing
    params: Mapping[str, object] = field(default_factory=dict)
    exit_rules: ExitRules | None = None
    leverage: int | None = None
    protective_stop_percent: Decimal | None = None
    netting: bool = False
    key: str = ""
    exits: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Everything the core is configured with. Times are nanoseconds. What a person can set has its default in
    `runtime.settings.models` and none here.

    A bar that has not come `overdue_ns` after its close is fetched, and entries wait. `reply_timeout_ns`
    without an answer makes an order unknown; absence counts as proven only `absence_grace_ns` after it was
    sent, and history is scanned from `scan_margin_ns` before its intent. `remembered_ids` of orders long
    closed are kept, so that none is sent twice. Every `compare_every_ns` the account is compared with the
    exchange's though nothing has happened (0: never). `environment` is only for messages.
    """

    environment: str
    engine_id: str
    client_id_prefix: str
    symbols: tuple[str, ...]
    strategies: tuple[StrategySpec, ...]
    limits: RiskLimits
    depth_levels: int
    grace_ns: int
    overdue_ns: int
    stale_after_ns: int
    max_clock_uncertainty_ns: int
    compare_every_ns: int
    max_clock_offset_ns: int = 500 * MS_NS
    reply_timeout_ns: int = 5 * SECOND_NS
    query_every_ns: int = 2 * SECOND_NS
    absence_grace_ns: int = 10 * SECOND_NS
    scan_margin_ns: int = 60 * SECOND_NS
    snapshot_timeout_ns: int = 15 * SECOND_NS
    remembered_ids: int = 100_000

    def ctl(self, words: str) -> str:
        """A command of `engine.ctl` as it is typed for this environment."""
        env = "" if self.environment == "demo" else f" --env {self.environment}"
        return f"`python -m engine.ctl{env} {words}`"

"""The broker settings of a configuration: TradingView's strategy properties, costs, grid and margin."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from engine.backtest.data.configuration import Strict
from engine.backtest.data.price_grid import Grid
from engine.model.broker_settings import BrokerSettings, Costs, EntryOrder, Market, Sizing, SizingKind

BROKER_DEFAULTS: Mapping[str, Any] = {
    "commission_percent": 0.05,
    "slippage_ticks": 1,
    "percent_of_equity": 10.0,
}
"""Defaults of a backtest that differ from those of `BrokerConfig`: costs and the size of an entry."""

_DEFAULT = BrokerSettings()
SIZES = ("cash", "percent_of_equity", "risk_percent", "qty")
"""Keys of which one sizes an entry."""
_COSTS = ("maker_percent", "cash_per_order", "cash_per_contract", "slippage_ticks", "slippage_bps")
_ALIKE = (
    *("initial_capital", "pyramiding", "close_rule", "margin_long_percent", "margin_short_percent"),
    *("calc_on_order_fills", "backtest_fill_limits_assumption_ticks"),
)
"""Fields of `BrokerSettings` that a configuration has by the same name."""
_MOST = 1e15
"""Larger float64 amounts cannot represent cents."""

Bracket = tuple[float, float, float]


def _brackets(raw: object) -> object:
    """Maintenance brackets: rows of floor, ratio and cum, as the exchange lists them."""
    expected = (
        "expected rows of notional floor, maintenance ratio and cum, as [[0, 0.004, 0], [50000, 0.005, 50]]"
    )
    try:
        rows = [(float(floor), float(ratio), float(cum)) for floor, ratio, cum in raw]  # type: ignore[attr-defined]
    except (TypeError, ValueError) as e:
        raise ValueError(expected) from e
    if not all(isfinite(number) for row in rows for number in row):
        raise ValueError(f"not a number in it, {expected}")
    floors = [floor for floor, _, _ in rows]
    if floors[:1] not in ([], [0.0]) or any(b <= a for a, b in pairwise(floors)):
        raise ValueError("expected floors that begin at 0 and rise")
    if not all(0.0 <= ratio < 1.0 for _, ratio, _ in rows):
        raise ValueError("expected maintenance ratios from 0 to below 1, as 0.004 for 0.4 %")
    if not all(cum >= 0.0 for _, _, cum in rows):
        raise ValueError("expected a cum of 0 or more in each row")
    return tuple(rows)


class SymbolConfig(Strict):
    """Grid and minimum orders of one symbol, where they differ from the rest."""

    tick: float | None = Field(default=None, gt=0.0, le=_MOST)
    qty_step: float | None = Field(default=None, gt=0.0, le=_MOST)
    min_qty: float | None = Field(default=None, ge=0.0, le=_MOST)
    min_notional: float | None = Field(default=None, ge=0.0, le=_MOST)


class EntryConfig(Strict):
    """How a signal strategy's entries are placed; see `EntryOrder`."""

    kind: Literal["market", "limit", "stop", "stop_limit"] = _DEFAULT.entry.kind
    offset_percent: float = Field(default=_DEFAULT.entry.offset_percent, ge=0.0, lt=100.0)
    limit_offset_percent: float = Field(default=_DEFAULT.entry.limit_offset_percent, ge=0.0, lt=100.0)
    valid_bars: int = Field(default=_DEFAULT.entry.valid_bars, ge=1, le=100_000)


class BrokerConfig(Strict):
    """TradingView's strategy properties and those of `BrokerSettings`, flat.

    `tick`, `qty_step`, `min_qty` and `min_notional` are those of each symbol's instrument or data unless
    given, for all or in `symbols`. At most one of cash, percent_of_equity, risk_percent and qty sizes an
    entry; without any it is one contract. With `size_by_strength` it is times the signal's strength, from 0
    to 1. `entry` is how a signal strategy's entries are placed. `brackets`
    are those of the symbol's maintenance margin, for a `leverage` above 0.
    """

    process_orders_on_close: bool = _DEFAULT.timing == "bar_close"
    commission_percent: float = Field(default=_DEFAULT.costs.taker_percent, ge=0.0, le=100.0)
    maker_percent: float | None = Field(default=_DEFAULT.costs.maker_percent, ge=-100.0, le=100.0)
    cash_per_order: float = Field(default=_DEFAULT.costs.cash_per_order, ge=0.0, le=_MOST)
    cash_per_contract: float = Field(default=_DEFAULT.costs.cash_per_contract, ge=0.0, le=_MOST)
    slippage_ticks: int = Field(default=_DEFAULT.costs.slippage_ticks, ge=0, le=1_000_000)
    slippage_bps: float = Field(default=_DEFAULT.costs.slippage_bps, ge=0.0, lt=10_000.0)
    cash: float | None = Field(default=None, gt=0.0, le=_MOST)
    percent_of_equity: float | None = Field(default=None, gt=0.0, le=1e6)
    risk_percent: float | None = Field(default=None, gt=0.0, le=1e6)
    qty: float | None = Field(default=None, gt=0.0, le=_MOST)
    size_by_strength: bool = _DEFAULT.sizing.by_strength
    initial_capital: float = Field(default=_DEFAULT.initial_capital, gt=0.0, le=_MOST)
    qty_step: float | None = Field(default=None, gt=0.0, le=_MOST)
    min_qty: float | None = Field(default=None, ge=0.0, le=_MOST)
    min_notional: float | None = Field(default=None, ge=0.0, le=_MOST)
    tick: float | None = Field(default=None, gt=0.0, le=_MOST)
    point_value: float = Field(default=_DEFAULT.market.point_value, gt=0.0, le=1e9)
    leverage: float = Field(default=_DEFAULT.market.leverage, ge=0.0, le=1000.0)
    brackets: Annotated[tuple[Bracket, ...], BeforeValidator(_brackets)] = _DEFAULT.market.brackets
    pyramiding: int = Field(default=_DEFAULT.pyramiding, ge=0, le=10_000)
    close_rule: Literal["FIFO", "ANY"] = _DEFAULT.close_rule
    margin_long_percent: float = Field(default=_DEFAULT.margin_long_percent, ge=0.0, le=10_000.0)
    margin_short_percent: float = Field(default=_DEFAULT.margin_short_percent, ge=0.0, le=10_000.0)
    calc_on_order_fills: bool = _DEFAULT.calc_on_order_fills
    backtest_fill_limits_assumption_ticks: int = Field(
        default=_DEFAULT.backtest_fill_limits_assumption_ticks, ge=0, le=1_000_000
    )
    entry: EntryConfig = EntryConfig()
    symbols: dict[str, SymbolConfig] = Field(default={})

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if sum(getattr(self, name) is not None for name in SIZES) > 1:
            raise ValueError("give only one of cash, percent_of_equity, risk_percent and qty")
        if self.brackets and not self.leverage:
            raise ValueError("brackets are used with a leverage above 0 only, give leverage too")
        return self

    @property
    def sizing(self) -> Sizing:
        """How much an entry buys."""
        kinds: tuple[SizingKind, ...] = ("cash", "percent_of_equity", "risk_percent")
        for kind in kinds:
            value: float | None = getattr(self, kind)
            if value is not None:
                return Sizing(kind, value, self.size_by_strength)
        qty = _DEFAULT.sizing.value if self.qty is None else self.qty
        return Sizing("fixed", qty, self.size_by_strength)

    def settings(self, symbol: str = "", grid: Grid | None = None) -> BrokerSettings:
        """Settings of one symbol for the engines: its own values, else those for all, else the grid's.

        Without a grid, the engine finds tick and quantity step that are not given.
        """
        own = self.symbols.get(symbol, SymbolConfig())
        return BrokerSettings(
            sizing=self.sizing,
            costs=Costs(self.commission_percent, **{name: getattr(self, name) for name in _COSTS}),
            market=Market(
                tick=_first(own.tick, self.tick, grid.tick if grid else None),
                qty_step=_first(own.qty_step, self.qty_step, grid.qty_step if grid else None),
                point_value=self.point_value,
                min_qty=_first(own.min_qty, self.min_qty, grid.min_qty if grid else None),
                min_notional=_first(own.min_notional, self.min_notional, grid.min_notional if grid else None),
                leverage=self.leverage,
                brackets=self.brackets,
            ),
            timing="bar_close" if self.process_orders_on_close else "next_bar_open",
            entry=EntryOrder(**self.entry.model_dump()),
            **{name: getattr(self, name) for name in _ALIKE},
        )


def _first(*given: float | None) -> float:
    """The first value that is given, else 0."""
    return next((value for value in given if value is not None), 0.0)


def config_of(settings: BrokerSettings) -> BrokerConfig:
    """The same settings as a configuration; a tick, step or minimum of 0 is that of instrument or data.

    ValueError for `timing="intrabar"`, which no configuration has.
    """
    if settings.timing == "intrabar":
        raise ValueError('timing "intrabar" is exit rule stop_kind "resting" here')
    size, costs, market = settings.sizing, settings.costs, settings.market
    return BrokerConfig.model_validate(
        {
            "process_orders_on_close": settings.timing == "bar_close",
            "qty" if size.kind == "fixed" else size.kind: size.value,
            "size_by_strength": size.by_strength,
            "commission_percent": costs.taker_percent,
            **{name: getattr(costs, name) for name in _COSTS},
            **{name: getattr(market, name) or None for name in SymbolConfig.model_fields},
            **{name: getattr(market, name) for name in ("point_value", "leverage", "brackets")},
            **{name: getattr(settings, name) for name in _ALIKE},
            "entry": asdict(settings.entry),
        }
    )


def default_broker() -> BrokerConfig:
    """The default broker settings of a backtest."""
    return BrokerConfig.model_validate(BROKER_DEFAULTS)


def merged_broker(*layers: object) -> object:
    """The defaults with all layers on top, later ones first; a size replaces every size of the layers below.

    A layer that is not a mapping is returned as it is: the model refuses it and names its key.
    """
    merged: dict[str, Any] = dict(BROKER_DEFAULTS)
    for given in layers:
        if not isinstance(given, dict):
            return given
        if any(given.get(name) is not None for name in SIZES):
            merged = {name: value for name, value in merged.items() if name not in SIZES}
        own = _merged_symbols(merged.get("symbols"), given.get("symbols"))
        merged |= given | ({"symbols": own} if own else {})
    return merged


def _merged_symbols(below: object, above: object) -> object:
    """The settings of single symbols, merged key by key; the model refuses what is not a mapping."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above or below
    both = dict(below)
    for symbol, given in above.items():
        mine = both.get(symbol)
        both[symbol] = mine | given if isinstance(mine, dict) and isinstance(given, dict) else given
    return both

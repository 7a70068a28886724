"""The configuration of `validate_runner`: which strategies must reproduce which trade lists."""

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.backtest.settings import BrokerSettings, Costs, Market, Sizing

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class ConfigError(ValueError):
    """The configuration cannot be used; one sentence names file, key and what was expected."""


def expand(text: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` by the environment's values; ValueError if unset."""

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name) or default
        if found is None:
            raise ValueError(f"environment variable {name} is not set")
        return found

    return _VARIABLE.sub(value, text)


FilePath = Annotated[Path, BeforeValidator(lambda raw: Path(expand(raw)) if isinstance(raw, str) else raw)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerConfig(_Strict):
    """TradingView's strategy properties. Exactly one of cash, percent_of_equity and qty sizes an entry."""

    process_orders_on_close: bool = False
    commission_percent: float = Field(default=0.0, ge=0.0, le=100.0)
    slippage_ticks: int = Field(default=0, ge=0)
    cash: float | None = Field(default=None, gt=0.0)
    percent_of_equity: float | None = Field(default=None, gt=0.0)
    qty: float | None = Field(default=None, gt=0.0)
    initial_capital: float = Field(default=100_000.0, gt=0.0)
    qty_step: float = Field(default=0.0001, gt=0.0)
    tick: float = Field(default=0.01, gt=0.0)
    point_value: float = Field(default=1.0, gt=0.0)
    pyramiding: int = Field(default=1, ge=0)
    margin_long_percent: float = Field(default=0.0, ge=0.0)
    margin_short_percent: float = Field(default=0.0, ge=0.0)

    def settings(self) -> BrokerSettings:
        """The same for the engines."""
        given = [("cash", self.cash), ("percent_of_equity", self.percent_of_equity), ("fixed", self.qty)]
        named = [(kind, value) for kind, value in given if value is not None]
        if len(named) > 1:
            raise ValueError("give only one of cash, percent_of_equity and qty")
        kind, value = named[0] if named else ("fixed", 1.0)
        return BrokerSettings(
            initial_capital=self.initial_capital,
            sizing=Sizing(kind, value),  # type: ignore[arg-type]  # the kinds above are SizingKind
            costs=Costs(taker_percent=self.commission_percent, slippage_ticks=self.slippage_ticks),
            market=Market(tick=self.tick, qty_step=self.qty_step, point_value=self.point_value),
            timing="bar_close" if self.process_orders_on_close else "next_bar_open",
            pyramiding=self.pyramiding,
            margin_long_percent=self.margin_long_percent,
            margin_short_percent=self.margin_short_percent,
        )


class Case(_Strict):
    """One strategy and the list it must reproduce.

    `utc_offset_hours` is the chart zone of the list's stamps. `history_start` is the first bar the
    script saw (pine_semantics 0.2). The list ends at its last stamp unless `history_end` says otherwise.
    """

    name: str = Field(min_length=1)
    strategy: str = Field(min_length=1)
    reference: FilePath
    utc_offset_hours: float = Field(default=0.0, ge=-14.0, le=14.0)
    history_start: AwareDatetime | None = None
    history_end: AwareDatetime | None = None
    bars: FilePath | None = None
    params: dict[str, object] = Field(default_factory=dict)
    broker: BrokerConfig = Field(default_factory=BrokerConfig)


class ValidateConfig(_Strict):
    """A file of cases. `bars` is for the cases that name none of their own."""

    bars: FilePath | None = None
    min_parity: float = Field(default=1.0, ge=0.0, le=1.0)
    cases: tuple[Case, ...] = Field(min_length=1)


def read_config(path: Path) -> ValidateConfig:
    """Read and check a configuration; raises `ConfigError`."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror})") from e
    except ValueError as e:
        raise ConfigError(f"{path}: not JSON ({e})") from e
    try:
        config = ValidateConfig.model_validate(raw)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "top level"
        raise ConfigError(f"{path}, {key}: {first['msg']}") from e
    names = [case.name for case in config.cases]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}, cases: the name {name!r} is used twice")
    for case in config.cases:
        if case.bars is None and config.bars is None:
            raise ConfigError(f"{path}, cases.{case.name}: no bars, neither here nor at the top level")
    return config


def to_ns(moment: datetime | None) -> int | None:
    """Integer nanoseconds of an aware time."""
    return None if moment is None else int(moment.timestamp()) * 1_000_000_000

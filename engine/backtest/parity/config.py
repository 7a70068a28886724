"""The configuration of `validate_runner`: which strategies must reproduce which trade lists."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError, model_validator

from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.configuration import (
    ConfigError,
    FilePath,
    Moment,
    Strict,
    blamed,
    check_period,
    read_json,
)
from engine.backtest.data.gaps import DEFAULT_GAPS, GapRule
from runtime.settings.refusals import sentence


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise ValueError(f"no time zone {name!r}, expected a name like America/New_York") from e
    return name


class Case(Strict):
    """One strategy and the list it must reproduce.

    `utc_offset_hours` is the chart zone of the list's stamps; a chart in a zone with summer time is named
    by `time_zone` instead. `history_start` is the first bar the script saw. Generated trades that begin
    after the list's last stamp are not extra, because a list has all trades up to its own end; with
    `history_end` the script's last bar is the one before it instead. `finer` are bars inside the bars, for a
    list made with TradingView's bar magnifier.
    """

    name: str = Field(min_length=1)
    strategy: str = Field(min_length=1)
    reference: FilePath
    utc_offset_hours: float = Field(default=0.0, ge=-14.0, le=14.0)
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    history_start: Moment | None = None
    history_end: Moment | None = None
    bars: FilePath | None = None
    finer: FilePath | None = None
    params: dict[str, object] = Field(default_factory=dict)
    broker: BrokerConfig = Field(default_factory=BrokerConfig)

    @model_validator(mode="after")
    def _one_zone(self) -> Self:
        if self.time_zone is not None and "utc_offset_hours" in self.model_fields_set:
            raise ValueError("give only one of time_zone and utc_offset_hours")
        check_period(self.history_start, self.history_end, "history_start and history_end")
        return self


class ValidateConfig(Strict):
    """A file of cases. `bars` is for the cases that name none of their own; `gaps` for missing bars."""

    bars: FilePath | None = None
    gaps: GapRule = DEFAULT_GAPS
    min_parity: float = Field(default=1.0, ge=0.0, le=1.0)
    cases: tuple[Case, ...] = Field(min_length=1)


def read_config(path: Path, changes: Mapping[str, object] = MappingProxyType({})) -> ValidateConfig:
    """Read and check a configuration, with `changes` on top; raises `ConfigError`."""
    raw = read_json(path)
    if isinstance(raw, dict):
        raw = raw | dict(changes)
    try:
        config = ValidateConfig.model_validate(raw)
    except ValidationError as e:
        raise ConfigError(f"{blamed(e, path, changes)}: {sentence(e, ValidateConfig)}") from e
    names = [case.name for case in config.cases]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}, cases: the name {name!r} is used twice")
    for case in config.cases:
        if case.bars is None and config.bars is None:
            raise ConfigError(f"{path}, cases.{case.name}: no bars, neither here nor at the top level")
    return config

"""The configuration of `validate_runner`: which strategies must reproduce which trade lists."""

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from engine.backtest.data.gaps import GapRule
from engine.backtest.data.price_grid import Grid
from engine.backtest.data.time_column import parse_time, two_days
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing
from runtime.settings.refusals import first_problem, sentence

_YEAR_AND_MONTH = re.compile(r"\d{4}-\d{2}")
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
"""What nanoseconds in 64 bits reach."""
_MOST = 1e15
"""Amounts above have no cents any more."""
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


def located(path: Path) -> Path:
    """`path` from the working directory; started inside `engine/`, else from the repository root.

    So `${SHARED:-../shared}` means one place for `python -m engine.backtest.validate_runner` at the root
    and `python -m backtest.validate_runner` in `engine/`.
    """
    package = Path(__file__).resolve().parents[2]
    if path.is_absolute() or path.exists() or Path.cwd() != package:
        return path
    at_root = package.parent / path
    return at_root if at_root.exists() else path


FilePath = Annotated[
    Path, BeforeValidator(lambda raw: located(Path(expand(raw))) if isinstance(raw, str) else raw)
]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise ValueError(f"no time zone {name!r}, expected a name like America/New_York") from e
    return name


class Strict(BaseModel):
    """A part of a configuration: nothing unknown, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, raw: object) -> object:
        """`true` would be read as 1."""
        for name, value in raw.items() if isinstance(raw, Mapping) else ():
            field = cls.model_fields.get(name)
            if (
                isinstance(value, bool)
                and field
                and {int, float} & {field.annotation, *get_args(field.annotation)}
            ):
                raise ValueError(f"{name} is {str(value).lower()}, it should be a number")
        return raw


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


def _moment(raw: object) -> object:
    """A time as people write it; without a zone it is UTC, and a date alone is its first moment."""
    if isinstance(raw, datetime):
        return raw
    try:
        text = str(raw) if isinstance(raw, str) else ""
        found = parse_time(text + "-01" if _YEAR_AND_MONTH.fullmatch(text.strip()) else text)
    except ValueError as e:
        raise ValueError(
            f"{raw!r} is no time, expected one like 2023-05-01, 2023-05-01T14:00 (both UTC)"
            f" or 2023-05-01T14:00:00+08:00{two_days(str(raw))}"
        ) from e
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"{raw!r} is out of range, expected a time from {_FIRST_YEAR} to {_LAST_YEAR}")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def minute(moment: datetime) -> str:
    """The time for a sentence: "2023-05-01 14:00 UTC"."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def check_period(first: datetime | None, end: datetime | None, names: str = "start and end") -> None:
    """ValueError where the end is not after the start."""
    if first is not None and end is not None and end <= first:
        raise ValueError(f"{names}: {minute(end)} is not after {minute(first)}")


def period_text(first: datetime | None, end: datetime | None) -> str:
    """ "from 2023-05-01 00:00 UTC on and before 2023-06-01 00:00 UTC"; each where it is given."""
    parts = (f"from {minute(first)} on" if first else "", f"before {minute(end)}" if end else "")
    return " and ".join(filter(None, parts))


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class SymbolConfig(Strict):
    """What one symbol has otherwise than the rest: grid and smallest orders."""

    tick: float | None = Field(default=None, gt=0.0, le=_MOST)
    qty_step: float | None = Field(default=None, gt=0.0, le=_MOST)
    min_qty: float | None = Field(default=None, ge=0.0, le=_MOST)
    min_notional: float | None = Field(default=None, ge=0.0, le=_MOST)


class BrokerConfig(Strict):
    """TradingView's strategy properties and those of `BrokerSettings`, flat.

    `tick`, `qty_step`, `min_qty` and `min_notional` are those of each symbol's instrument or data unless
    given, for all or in `symbols`. At most one of cash, percent_of_equity and qty sizes an entry; without any
    it is one contract. `brackets` are those of the symbol's maintenance margin, for a `leverage` above 0.
    """

    process_orders_on_close: bool = False
    commission_percent: float = Field(default=0.0, ge=0.0, le=100.0)
    maker_percent: float | None = Field(default=None, ge=-100.0, le=100.0)
    cash_per_order: float = Field(default=0.0, ge=0.0, le=_MOST)
    cash_per_contract: float = Field(default=0.0, ge=0.0, le=_MOST)
    slippage_ticks: int = Field(default=0, ge=0, le=1_000_000)
    slippage_bps: float = Field(default=0.0, ge=0.0, lt=10_000.0)
    cash: float | None = Field(default=None, gt=0.0, le=_MOST)
    percent_of_equity: float | None = Field(default=None, gt=0.0, le=1e6)
    qty: float | None = Field(default=None, gt=0.0, le=_MOST)
    initial_capital: float = Field(default=100_000.0, gt=0.0, le=_MOST)
    qty_step: float | None = Field(default=None, gt=0.0, le=_MOST)
    min_qty: float | None = Field(default=None, ge=0.0, le=_MOST)
    min_notional: float | None = Field(default=None, ge=0.0, le=_MOST)
    tick: float | None = Field(default=None, gt=0.0, le=_MOST)
    point_value: float = Field(default=1.0, gt=0.0, le=1e9)
    leverage: float = Field(default=0.0, ge=0.0, le=1000.0)
    brackets: Annotated[tuple[Bracket, ...], BeforeValidator(_brackets)] = ()
    pyramiding: int = Field(default=1, ge=0, le=10_000)
    close_rule: Literal["FIFO", "ANY"] = "FIFO"
    margin_long_percent: float = Field(default=0.0, ge=0.0, le=10_000.0)
    margin_short_percent: float = Field(default=0.0, ge=0.0, le=10_000.0)
    calc_on_order_fills: bool = False
    backtest_fill_limits_assumption_ticks: int = Field(default=0, ge=0, le=1_000_000)
    symbols: dict[str, SymbolConfig] = Field(default={})

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if sum(value is not None for value in (self.cash, self.percent_of_equity, self.qty)) > 1:
            raise ValueError("give only one of cash, percent_of_equity and qty")
        if self.brackets and not self.leverage:
            raise ValueError("brackets are used with a leverage above 0 only, give leverage too")
        return self

    @property
    def sizing(self) -> Sizing:
        """How much an entry buys."""
        if self.cash is not None:
            return Sizing("cash", self.cash)
        if self.percent_of_equity is not None:
            return Sizing("percent_of_equity", self.percent_of_equity)
        return Sizing("fixed", 1.0 if self.qty is None else self.qty)

    def settings(self, symbol: str = "", grid: Grid | None = None) -> BrokerSettings:
        """The same for the engines and one symbol: its own values, else those for all, else the grid's.

        Without a grid, the engine finds tick and quantity step that are not given.
        """
        own = self.symbols.get(symbol, SymbolConfig())
        return BrokerSettings(
            initial_capital=self.initial_capital,
            sizing=self.sizing,
            costs=Costs(
                taker_percent=self.commission_percent,
                maker_percent=self.maker_percent,
                cash_per_order=self.cash_per_order,
                cash_per_contract=self.cash_per_contract,
                slippage_ticks=self.slippage_ticks,
                slippage_bps=self.slippage_bps,
            ),
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
            pyramiding=self.pyramiding,
            close_rule=self.close_rule,
            margin_long_percent=self.margin_long_percent,
            margin_short_percent=self.margin_short_percent,
            calc_on_order_fills=self.calc_on_order_fills,
            backtest_fill_limits_assumption_ticks=self.backtest_fill_limits_assumption_ticks,
        )


def _first(*given: float | None) -> float:
    """The first value that is given, else 0."""
    return next((value for value in given if value is not None), 0.0)


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
    gaps: GapRule = "keep"
    min_parity: float = Field(default=1.0, ge=0.0, le=1.0)
    cases: tuple[Case, ...] = Field(min_length=1)


def read_json(path: Path) -> object:
    """What a JSON file holds; raises `ConfigError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: not a text file, expected JSON") from e
    except (ValueError, RecursionError) as e:
        raise ConfigError(f"{path}: not JSON ({e})") from e


def blamed(error: ValidationError, file: Path | None, changes: Mapping[str, Any]) -> str:
    """Where the value that `sentence` names comes from; `changes` are what options gave over the file."""
    if file is None:
        return "command line"
    found: object = changes
    place = first_problem(error)["loc"]
    if not place:
        return str(file)
    for part in place:
        if not isinstance(found, Mapping):
            break
        if part not in found:
            return str(file)
        found = found[part]
    return "command line"


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


def to_ns(moment: datetime | None) -> int | None:
    """Integer nanoseconds of an aware time."""
    return None if moment is None else int(moment.timestamp()) * 1_000_000_000

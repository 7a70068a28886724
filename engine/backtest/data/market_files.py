"""Reads and checks the data files that a configuration names."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from engine.backtest.data.broker_config import BrokerConfig, default_broker
from engine.backtest.data.configuration import (
    FilePath,
    Moment,
    Strict,
    check_period,
    minute,
    period_text,
    to_ns,
)
from engine.backtest.data.gaps import DEFAULT_GAPS, GapRule, by_rule
from engine.backtest.data.instruments import read_instruments
from engine.backtest.data.loaders import DataError, cut, load_bars, read_funding
from engine.backtest.data.market import (
    MarketData,
    check_symbols,
    checked_finer,
    with_beside,
    with_funding,
    with_grids,
)
from engine.model.bars import Bars


class DataConfig(Strict):
    """The files of a run, the period taken from them, and the broker that trades it.

    `data` are files of bars or names of sample markets, `beside` the same for bars that strategies only look
    at: of other symbols, or longer ones, which are taken whole. `finer` (bars inside the bars) and `funding`
    are files by symbol. `start` and `end` cut the data; `end` is the first bar left out.
    `gaps` is what to do about missing bars.
    `instruments` is a saved answer of `exchangeInfo`, for tick, quantity step and smallest orders.
    """

    data: tuple[FilePath, ...] = Field(min_length=1)
    beside: tuple[FilePath, ...] = ()
    finer: dict[str, FilePath] = Field(default_factory=dict)
    funding: dict[str, FilePath] = Field(default_factory=dict)
    instruments: FilePath | None = None
    start: Moment | None = None
    end: Moment | None = None
    gaps: GapRule = DEFAULT_GAPS
    broker: BrokerConfig = Field(default_factory=default_broker)

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        check_period(self.start, self.end)
        return self


def load_market(config: DataConfig) -> MarketData:
    """Read and check every file the configuration names; raises `DataError` or `ConfigError`."""
    instruments = {} if config.instruments is None else read_instruments(config.instruments)
    histories: list[tuple[Bars, tuple[str, ...]]] = []
    sources: dict[str, Path] = {}
    for source in config.data:
        one, about = history_of(source, config.gaps, config.start, config.end)
        if one.symbol in sources:
            raise DataError(_collision(sources[one.symbol], source, one.symbol))
        sources[one.symbol] = source
        histories.append((one, about))
    market = with_grids(histories, config.broker, instruments)
    check_symbols("finer", config.finer, market.bars)
    check_symbols("funding", config.funding, market.bars)
    finer, notes = {}, list(market.notes)
    for symbol, path in config.finer.items():
        finer[symbol], about = finer_for(market.bars[symbol], path)
        notes += about
    market = replace(market, finer=finer, notes=tuple(notes), start=config.start, end=config.end)
    market = with_beside(market, [(path, history_of(path, config.gaps)) for path in config.beside])
    funding = {symbol: read_funding(path) for symbol, path in config.funding.items()}
    return with_funding(market, funding, config.funding)


def history_of(
    source: Path, rule: GapRule, start: datetime | None = None, end: datetime | None = None
) -> tuple[Bars, tuple[str, ...]]:
    """The bars of a file in [start, end) after the rule for missing ones, and notes for the user."""
    loaded = load_bars(source)
    one = cut(loaded.bars, to_ns(start), to_ns(end))
    if len(one) < 2:
        has = f"its bars are from {_stamp(loaded.bars, 0)} to {_stamp(loaded.bars, -1)} UTC"
        raise DataError(
            f"{source}: {len(one) or 'no'} {'bar' if len(one) == 1 else 'bars'} {period_text(start, end)},"
            f" expected at least two; {has}"
        )
    one, about_gaps = by_rule(one, rule, source)
    late = to_ns(start)
    notes = (*loaded.notes, *about_gaps)
    if start is not None and late is not None and one.open_time_ns[0] - late >= one.timeframe_ns:
        notes += (f"{one.symbol}: the data begins on {_stamp(one, 0)} UTC, later than {minute(start)}",)
    return one, notes


def finer_for(bars: Bars, path: Path) -> tuple[Bars, tuple[str, ...]]:
    """The finer bars of a symbol, checked against its bars; raises `DataError`."""
    loaded = load_bars(path, bars.symbol)
    return loaded.bars, (*loaded.notes, *checked_finer(bars, loaded.bars, path))


def _stamp(bars: Bars, row: int) -> str:
    return str(np.datetime64(int(bars.open_time_ns[row]), "ns"))[:16].replace("T", " ")


def _collision(first: Path, second: Path, symbol: str) -> str:
    plain = str(second).partition("=")[2] or str(second)
    own = Path(plain).name.split(".")[0].replace("_", "-")
    return (
        f"{second}: a second file of {symbol}, beside {first}; give it a symbol of its own:"
        f" --data {own if own != symbol else symbol + '-2'}={plain}"
    )

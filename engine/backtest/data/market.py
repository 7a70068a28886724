"""The checked data of a backtest: bars, price grids, finer bars and funding by symbol."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from engine.backtest.data import finer_bars
from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.funding import Funding
from engine.backtest.data.gaps import DEFAULT_GAPS, GapRule, by_rule
from engine.backtest.data.loaders import DataError, check_bars
from engine.backtest.data.price_grid import Grid, grid_of, off_grid
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from engine.model.timeframes import duration_text
from runtime.control.shown import digits

Histories = Sequence[tuple[Bars, tuple[str, ...]]]
"""Bars of each symbol with notes for the user."""

_NONE: Mapping[str, Bars] = MappingProxyType({})
_NO_FUNDING: Mapping[str, Funding] = MappingProxyType({})
_NO_GRIDS: Mapping[str, Grid] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MarketData:
    """The checked data of a backtest, by symbol. `beside` are bars that strategies only look at.

    `notes` are for the user, one sentence each. `start` and `end` are the period that was
    asked for, None where the data were taken whole.
    """

    bars: dict[str, Bars]
    grids: dict[str, Grid]
    finer: dict[str, Bars] = field(default_factory=dict)
    funding: dict[str, Funding] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    beside: tuple[Bars, ...] = ()

    def settings(self, broker: BrokerConfig, symbol: str) -> BrokerSettings:
        """The broker's settings for one symbol."""
        return broker.settings(symbol, self.grids[symbol])

    @property
    def all_bars(self) -> tuple[Bars, ...]:
        """All that a strategy may look at."""
        return (*self.beside, *self.bars.values())


def market_of(
    bars: Iterable[Bars],
    broker: BrokerConfig,
    *,
    finer: Mapping[str, Bars] = _NONE,
    funding: Mapping[str, Funding] = _NO_FUNDING,
    instruments: Mapping[str, Grid] = _NO_GRIDS,
    gaps: GapRule = DEFAULT_GAPS,
    beside: Iterable[Bars] = (),
) -> MarketData:
    """Data that are in memory, checked as files are; raises `DataError` or `ConfigError`."""
    histories: dict[str, tuple[Bars, tuple[str, ...]]] = {}
    for one in bars:
        check_bars(one)
        if one.symbol in histories:
            raise DataError(f"bars of {one.symbol} are given twice, expected one `Bars` a symbol")
        histories[one.symbol] = by_rule(one, gaps, f"bars of {one.symbol}")
    if not histories:
        raise DataError("no bars, expected those of at least one symbol")
    market = with_grids(list(histories.values()), broker, instruments)
    check_symbols("finer", finer, market.bars)
    about_finer: list[str] = []
    for symbol, inside in finer.items():
        check_bars(inside)
        about_finer += checked_finer(market.bars[symbol], inside, f"finer.{symbol}")
    market = replace(market, finer=dict(finer), notes=(*market.notes, *about_finer))
    looked_at = []
    for one in beside:
        check_bars(one)
        looked_at.append((f"beside.{one.symbol}", by_rule(one, gaps, f"bars of {one.symbol}")))
    market = with_beside(market, looked_at)
    return with_funding(market, funding, dict.fromkeys(funding, "the funding given"))


def with_grids(histories: Histories, broker: BrokerConfig, instruments: Mapping[str, Grid]) -> MarketData:
    """The bars with their grids; raises `ConfigError` for a tick or a symbol that does not fit them."""
    bars: dict[str, Bars] = {}
    grids: dict[str, Grid] = {}
    notes: list[str] = []
    for one, said in histories:
        bars[one.symbol] = one
        grids[one.symbol], about_grid = grid_for(broker, one, instruments.get(one.symbol))
        notes += [*said, *about_grid]
    check_symbols("broker.symbols", broker.symbols, bars)
    return MarketData(bars, grids, notes=tuple(dict.fromkeys(notes)))


def with_beside(
    market: MarketData, histories: Iterable[tuple[object, tuple[Bars, tuple[str, ...]]]]
) -> MarketData:
    """The data with bars that strategies only look at, each with its source and notes; `DataError` where bars
    of a symbol and length are there already.
    """
    known = {(one.symbol, one.timeframe_ns) for one in market.bars.values()}
    beside, notes = [], list(market.notes)
    for source, (one, said) in histories:
        if (one.symbol, one.timeframe_ns) in known:
            length = duration_text(one.timeframe_ns)
            raise DataError(f"{source}: bars of {one.symbol} of {length} are given twice, expected once")
        known.add((one.symbol, one.timeframe_ns))
        beside.append(one)
        notes += said
    return replace(market, beside=tuple(beside), notes=tuple(dict.fromkeys(notes)))


def with_funding(
    market: MarketData, funding: Mapping[str, Funding], sources: Mapping[str, object]
) -> MarketData:
    """The data with funding added, and a note where none of a symbol's events lies in its bars.

    `sources` says for each symbol where its events are from.
    """
    check_symbols("funding", funding, market.bars)
    notes = list(market.notes)
    for symbol, events in funding.items():
        bars = market.bars[symbol]
        first, end = bars.open_time_ns[0], bars.open_time_ns[-1] + bars.timeframe_ns
        if not ((events.time_ns >= first) & (events.time_ns < end)).any():
            notes.append(f"{symbol}: no funding event of {sources[symbol]} lies in the period")
    return replace(market, funding=dict(funding), notes=tuple(dict.fromkeys(notes)))


def grid_for(broker: BrokerConfig, bars: Bars, instrument: Grid | None = None) -> tuple[Grid, list[str]]:
    """Tick and quantity step of the symbol, where each comes from, and warnings about them.

    Configured values override the instrument's, and those the data's. `ConfigError` for a tick larger than
    a price.
    """
    found = grid_of(bars)
    known = instrument or found
    market = broker.settings(bars.symbol, known).market
    grid = replace(
        known,
        tick=market.tick,
        qty_step=market.qty_step,
        tick_source=known.tick_source if market.tick == known.tick else "given",
        qty_step_source=known.qty_step_source if market.qty_step == known.qty_step else "given",
    )
    lowest = float(bars.low.min())
    if market.tick > lowest * (1 + 1e-9):
        raise ConfigError(
            f"the tick of {bars.symbol}, {digits(market.tick)} ({grid.tick_source}), is larger than its"
            f" lowest price, {digits(lowest)}; its prices are on a tick of {digits(found.tick)}, as in"
            f" --broker {bars.symbol}.tick={digits(found.tick)}"
        )
    off = 0 if market.tick == found.tick else int(off_grid(bars, market.tick).sum())
    if not off:
        return grid, []
    said = (
        f"{bars.symbol}: {off} of {len(bars)} bars have prices off the tick of {digits(market.tick)}"
        f" ({grid.tick_source}), fills are rounded to it; the data's own tick is {digits(found.tick)}"
    )
    return grid, [said]


def checked_finer(bars: Bars, finer: Bars, source: object) -> tuple[str, ...]:
    """Notes on finer bars; raises `DataError` where they are of another market."""
    try:
        return finer_bars.check_finer(bars, finer)
    except ValueError as e:
        raise DataError(f"{source}: {e}") from e


def check_symbols(name: str, given: Iterable[str], bars: Mapping[str, Bars]) -> None:
    """Raise `ConfigError` for a symbol without bars."""
    for symbol in given:
        if symbol not in bars:
            raise ConfigError(
                f"{name}.{symbol}: no data for that symbol, there is data for {', '.join(bars)}"
            )

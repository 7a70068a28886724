"""The data of a run: every file the configuration names, read, checked, and told about."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.backtest.data import finer_bars
from engine.backtest.data.gaps import GapRule, by_rule
from engine.backtest.data.instruments import read_instruments
from engine.backtest.data.loaders import DataError, cut, load_bars, read_funding
from engine.backtest.data.price_grid import Grid, grid_of, off_grid
from engine.backtest.parity.config import BrokerConfig, ConfigError, minute, period_text, to_ns
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings
from runtime.control.shown import digits

if TYPE_CHECKING:
    from engine.backtest.data.plans import Funding
    from engine.backtest.runs.config import RunConfig


@dataclass(frozen=True, slots=True)
class Market:
    """The checked data of a run, by symbol. `notes` is what a person should know about it."""

    bars: dict[str, Bars]
    grids: dict[str, Grid]
    finer: dict[str, Bars] = field(default_factory=dict)
    funding: dict[str, "Funding"] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def settings(self, config: "RunConfig", symbol: str) -> BrokerSettings:
        """What holds for one symbol."""
        return config.broker.settings(symbol, self.grids[symbol])


def load_market(config: "RunConfig") -> Market:
    """Read and check every file the configuration names; raises `DataError` or `ConfigError`."""
    bars: dict[str, Bars] = {}
    sources: dict[str, Path] = {}
    grids: dict[str, Grid] = {}
    notes: list[str] = []
    instruments = {} if config.instruments is None else read_instruments(config.instruments)
    for source in config.data:
        one, said = history_of(source, config.gaps, config.start, config.end)
        if one.symbol in bars:
            raise DataError(_collision(sources[one.symbol], source, one.symbol))
        bars[one.symbol], sources[one.symbol] = one, source
        grids[one.symbol], about_grid = grid_for(config.broker, one, instruments.get(one.symbol))
        notes += [*said, *about_grid]
    for name, files in (
        ("finer", config.finer),
        ("funding", config.funding),
        ("broker.symbols", config.broker.symbols),
    ):
        _check_symbols(name, files, bars)
    finer = {}
    for symbol, path in config.finer.items():
        finer[symbol], said = finer_for(bars[symbol], path)
        notes += said
    funding = {symbol: read_funding(path) for symbol, path in config.funding.items()}
    for symbol, events in funding.items():
        first, last = bars[symbol].open_time_ns[0], bars[symbol].open_time_ns[-1] + bars[symbol].timeframe_ns
        if not ((events.time_ns >= first) & (events.time_ns < last)).any():
            notes.append(f"{symbol}: no funding event of {config.funding[symbol]} lies in the period")
    return Market(bars, grids, finer, funding, tuple(dict.fromkeys(notes)))


def grid_for(broker: BrokerConfig, bars: Bars, instrument: Grid | None = None) -> tuple[Grid, list[str]]:
    """Tick and quantity step that hold for the symbol, where each comes from, and doubts about them.

    What is given goes before the instrument, and that before the data. `ConfigError` for a tick larger than
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


def history_of(
    source: Path, rule: GapRule, start: datetime | None = None, end: datetime | None = None
) -> tuple[Bars, tuple[str, ...]]:
    """The bars of a file in [start, end) by the rule for missing ones, and what to know about them."""
    loaded = load_bars(source)
    one = cut(loaded.bars, to_ns(start), to_ns(end))
    if len(one) < 2:
        has = f"it has those from {_stamp(loaded.bars, 0)} to {_stamp(loaded.bars, -1)} UTC"
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


def _stamp(bars: Bars, row: int) -> str:
    return str(np.datetime64(int(bars.open_time_ns[row]), "ns"))[:16].replace("T", " ")


def finer_for(bars: Bars, path: Path) -> tuple[Bars, tuple[str, ...]]:
    """The finer bars of a symbol, checked against its bars; raises `DataError`."""
    loaded = load_bars(path, bars.symbol)
    try:
        return loaded.bars, (*loaded.notes, *finer_bars.doubt(bars, loaded.bars))
    except ValueError as e:
        raise DataError(f"{path}: {e}") from e


def _collision(first: Path, second: Path, symbol: str) -> str:
    plain = str(second).partition("=")[2] or str(second)
    own = Path(plain).name.split(".")[0].replace("_", "-")
    return (
        f"{second}: a second file of {symbol}, beside {first}; give it a symbol of its own:"
        f" --data {own if own != symbol else symbol + '-2'}={plain}"
    )


def _check_symbols(name: str, given: Mapping[str, object], bars: Mapping[str, Bars]) -> None:
    for symbol in given:
        if symbol not in bars:
            raise ConfigError(f"{name}.{symbol}: no data of that symbol, there are {', '.join(bars)}")

"""Bars from what a person has at hand: a file, the name of a sample market, a pandas data frame, `Bars`."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, cast

import pyarrow as pa

from engine.backtest.data.loaders import DataError, bars_of_table, is_wanted, load_bars
from engine.model.bars import Bars

if TYPE_CHECKING:
    import pandas as pd

    Source: TypeAlias = str | Path | Bars | pd.DataFrame
else:
    Source = str | Path | Bars
    """What `bars_of` takes, and a pandas data frame, for which pandas is not imported."""
FRAME = Path("the data frame")
"""Named in what is said about a data frame, where a file has its path."""
FRAME_SYMBOL = "DATA"
_EXPECTED = "a file of bars, the name of a sample market, a pandas data frame, or Bars"


def bars_of(source: Source, symbol: str | None = None) -> Bars:
    """Bars of one symbol, checked.

    A file and a sample market are those of `load_bars`. A data frame has open, high, low, close and perhaps
    volume under any of their usual names, in any case, and the open time in a column or as its index; times
    without a zone are UTC. Its symbol is DATA unless given. `Bars` come back, under `symbol` if given.

    Raises `DataError`: one sentence.
    """
    if isinstance(source, Bars):
        return source if symbol is None else source.of_symbol(symbol)
    if isinstance(source, str | Path):
        return load_bars(source, symbol).bars
    if _is_frame(source):
        return bars_of_table(FRAME, _table_of(source), symbol or FRAME_SYMBOL).bars
    raise DataError(f"bars are given as {type(source).__name__}, expected {_EXPECTED}")


def all_bars(sources: Source | Iterable[Source] | Mapping[str, Source]) -> list[Bars]:
    """`bars_of` each, where one or several may be given, several also by symbol."""
    if isinstance(sources, Mapping) and not _is_frame(sources):
        return [bars_of(one, symbol) for symbol, one in sources.items()]
    if isinstance(sources, str | Path | Bars) or _is_frame(sources) or not isinstance(sources, Iterable):
        return [bars_of(sources)]
    given = list(cast("Iterable[Source]", sources))
    if sum(map(_is_frame, given)) > 1:
        raise DataError(
            "several data frames need the names of their symbols: write"
            ' {"BTCUSDT": frame, "ETHUSDT": frame}, or nb.load(frame, "BTCUSDT") for each'
        )
    return [bars_of(one) for one in given]


def _is_frame(source: object) -> "TypeGuard[pd.DataFrame]":
    pandas = sys.modules.get("pandas")  # without it there are no data frames
    return pandas is not None and isinstance(source, pandas.DataFrame)


def _of_one_symbol(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame with the names of prices alone, of one with columns (Close, BTC-USD) or (BTC-USD, Close)."""
    levels = [{str(one).lower() for one in frame.columns.get_level_values(k)} for k in (0, 1)]
    at = 1 if "close" in levels[1] else 0
    symbols = frame.columns.get_level_values(1 - at).unique()
    if len(symbols) > 1:
        raise DataError(
            f"{FRAME} has columns of {', '.join(map(str, symbols[:5]))}, expected one symbol: "
            f"select it, such as frame.xs({str(symbols[0])!r}, axis=1, level={1 - at})"
        )
    frame = frame.copy(deep=False)
    frame.columns = frame.columns.get_level_values(at)
    return frame


def _table_of(frame: "pd.DataFrame") -> pa.Table:
    """Index and columns; a column that bars have no use for may hold anything."""
    if frame.columns.nlevels > 1:  # as yfinance has them: (Close, BTC-USD)
        frame = _of_one_symbol(frame)
    columns = [(str(name), frame.iloc[:, at]) for at, name in enumerate(frame.columns)]
    if frame.index.dtype.kind not in "iuf" or frame.index.name is not None:
        columns.append((str(frame.index.name or "index"), frame.index.to_series()))
    names, arrays = [], []
    for name, values in columns:
        try:
            arrays.append(pa.array(values, from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError) as e:
            if is_wanted(name):
                reason = str(e).splitlines()[0]
                raise DataError(f"{FRAME}: column {name!r} cannot be read ({reason})") from e
            continue
        names.append(name)
    return pa.table(arrays, names=names)

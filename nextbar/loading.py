"""`load`: bars from a file, a sample market, or a data frame."""

from pathlib import Path

from engine.backtest.data.loaders import load_bars
from engine.model.bars import Bars


def load(source: str | Path | Bars, symbol: str | None = None) -> Bars:
    """Bars of one symbol.

    `source` is a Parquet or CSV file, or the name of a sample market, such as "sample-1h".
    Columns have any of the usual names. The symbol is the file's name up to the first `_`, unless given.

    Raises `DataError`: one sentence with file, row and what was expected.
    """
    if isinstance(source, Bars):
        return source
    return load_bars(Path(source), symbol).bars

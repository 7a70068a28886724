"""`load`: bars from a file, a sample market, or a data frame."""

from engine.backtest.data.sources import Source, bars_of
from engine.model.bars import Bars


def load(source: Source, symbol: str | None = None) -> Bars:
    """Bars of one symbol.

    `source` is a Parquet or CSV file, the name of a sample market, such as "sample-1h", or a pandas data
    frame with the open time as a column or as its index. Columns have any of the usual names. The symbol is
    the file's name up to the first `_`, and DATA for a data frame, unless given.

    Raises `DataError`: one sentence with file, row and what was expected.
    """
    return bars_of(source, symbol)

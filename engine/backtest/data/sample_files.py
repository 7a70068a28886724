"""Writes sample markets as files that `read_bars` reads."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from engine.backtest.data.loaders import DataError
from engine.backtest.data.output_folder import folder_in_one_step
from engine.backtest.data.samples import DATASETS, dataset
from engine.model.bars import Bars
from runtime.suggestions import allowed


def write_samples(out: Path, names: Sequence[str] | None, form: str) -> list[Path]:
    """Write the markets (all by default) as `SYMBOL_name.parquet` (or .csv); returns the paths.

    Raises `DataError` for an unknown name.
    """
    names = names or list(DATASETS)
    for name in names:
        if name not in DATASETS:
            raise DataError(f"no sample market {name!r}{allowed(name, DATASETS)}")
    written = []
    with folder_in_one_step(out) as folder:
        for name in names:
            bars = dataset(name)
            path = folder / f"{bars.symbol}_{name}.{form}"
            write_bars(path, bars)
            written.append(out / path.name)
    return written


def write_bars(path: Path, bars: Bars) -> None:
    """One file of bars; the suffix says which kind."""
    table = pa.table(
        {
            "open_time": pa.array(bars.open_time_ns // 1_000_000).cast(pa.timestamp("ms", "UTC")),
            "open": bars.open,
            "high": bars.high,
            "low": bars.low,
            "close": bars.close,
            "volume": bars.volume_base,
        }
    )
    if path.suffix == ".parquet":
        pa_parquet.write_table(table, path, compression="zstd")
    else:
        pa_csv.write_csv(table, path)

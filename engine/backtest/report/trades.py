"""A result's trades as columns, and as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.report.metrics import Curve
from engine.model.trades import BacktestResult, Trade

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = Trade.__struct_fields__
"""Columns of trades.parquet and trades.csv, in this order."""

TEXT_COLUMNS = ("symbol", "entry_signal", "exit_signal")
_INTEGERS = ("direction", "entry_bar", "entry_time_ns", "exit_bar", "exit_time_ns")


def trade_columns(result: BacktestResult, *, still_open: bool = False) -> dict[str, NDArray[Any]]:
    """One array a column of the closed (or the open) trades; texts are arrays of str.

    A result of the kernel is read without making `Trade` objects.
    """
    rows = getattr(result, "open_trade_rows" if still_open else "trade_rows", None)
    if rows is not None:
        return _from_records(rows, result.symbols)  # type: ignore[attr-defined]  # what has rows has symbols
    trades = result.open_trades if still_open else result.trades
    return {name: np.array([getattr(t, name) for t in trades], dtype=_dtype(name)) for name in COLUMNS}


def trades_of(columns: dict[str, NDArray[Any]]) -> tuple[Trade, ...]:
    """The trades of `trade_columns` as objects, exactly."""
    return tuple(map(Trade, *(columns[name].tolist() for name in COLUMNS)))


def open_rows(columns: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Open trades for a report: what was bought, the last price, and the costs paid so far."""
    rows = []
    for k in range(len(columns["pnl"])):
        one = {name: values[k].item() for name, values in columns.items()}
        rows.append(
            {
                "symbol": one["symbol"],
                "side": "long" if one["direction"] > 0 else "short",
                "qty": one["qty"],
                "entry_time": shown_time(one["entry_time_ns"]),
                "entry_price": one["entry_price"],
                "entry_signal": one["entry_signal"],
                "last_price": one["exit_price"],
                "profit": one["pnl"],
                "commission": one["entry_commission"],
                "funding": one["funding"],
            }
        )
    return rows


def shown_time(time_ns: int) -> str:
    """A time in UTC as people read it, with seconds where there are some."""
    text = str(np.datetime64(time_ns, "ns"))[:19].replace("T", " ")
    return text.removesuffix(":00") if text.endswith(":00") else text


def write_trades(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write `.parquet` or `.csv`, by the suffix; times are timestamps in UTC."""
    import pyarrow as pa  # noqa: PLC0415  # only where a file is written

    arrays = {}
    for name in COLUMNS:
        if name in TEXT_COLUMNS:
            arrays[name] = pa.array(columns[name], type=pa.string())
        elif name.endswith("_time_ns"):
            arrays[name.removesuffix("_ns")] = pa.array(columns[name]).cast(pa.timestamp("ns", "UTC"))
        else:
            arrays[name] = pa.array(columns[name])
    _write(path, pa.table(arrays))


def write_equity(path: Path, curve: Curve) -> None:
    """Equity and drawdown in percent of the highest equity so far, at each bar's close.

    The initial capital counts as the first of the highest ones.
    """
    import pyarrow as pa  # noqa: PLC0415  # only where a file is written

    _write(
        path,
        pa.table(
            {
                "open_time": pa.array(curve.time_ns).cast(pa.timestamp("ns", "UTC")),
                "equity": curve.equity,
                "drawdown_percent": curve.drawdown_percent,
            }
        ),
    )


def _write(path: Path, table: "pa.Table") -> None:
    import pyarrow.csv as pa_csv  # noqa: PLC0415  # only where a file is written
    import pyarrow.parquet as pa_parquet  # noqa: PLC0415

    if path.suffix == ".parquet":
        pa_parquet.write_table(table, path, compression="zstd")
    else:
        pa_csv.write_csv(table, path)


def _dtype(name: str) -> Any:  # noqa: ANN401  # numpy's own word for it
    if name in TEXT_COLUMNS:
        return np.str_
    return np.int64 if name in _INTEGERS else np.float64


def _from_records(rows: NDArray[np.void], symbols: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    from engine.backtest.kernel.layout import TEXTS  # noqa: PLC0415  # only for results of the kernel

    texts = np.array(TEXTS)
    coded = {
        "symbol": (np.array(symbols), "symbol"),
        "entry_signal": (texts, "entry_text"),
        "exit_signal": (texts, "exit_text"),
    }
    columns: dict[str, NDArray[Any]] = {}
    for name in COLUMNS:
        if name in coded:
            words, code = coded[name]
            columns[name] = words[rows[code]]
        else:
            columns[name] = np.ascontiguousarray(rows[name], dtype=_dtype(name))
    return columns

"""Tick, quantity step and smallest orders from a saved answer of an exchange's `exchangeInfo` request."""

import gzip
import json
from math import isfinite
from pathlib import Path
from typing import Any

from engine.backtest.data.price_grid import Grid
from engine.backtest.data.table_files import DataError

_SOURCE = "its instrument"
_SMALLEST_VALUE = {"MIN_NOTIONAL": "notional", "NOTIONAL": "minNotional"}
"""Of futures and of spot."""


def read_instruments(path: Path) -> dict[str, Grid]:
    """The grids of the symbols of the file (JSON, perhaps gzip) that have one; raises `DataError`."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        listed = json.loads(raw)["symbols"]
        grids = {str(one["symbol"]): _grid(one) for one in listed}
        return {symbol: grid for symbol, grid in grids.items() if grid.tick and grid.qty_step}
    except OSError as e:
        raise DataError(f"{path}: cannot be read ({e.strerror or e})") from e
    except (ValueError, EOFError, RecursionError) as e:
        raise DataError(f"{path}: not JSON, or a value is not a number ({e})") from e
    except (KeyError, TypeError, AttributeError) as e:
        raise DataError(
            f"{path}: expected the answer of exchangeInfo: symbols, each with symbol and filters"
        ) from e


def _grid(listed: dict[str, Any]) -> Grid:
    filters = {one["filterType"]: one for one in listed["filters"]}
    lots = filters["LOT_SIZE"]
    value = next((filters[name].get(key, 0) for name, key in _SMALLEST_VALUE.items() if name in filters), 0)
    numbers = [float(filters["PRICE_FILTER"]["tickSize"]), float(lots["stepSize"])]
    numbers += [float(lots["minQty"]), float(value)]
    if not all(isfinite(number) and number >= 0 for number in numbers):
        raise ValueError(f"filters of {listed['symbol']}")
    tick, step, min_qty, min_notional = numbers
    return Grid(tick, step, _SOURCE, _SOURCE, min_qty, min_notional)

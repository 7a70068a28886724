"""Hashes of a backtest's inputs and trades, and the versions that produced them."""

import hashlib
import json
import platform
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.report.trades import COLUMNS, TEXT_COLUMNS
from engine.model.bars import Bars

_PACKAGES = ("numpy", "numba", "pyarrow", "pydantic", "msgspec")


def config_hash(config: object) -> str:
    """Of a JSON-able object: keys sorted, no spaces."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def data_hash(bars: Iterable[Bars]) -> str:
    """Of the symbols, timeframes and all values of the bars."""
    digest = hashlib.sha256()
    for one in bars:
        digest.update(f"{one.symbol} {one.timeframe_ns} {len(one)}\n".encode())
        for values in (one.open_time_ns, one.open, one.high, one.low, one.close, one.volume_base):
            digest.update(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def trades_hash(columns: Mapping[str, NDArray[Any]]) -> str:
    """Of the closed trades in order: each field's exact value, one line a trade.

    Floats are written so that they read back to the last bit; the sign of zero does not count.
    """
    listed = [
        columns[name].tolist() if name in TEXT_COLUMNS else (columns[name] + 0).tolist() for name in COLUMNS
    ]
    digest = hashlib.sha256()
    for row in zip(*listed, strict=True):
        digest.update("|".join(map(str, row)).encode() + b"\n")
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """nextbar, Python and the packages whose arithmetic or formats a result depends on."""
    found = {"nextbar": _own_version(), "python": platform.python_version()}
    for name in _PACKAGES:
        found[name] = metadata.version(name)
    return found


def _own_version() -> str:
    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    try:
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    except OSError:
        return "unknown"

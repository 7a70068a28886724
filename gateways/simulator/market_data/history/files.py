"""Market data on disk: closed minutes, and a small state file that is replaced every second.

No fsync is needed: a killed process loses nothing that the operating system has, and after a power cut
only the last second of public data is missing. Order state has its own journal.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gateways.simulator.market_data.history.rows import OPEN_TIME, WIDTH, Rows, empty_rows

_ROW_BYTES = WIDTH * 8


class StoreError(OSError):
    """A file of the state folder cannot be used; the message is one sentence."""


class SavedSymbol(msgspec.Struct):
    """State of a symbol when it was saved."""

    genesis_ms: int
    genesis_ticks: int
    last_update_id: int = 0
    last_agg_id: int = 0
    open_row: list[int] | None = None


class SavedState(msgspec.Struct):
    """Content of `state.json`; `market` is the market's own state."""

    symbols: dict[str, SavedSymbol] = {}
    market: dict[str, Any] = {}


class MarketStore:
    """Files `<SYMBOL>.minutes` (int64 rows) and `state.json` in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._state_path = folder / "state.json"

    def load_state(self) -> SavedState:
        """Return the state last saved, empty on the first start."""
        if not self._state_path.exists():
            return SavedState()
        try:
            return msgspec.json.decode(self._state_path.read_bytes(), type=SavedState)
        except (msgspec.DecodeError, RecursionError) as error:
            raise StoreError(
                f"{self._state_path}: not readable ({error}); delete the folder {self._folder}"
            ) from error

    def save_state(self, state: SavedState) -> None:
        """Replace the state file."""
        temporary = self._state_path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(state))
        temporary.replace(self._state_path)

    def load_minutes(self, symbol: str, not_before_ms: int) -> Rows:
        """Return closed minutes in order; an incomplete last row is cut off."""
        path = self._path(symbol)
        if not path.exists():
            return empty_rows()
        data = path.read_bytes()
        torn = len(data) % _ROW_BYTES
        if torn:
            data = data[:-torn]
            path.write_bytes(data)
        rows = np.frombuffer(data, dtype="<i8").astype(np.int64).reshape(-1, WIDTH)
        times = rows[:, OPEN_TIME]
        ascending = np.concatenate(([True], times[1:] > np.maximum.accumulate(times)[:-1]))
        return rows[ascending & (times >= not_before_ms)]

    def append_minutes(self, symbol: str, rows: list[Rows]) -> None:
        """Add closed minutes at the end."""
        with self._path(symbol).open("ab") as file:
            file.write(np.concatenate(rows).astype("<i8").tobytes())

    def _path(self, symbol: str) -> Path:
        return self._folder / f"{symbol}.minutes"

"""Reads recordings: lines of `<local receive time> <JSON frame>`, plain or gzip.

Everything is checked while reading, so that a bad line cannot end a running session. The unit of the
receive times is found by comparing the first of them with the exchange's own time in the frame.
"""

import contextlib
import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from gateways.simulator.markets.base import MarketError

_DECODER: Final = msgspec.json.Decoder()
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UNIT_NS: Final = {"nanoseconds": 1, "microseconds": 1_000, "milliseconds": 1_000_000, "seconds": 10**9}
_LONGEST_NS: Final = 30 * 86_400 * 10**9
"""Longest session: a timestamp further from the first one has another unit, or is wrong."""

_FIRST_LINES: Final = 1000
_SAME_DATE: Final = 0.3
_LONG_ENOUGH_MS: Final = 100
_MAX_TIME_GAP_MS: Final = 3_600_000

_Number = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,15})?$")]
_MAX_NUMBER: Final = 1e15
_Id = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Time = Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)]
"""Milliseconds since 1970, before 2100."""
_Levels = list[tuple[str, str]]


class _Head(msgspec.Struct):
    """The fields of a frame needed before it is played."""

    e: str = ""
    s: str = ""
    E: Any = 0
    u: _Id = 0
    t: _Id = 0


class _Line(msgspec.Struct):
    """A combined-stream frame (`data`) or a bare REST snapshot (`lastUpdateId`)."""

    data: _Head | list[Any] | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")


class _Diff(msgspec.Struct):
    E: _Time
    T: _Time
    U: _Id
    u: _Id
    pu: _Id
    b: _Levels
    a: _Levels


class _Ticker(msgspec.Struct):
    E: _Time
    T: _Time
    u: _Id
    b: _Number
    B: _Number
    a: _Number
    A: _Number


class _Trade(msgspec.Struct):
    E: _Time
    T: _Time
    t: _Id
    p: _Number
    q: _Number
    m: bool


class _DiffFrame(msgspec.Struct):
    data: _Diff


class _TickerFrame(msgspec.Struct):
    data: _Ticker


class _TradeFrame(msgspec.Struct):
    data: _Trade


class _Snapshot(msgspec.Struct):
    last_update_id: _Id = msgspec.field(name="lastUpdateId")
    bids: Annotated[_Levels, msgspec.Meta(min_length=1)]
    asks: Annotated[_Levels, msgspec.Meta(min_length=1)]


_CHECKS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "depthUpdate": msgspec.json.Decoder(_DiffFrame),
    "bookTicker": msgspec.json.Decoder(_TickerFrame),
    "trade": msgspec.json.Decoder(_TradeFrame),
}


@dataclass(slots=True)
class RecordedFrame:
    """One encoded stream frame, with the time it was received."""

    receive_ns: int
    symbol: str
    kind: str
    last_id: int
    """`u` of a book frame, `t` of a trade."""
    text: bytes

    def payload(self) -> dict[str, Any]:
        """Decode the raw frame: the `data` of the combined one."""
        data: dict[str, Any] = _DECODER.decode(self.text)["data"]
        return data


@dataclass(slots=True)
class Recording:
    """Frames of all symbols in order of receipt, and the REST depth snapshot of each symbol."""

    frames: list[RecordedFrame] = field(default_factory=list)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    span_ns: int = 0


def recording_files(paths: list[Path], symbols: tuple[str, ...]) -> list[Path]:
    """Expand folders to their recordings (of the symbols, if file names contain them), sorted by name."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.name.endswith((".txt", ".txt.gz")))
            wanted = [p for p in found if any(symbol in p.name for symbol in symbols)]
            if not found:
                raise MarketError(f"{path}: no .txt or .txt.gz recording in this folder")
            files += wanted or found
        elif path.exists():
            files.append(path)
        else:
            raise MarketError(f"{path}: no such recording")
    return files


def read_recording(paths: list[Path], symbols: tuple[str, ...]) -> Recording:
    """Read the files of one session. A bare snapshot belongs to the symbol of its file."""
    recording = Recording()
    for path in recording_files(paths, symbols):
        _read_file(path, recording)
    if not recording.frames:
        raise MarketError(f"{', '.join(map(str, paths))}: the recording contains no frame")
    recording.frames.sort(key=lambda frame: frame.receive_ns)  # stable: each file keeps its order
    for symbol in {frame.symbol for frame in recording.frames} - set(recording.snapshots):
        raise MarketError(f"{', '.join(map(str, paths))}: no depth snapshot of {symbol} to start from")
    recording.span_ns = recording.frames[-1].receive_ns - recording.frames[0].receive_ns
    return recording


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number and text of each line that is not blank."""
    number = 0
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == _GZIP_MAGIC
            if path.name.endswith(".gz") and not is_packed:
                raise MarketError(
                    f"{path}, line 1: this is not gzip data; rename the file without .gz if it is text"
                )
            file.seek(0)
            for line in gzip.GzipFile(fileobj=file) if is_packed else file:
                number += 1
                if line.strip():
                    yield number, line
    except EOFError as error:
        raise MarketError(f"{path}, line {number + 1}: the gzip data is cut off here") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MarketError(f"{path}, line {number + 1}: the gzip data is damaged here ({error})") from error
    except OSError as error:
        raise MarketError(f"{path}: {error.strerror or error}") from error


class _ReceiveClock:
    """Receive times of one file in nanoseconds, never decreasing.

    Where the recorder's clock was set back, the following lines continue from the time reached: the order
    of the lines is the order of receipt.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._first_ns: int | None = None
        self._last_ns = 0
        self._added_ns = 0

    def read(self, text: bytes) -> int:
        """Parse a receive time. Raises ValueError with one sentence when it does not fit the file."""
        at_ns = _stamp(text) * _UNIT_NS[self._unit]
        if self._first_ns is None:
            self._first_ns = self._last_ns = at_ns
        if abs(at_ns - self._first_ns) > _LONGEST_NS:
            raise ValueError(
                f"the receive time {text.decode()} is more than 30 days from the first one, "
                f"read as {self._unit} like the first lines"
            )
        self._added_ns += max(0, self._last_ns - (at_ns + self._added_ns))
        self._last_ns = at_ns + self._added_ns
        return self._last_ns


def _stamp(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise ValueError("expected '<receive time> <JSON>', the time in digits")
    return int(text)


@dataclass(slots=True)
class _ReadLine:
    number: int
    stamp: bytes
    text: bytes
    head: _Line


def _unit_of(lines: list[_ReadLine]) -> str:
    """Find the unit of the receive times by comparing them with the exchange's times.

    Either both are the same date, or (for a clock that counts from the start of the machine) both advance at
    the same rate.
    """
    pairs = [
        (int(line.stamp), data.E)
        for line in lines[:_FIRST_LINES]
        if isinstance(data := line.head.data, _Head) and isinstance(data.E, int) and data.E > 0
    ]
    pairs = [pair for pair in pairs if pair[0]]
    if not pairs:
        return "nanoseconds"
    (stamp, exchange_ms), (last_stamp, last_ms) = pairs[0], pairs[-1]
    unit, distance = _nearest_unit(exchange_ms / stamp)
    if distance > _SAME_DATE and last_ms - exchange_ms >= _LONG_ENOUGH_MS and last_stamp > stamp:
        unit, _ = _nearest_unit((last_ms - exchange_ms) / (last_stamp - stamp))
    return unit


def _nearest_unit(ms_in_one: float) -> tuple[str, float]:
    """Return the unit nearest to this many milliseconds, and the distance in powers of ten."""
    wanted = math.log10(ms_in_one * 1e6)
    found = min(_UNIT_NS, key=lambda unit: abs(math.log10(_UNIT_NS[unit]) - wanted))
    return found, abs(math.log10(_UNIT_NS[found]) - wanted)


def _read_file(path: Path, recording: Recording) -> None:
    heads = msgspec.json.Decoder(_Line)
    lines: list[_ReadLine] = []
    for number, raw in _lines(path):
        stamp, _, text = raw.partition(b" ")
        with _locating_errors(path, number):
            _stamp(stamp)
            lines.append(_ReadLine(number, stamp, text, heads.decode(text)))
    clock = _ReceiveClock(_unit_of(lines))
    snapshots: list[dict[str, Any]] = []
    symbols: set[str] = set()
    for line in lines:
        data = line.head.data
        with _locating_errors(path, line.number):
            receive_ns = clock.read(line.stamp)
            if isinstance(data, _Head) and data.e in _CHECKS:
                check_frame(data.e, line.text)
                last_id = data.t if data.e == "trade" else data.u
                frame = RecordedFrame(receive_ns, data.s, data.e, last_id, line.text)
                recording.frames.append(frame)
                symbols.add(data.s)
            elif data is None and line.head.last_update_id is not None:
                snapshots.append(checked_snapshot(line.text))
    if snapshots and len(symbols) == 1:
        recording.snapshots.setdefault(symbols.pop(), snapshots[0])


@contextlib.contextmanager
def _locating_errors(path: Path, number: int) -> Iterator[None]:
    """Add file and line to errors."""
    try:
        yield
    except RecursionError as error:
        raise MarketError(f"{path}, line {number}: JSON is nested too deeply") from error
    except ValueError as error:
        raise MarketError(f"{path}, line {number}: {error}") from error


def check_frame(kind: str, text: str | bytes) -> None:
    """Check a combined-stream frame that changes a market; others are ignored. Raises ValueError."""
    check = _CHECKS.get(kind)
    if check is None:
        return
    data = check.decode(text).data
    if abs(data.E - data.T) > _MAX_TIME_GAP_MS:
        raise ValueError(f"E {data.E} and T {data.T} are more than an hour apart")
    if isinstance(data, _Diff):
        _check_sides(data.b, data.a)


def checked_snapshot(text: bytes) -> dict[str, Any]:
    """Decode a response of GET depth. Raises ValueError when it is malformed or the book is crossed."""
    found = msgspec.json.decode(text, type=_Snapshot)
    _check_sides(found.bids, found.asks)
    snapshot: dict[str, Any] = _DECODER.decode(text)
    return snapshot


def _check_sides(bids: _Levels, asks: _Levels) -> None:
    bid = max((price for price, lots in map(_level, bids) if lots), default=0.0)
    ask = min((price for price, lots in map(_level, asks) if lots), default=math.inf)
    if bid >= ask:
        raise ValueError(f"the best bid {bid:g} is not below the best ask {ask:g}")


def _level(level: tuple[str, str]) -> tuple[float, float]:
    price, size = float(level[0]), float(level[1])
    if not 0 < price < _MAX_NUMBER or not 0 <= size < _MAX_NUMBER:
        raise ValueError(f"{level[0]} and {level[1]} are not a price and a size")
    return price, size

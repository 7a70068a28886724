"""Reads recordings: lines of `<local receive ns> <JSON frame>`, plain or gzip."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from gateways.simulator.markets.base import MarketError

_DECODER: Final = msgspec.json.Decoder()


class _Head(msgspec.Struct):
    """What of a frame's data must be known before it is played."""

    e: str
    s: str
    u: int = 0
    t: int = 0


class _Line(msgspec.Struct):
    """A combined-stream frame (`data`) or a bare REST snapshot (`lastUpdateId`)."""

    data: _Head | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")


@dataclass(slots=True)
class RecordedFrame:
    """One stream frame, still encoded, with the time it was received at."""

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
    """Frames of all symbols in order of receipt, and each symbol's REST depth snapshot."""

    frames: list[RecordedFrame] = field(default_factory=list)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    span_ns: int = 0


def recording_files(paths: list[Path], symbols: tuple[str, ...]) -> list[Path]:
    """Expand folders to their recordings (of the symbols, if any name them), in order of name."""
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
    """Read files that together are one session. A bare snapshot belongs to the symbol of its file."""
    recording = Recording()
    for path in recording_files(paths, symbols):
        _read_file(path, recording)
    if not recording.frames:
        raise MarketError(f"{', '.join(map(str, paths))}: the recording holds no frame")
    recording.frames.sort(key=lambda frame: frame.receive_ns)
    for symbol in {frame.symbol for frame in recording.frames} - set(recording.snapshots):
        raise MarketError(f"{', '.join(map(str, paths))}: no depth snapshot of {symbol} to begin with")
    recording.span_ns = recording.frames[-1].receive_ns - recording.frames[0].receive_ns
    return recording


def _lines(path: Path) -> Iterator[bytes]:
    if path.name.endswith(".gz"):
        with gzip.open(path, "rb") as packed:
            yield from packed
        return
    with path.open("rb") as file:
        yield from file


def _read_file(path: Path, recording: Recording) -> None:
    heads = msgspec.json.Decoder(_Line)
    snapshots: list[dict[str, Any]] = []
    symbols: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        receive, _, text = line.partition(b" ")
        try:
            head, receive_ns = heads.decode(text), int(receive)
        except (msgspec.DecodeError, ValueError) as error:
            raise MarketError(f"{path}, line {number}: expected '<receive ns> <JSON>' ({error})") from error
        data = head.data
        if data is not None:
            symbols.add(data.s)
            last_id = data.t if data.e == "trade" else data.u
            recording.frames.append(RecordedFrame(receive_ns, data.s, data.e, last_id, text))
        elif head.last_update_id is not None:
            snapshots.append(_DECODER.decode(text))
    if snapshots and len(symbols) == 1:
        recording.snapshots.setdefault(symbols.pop(), snapshots[0])

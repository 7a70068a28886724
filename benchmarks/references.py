"""What the parts of an order's way cost bare: a TCP echo with msgpack, a preallocated append with fdatasync.

`python benchmarks/references.py` prints both; the other benchmarks measure them in their own runs.
"""

import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import uvloop

from gateways.wire.messages import Reply, SubmitOrder
from runtime.process.files import sync_data

ROOT = Path(__file__).resolve().parents[1]
RECORD_BYTES = 320
"""About what an intent and the record that it was sent take in the journal."""
FILE_BYTES = 1 << 20
PAGE = bytes(4096)
ORDER = SubmitOrder(1, "BTCUSDT", "nb-aaaaaa-0123456789abcdef", "BUY", "MARKET", Decimal("0.007"))


def percentile(samples: Sequence[float], fraction: float) -> float:
    """The value below which that fraction lies; the largest for small samples."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))]


class _Server(asyncio.Protocol):
    """Decodes an order, answers with a reply."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.decode = msgspec.msgpack.Decoder(SubmitOrder).decode
        self.encode = msgspec.msgpack.Encoder().encode

    def data_received(self, data: bytes) -> None:
        order = self.decode(data)
        self.transport.write(self.encode(Reply(order.request_id, "ok")))


def serve(pipe: Connection) -> None:
    """The other process of the echo; ends when the pipe closes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, _wait, pipe)
        server.close()

    uvloop.run(main())


def _wait(pipe: Connection) -> None:
    try:
        pipe.recv()
    except EOFError:
        return


class _Client(asyncio.Protocol):
    """Notes when a decoded answer is there."""

    def __init__(self) -> None:
        self.decode = msgspec.msgpack.Decoder(Reply).decode
        self.encode = msgspec.msgpack.Encoder().encode
        self.answered: asyncio.Future[int]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.decode(data)
        self.answered.set_result(time.perf_counter_ns())

    async def ask(self) -> float:
        """One round trip in microseconds."""
        self.answered = asyncio.get_running_loop().create_future()
        begun = time.perf_counter_ns()
        self.transport.write(self.encode(ORDER))
        return (await self.answered - begun) / 1e3


class Append:
    """A file whose blocks are written already; `once` appends one record durably."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reference-append.bin"
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        for _ in range(FILE_BYTES // len(PAGE)):  # in one piece each append would take longer
            os.write(self._fd, PAGE)
        os.fsync(self._fd)
        self._record = os.urandom(RECORD_BYTES)
        self._rewind()

    def _rewind(self) -> None:
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._used = 0

    def once(self) -> float:
        """Microseconds of one write and fdatasync."""
        if self._used + RECORD_BYTES > FILE_BYTES:
            self._rewind()
        self._used += RECORD_BYTES
        begun = time.perf_counter_ns()
        os.write(self._fd, self._record)
        sync_data(self._fd)
        return (time.perf_counter_ns() - begun) / 1e3

    def close(self) -> None:
        """Remove the file."""
        os.close(self._fd)
        self._path.unlink()


async def _measure(port: int, folder: Path, rounds: int, gap_s: float) -> tuple[list[float], list[float]]:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(_Client, "127.0.0.1", port)
    append = Append(folder)
    echoes, appends = [], []
    pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(gap_s / 2)  # noqa: E731  # a name for it
    for _ in range(rounds):
        echoes.append(await client.ask())
        if gap_s:
            await pause()
        appends.append(append.once())
        if gap_s:
            await pause()
    append.close()
    client.transport.close()
    return echoes, appends


def measure(folder: Path, rounds: int, gap_s: float) -> tuple[list[float], list[float]]:
    """Microseconds of `rounds` echoes between two processes, and of as many appends in `folder`, in turn.

    `gap_s` is the time from one round to the next: what is done rarely finds caches and clocks cold.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    port = ours.recv()
    try:
        return uvloop.run(_measure(port, folder, rounds, gap_s))
    finally:
        ours.send("end")
        server.join()


def main() -> None:
    """Both, in a row and spaced."""
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        for gap_s, rounds in ((0.0, 2_000), (0.05, 200)):
            echoes, appends = measure(Path(folder), rounds, gap_s)
            for name, samples in (("echo with msgpack", echoes), ("append and fdatasync", appends)):
                print(
                    f"{name:22s} every {gap_s * 1e3:3.0f} ms   p50 {percentile(samples, 0.5):7.1f} us"
                    f"   p99 {percentile(samples, 0.99):7.1f} us"
                )


if __name__ == "__main__":
    main()

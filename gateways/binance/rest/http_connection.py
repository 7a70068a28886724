"""HTTP/1.1 over kept-alive connections, optimised for orders, where microseconds count.

A request is one `transport.write` of prepared bytes, directly from the calling callback: no task, no queue,
no header objects. One request at a time on a connection (no pipelining): a lost answer would make every later
one ambiguous.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024


class HttpFailed(Exception):
    """No answer. `bytes_left` tells whether the request may have reached the server.

    `was_kept`: the connection had been in use before and was lost, as when the server ends idle ones.
    """

    def __init__(self, message: str, *, bytes_left: bool, was_kept: bool = False) -> None:
        super().__init__(message)
        self.bytes_left = bytes_left
        self.was_kept = was_kept


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Header names are in lower case; of repeated headers the last one counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerParser:
    """Incremental parser of one answer after another, for any split of the bytes.

    `feed` returns a whole answer or None. ValueError for what is no HTTP/1.x answer or is over a bound.
    """

    __slots__ = ("_buffer", "_chunks", "_headers", "_mode", "_need", "_status")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._mode = "head"
        self._status = 0
        self._headers: dict[str, str] = {}
        self._need = 0
        self._chunks = bytearray()

    @property
    def leftover(self) -> int:
        """Bytes beyond the last whole answer."""
        return len(self._buffer) if self._mode == "head" else len(self._buffer) + 1

    def feed(self, data: bytes) -> HttpAnswer | None:
        """Add bytes."""
        self._buffer += data
        while True:
            step = getattr(self, f"_{self._mode}")
            before = self._mode, len(self._buffer)
            answer: HttpAnswer | None = step()
            if answer is not None:
                return answer
            if (self._mode, len(self._buffer)) == before:
                return None

    def finish(self) -> HttpAnswer | None:
        """The peer closed: the end of an answer without a length, else None."""
        if self._mode != "until_close":
            return None
        self._chunks += self._buffer
        self._buffer.clear()
        return self._done(bytes(self._chunks))

    def _done(self, body: bytes) -> HttpAnswer:
        answer = HttpAnswer(self._status, self._headers, body)
        self._reset()
        return answer

    def _head(self) -> HttpAnswer | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ValueError("the head of the answer is too long")
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        self._status = _status_of(lines[0])
        self._headers = _headers_of(lines[1:])
        if self._status < 200:
            self._reset()
            return None
        return self._choose_body()

    def _choose_body(self) -> HttpAnswer | None:
        if self._status in (204, 304):
            return self._done(b"")
        if "chunked" in self._headers.get("transfer-encoding", "").lower():
            self._mode = "chunk_size"
            return None
        length = self._headers.get("content-length")
        if length is None:
            self._mode = "until_close"
            return None
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise ValueError("the answer has an invalid length")
        self._mode, self._need = "body", int(length)
        return self._body()

    def _body(self) -> HttpAnswer | None:
        if len(self._buffer) < self._need:
            return None
        body = bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        return self._done(body)

    def _until_close(self) -> None:
        if len(self._buffer) > MAX_BODY_BYTES:
            raise ValueError("the answer is too long")

    def _chunk_size(self) -> None:
        line = self._line()
        if line is None:
            return
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise ValueError("a chunk has no size") from None
        if size < 0 or len(self._chunks) + size > MAX_BODY_BYTES:
            raise ValueError("the answer is too long")
        self._need = size
        self._mode = "chunk" if size else "trailer"

    def _chunk(self) -> None:
        if len(self._buffer) < self._need + 2:
            return
        self._chunks += self._buffer[: self._need]
        if self._buffer[self._need : self._need + 2] != b"\r\n":
            raise ValueError("a chunk ends wrongly")
        del self._buffer[: self._need + 2]
        self._mode = "chunk_size"

    def _trailer(self) -> HttpAnswer | None:
        line = self._line()
        return self._done(bytes(self._chunks)) if line == b"" else None

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ValueError("a line of the answer is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _status_of(line: str) -> int:
    parts = line.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise ValueError("the answer is not HTTP/1.x")
    return int(parts[1])


def _headers_of(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator:
            raise ValueError("a header of the answer has no colon")
        headers[name.strip().lower()] = value.strip()
    return headers


class HttpConnection(asyncio.Protocol):
    """One socket. `send` may be called when it is `free`."""

    def __init__(
        self, on_free: "Callable[[HttpConnection], None]", on_lost: "Callable[[HttpConnection], None]"
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = AnswerParser()
        self._waiting: asyncio.Future[HttpAnswer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._on_free = on_free
        self._on_lost = on_lost
        self.has_answered = False

    @property
    def is_open(self) -> bool:
        """Connected and not about to close."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def free(self) -> bool:
        """Open and without a request under way."""
        return self._waiting is None and self.is_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready. asyncio and uvloop switch Nagle's algorithm off themselves."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        # uvloop would keep a request until the running callback has ended; without a buffer it leaves now.
        self._transport.set_write_buffer_limits(high=0)

    def send(self, request: bytes, timeout_seconds: float) -> "asyncio.Future[HttpAnswer]":
        """Write now. The future ends with the answer, or with `HttpFailed`."""
        transport = self._transport
        assert transport is not None
        assert self._waiting is None
        transport.write(request)
        waiting: asyncio.Future[HttpAnswer] = self._loop.create_future()
        self._waiting = waiting
        self._timer = self._loop.call_later(timeout_seconds, self._timed_out)
        return waiting

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        if self._waiting is None:
            self._break("the server sent data that was not requested")
            return
        try:
            answer = self._parser.feed(data)
        except ValueError as error:
            self._break(str(error))
            return
        if answer is not None:
            self._answer(answer)

    def eof_received(self) -> None:
        """The server closes after this answer, or closes an idle connection."""
        answer = self._parser.finish()
        if answer is not None and self._waiting is not None:
            self._answer(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits learns that the request left."""
        self._transport = None
        self._fail(f"the connection was lost{f': {exc}' if exc else ''}", was_kept=self.has_answered)
        self._on_lost(self)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, answer: HttpAnswer) -> None:
        waiting, self._waiting = self._waiting, None
        self._stop_timer()
        self.has_answered = True
        keep = "close" not in answer.headers.get("connection", "").lower() and self._parser.leftover == 0
        if not keep:
            self.abort()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        if keep:
            self._on_free(self)

    def _timed_out(self) -> None:
        self._timer = None
        self._break("no answer in time")

    def _break(self, message: str) -> None:
        self._fail(message)
        self.abort()

    def _fail(self, message: str, *, was_kept: bool = False) -> None:
        waiting, self._waiting = self._waiting, None
        self._stop_timer()
        if waiting is not None and not waiting.done():
            waiting.set_exception(HttpFailed(message, bytes_left=True, was_kept=was_kept))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

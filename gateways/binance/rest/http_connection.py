"""HTTP/1.1 over kept-alive connections, optimised for orders, where microseconds count.

A request is one `transport.write` of prepared bytes, directly from the calling callback: no task, no queue,
no header objects. One request at a time on a connection (no pipelining): a lost answer would make every later
one ambiguous.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
"""With chunks, the lines between them and a head's length are counted too."""
_START = b"HTTP/1."


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
    """Incremental parser of one answer after another, for any split of the bytes: httptools, within bounds.

    `feed` returns a whole answer or None. ValueError for what is no HTTP/1.x answer or is over a bound.
    """

    __slots__ = (
        "_answer",
        "_fed",
        "_headers",
        "_http",
        "_keeps",
        "_pieces",
        "_status",
        "is_reusable",
        "on_body",
    )

    def __init__(self) -> None:
        self.is_reusable = True
        """Whether another answer may come after the last one: no header ends the connection, and no byte came
        behind the answer."""
        self._fed = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._keeps = True
        self._answer: HttpAnswer | None = None
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        """Called by httptools, as the methods whose names begin like this one."""
        self._http = HttpResponseParser(self)

    def feed(self, data: bytes) -> HttpAnswer | None:
        """Add bytes."""
        if self._fed < len(_START):
            self._check_start(data)
        self._fed += len(data)
        is_over = False
        try:
            self._http.feed_data(data)
        except HttpParserUpgrade:
            raise ValueError("the answer changes the protocol") from None
        except HttpParserError as error:
            is_over = True
            if self._answer is None:
                raise ValueError(f"the answer is not HTTP/1.x: {error}") from None
        answer, self._answer = self._answer, None
        if answer is None:
            self._check_size()
            return None
        self.is_reusable = self._keeps and not is_over and _ends_with(data, answer)
        self._fed = 0
        return answer

    def finish(self) -> HttpAnswer | None:
        """The peer closed: the end of an answer without a length, else None."""
        has_end = (
            "content-length" in self._headers
            or "chunked" in self._headers.get("transfer-encoding", "").lower()
        )
        if not self._status or has_end:
            return None
        self.is_reusable = False
        self.on_message_complete()
        answer, self._answer = self._answer, None
        return answer

    def _check_start(self, data: bytes) -> None:
        """httptools would skip empty lines, and takes HTTP/0.9, HTTP/2.0 and other protocols too."""
        if not data.startswith(_START[self._fed : self._fed + len(data)]):
            raise ValueError("the answer is not HTTP/1.x")

    def _check_size(self) -> None:
        """httptools has no bounds."""
        if not self._status:
            if self._fed > MAX_HEAD_BYTES:
                raise ValueError("the head of the answer is too long")
        elif self._fed > MAX_HEAD_BYTES + MAX_BODY_BYTES:
            raise ValueError("the answer is too long")
        elif int(self._headers.get("content-length", "0")) > MAX_BODY_BYTES:
            raise ValueError("the answer has an invalid length")

    def on_message_begin(self) -> None:
        """An answer begins; httptools ends when it would be one behind another."""
        if self._answer is not None:
            raise ValueError("bytes behind the answer")
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head, or one behind the last chunk, which is left out."""
        if not self._status:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._status = self._http.get_status_code()
        # httptools overlooks a "close" beside other words.
        ends = "close" in self._headers.get("connection", "").lower()
        self._keeps = not ends and self._http.should_keep_alive()

    def on_message_complete(self) -> None:
        """The answer is whole; one of a status below 200 only goes before the answer itself."""
        if self._status >= 200:
            self._answer = HttpAnswer(self._status, self._headers, b"".join(self._pieces))
        self._pieces.clear()
        self._status = 0


def _ends_with(data: bytes, answer: HttpAnswer) -> bool:
    """Whether the data ends where its last answer does; httptools skips line ends behind an answer.

    When in doubt, False: a connection too many is opened.
    """
    if data[-1] not in b"\r\n":
        return True
    has_line_end = "content-length" not in answer.headers or not answer.body
    return has_line_end and data.endswith(b"\r\n\r\n") and data[-5:-4] not in (b"", b"\r", b"\n")


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
        keep = self._parser.is_reusable
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

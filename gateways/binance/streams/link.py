"""Market streams of one class: subscribed, watched, reconnected, rotated.

Since 2026-04 each stream is served by one of three paths; on a wrong path it is acknowledged and never sends.
So a handshake or an acknowledgement is no sign of health: only frames are.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import msgspec
import structlog

from gateways.binance.streams.backoff import Backoff
from gateways.binance.streams.sockets import (
    CONNECT_ERRORS,
    DirectConnection,
    Together,
    close_later,
    open_socket,
)

StreamClass = Literal["public", "market"]
LinkState = Literal["up", "stale", "down"]

ROTATE_SECONDS = 23 * 3600 + 50 * 60
"""Before the exchange ends the connection at 24 hours."""
ROTATE_AGAIN_SECONDS = 60.0
"""After a rotation that failed."""
NAMES_A_REQUEST = 100
REQUEST_GAP_SECONDS = 0.25
"""The exchange allows ten messages a second."""
FIRST_FRAME_SECONDS = 15.0
RESUBSCRIBE_SECONDS = 60.0
"""How often a stream that is silent while others send is subscribed again."""
BLAME_SECONDS = 600.0
"""For this long one silent stream does not end a connection with other streams a second time."""
LOOK_SECONDS = 1.0

_log = structlog.get_logger("gateway.streams")


def class_of(stream: str) -> StreamClass:
    """Which path serves a stream."""
    kind = stream.partition("@")[2]
    return "public" if kind.startswith(("depth", "bookTicker", "trade")) else "market"


def longest_gap_seconds(stream: str) -> float:
    """A longer silence means that something is broken. Infinite where silence is normal."""
    kind = stream.partition("@")[2]
    if kind.startswith(("depth", "markPrice")):
        return 10.0
    if kind.startswith("bookTicker"):
        return 60.0
    if kind.startswith("kline"):
        return 120.0
    return float("inf")


@dataclass(slots=True)
class _Watch:
    """Health of one stream. Times are seconds of the loop's clock; `last` is 0.0 before the first frame."""

    since: float
    last: float = 0.0
    alarmed: bool = False
    retried: float = 0.0
    blamed: float = 0.0


class StreamLink:
    """Keeps one class of streams connected. `run` it as a task.

    `on_frame` gets each frame and reports the frame's stream through `seen`. `on_lost` is called when frames
    may have been missed; a rotation loses none.
    """

    def __init__(
        self,
        name: StreamClass,
        base_url: str,
        *,
        on_frame: Callable[[bytes], None],
        on_lost: Callable[[str], None],
        on_state: Callable[[str, LinkState], None],
        random: Callable[[], float],
        rotate_seconds: float = ROTATE_SECONDS,
        together: Together = nullcontext,
    ) -> None:
        self.name = name
        self.reconnects = 0
        self.rotations = 0
        self.state: LinkState = "down"
        self._url = base_url.rstrip("/") + "/stream"
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_state = on_state
        self._backoff = Backoff(random)
        self._rotate_seconds = rotate_seconds
        self._together = together
        self._watches: dict[str, _Watch] = {}
        self._pending: list[str] = []
        self._again: list[str] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._request_id = 0
        self._now = asyncio.get_running_loop().time

    @property
    def streams(self) -> tuple[str, ...]:
        """Wanted streams."""
        return tuple(self._watches)

    def want(self, stream: str) -> None:
        """Subscribe, now and after each reconnect. ValueError for a stream of another class."""
        if class_of(stream) != self.name:
            raise ValueError(f"{stream} is not served on /{self.name}")
        if stream not in self._watches:
            self._watches[stream] = _Watch(self._now())
            self._pending.append(stream)
            self._changed.set()

    def seen(self, stream: str) -> None:
        """A frame of this stream has come."""
        watch = self._watches.get(stream)
        if watch is not None:
            if not watch.last:
                self._changed.set()
            watch.last = self._now()

    async def run(self) -> None:
        """Until cancelled."""
        connection: DirectConnection | None = None
        try:
            while True:
                while not self._watches:
                    await self._changed.wait()
                    self._changed.clear()
                connection = await self._connect()
                if connection is not None:
                    started = self._now()
                    connection, reason = await self._live(connection)
                    wait = self._backoff.after(self._now() - started)
                    self._lost(reason)
                    close_later(connection, self._tasks)
                else:
                    wait = self._backoff.after()
                await asyncio.sleep(wait)
        finally:
            if connection is not None:
                await connection.close()

    async def _connect(self) -> DirectConnection | None:
        try:
            connection = await open_socket(self._url, self._on_frame, together=self._together)
        except CONNECT_ERRORS as error:
            _log.warning("cannot connect", link=self.name, reason=str(error) or type(error).__name__)
            return None
        now = self._now()
        for watch in self._watches.values():
            watch.since, watch.last, watch.alarmed, watch.retried = now, 0.0, False, 0.0
        self._pending = list(self._watches)
        self._changed.set()
        return connection

    async def _live(self, connection: DirectConnection) -> tuple[DirectConnection, str]:
        """Watch until the connection is useless; returns the last connection and the reason."""
        loop = asyncio.get_running_loop()
        rotate_at = self._now() + self._rotate_seconds
        closed = loop.create_task(connection.wait_closed())
        try:
            while True:
                changed = loop.create_task(self._changed.wait())
                await asyncio.wait(
                    {closed, changed}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                changed.cancel()
                if closed.done():
                    return connection, f"closed ({connection.close_code or 'cut'})"
                if not await self._subscribe_pending(connection):
                    return connection, "cannot send"
                reason = self._reason_to_leave()
                if reason is not None:
                    return connection, reason
                if not await self._subscribe_again(connection):
                    return connection, "cannot send"
                self._tell_state()
                if self._now() >= rotate_at:
                    following = await self._rotate(connection)
                    rotate_at = self._now() + min(self._rotate_seconds, ROTATE_AGAIN_SECONDS)
                    if following is not None:
                        rotate_at = self._now() + self._rotate_seconds
                        closed.cancel()
                        connection = following
                        closed = loop.create_task(connection.wait_closed())
        finally:
            closed.cancel()

    async def _rotate(self, old: DirectConnection) -> DirectConnection | None:
        """Open a new connection first; the old one is closed when every live stream has sent on the new one.

        Both feed the same sink meanwhile; books take each update id once.
        """
        heard: set[str] = set()
        wanted = {name for name, watch in self._watches.items() if watch.last}
        enough = asyncio.Event()

        def sink(frame: bytes) -> None:
            self._on_frame(frame)
            if not enough.is_set():
                heard.add(stream_of(frame))
                if heard >= wanted:
                    enough.set()

        try:
            new = await open_socket(self._url, sink, together=self._together)
        except CONNECT_ERRORS as error:
            _log.warning("cannot rotate yet", link=self.name, reason=str(error) or type(error).__name__)
            return None
        self._pending = list(self._watches)
        if not await self._subscribe_pending(new):
            close_later(new, self._tasks)
            return None
        try:
            async with asyncio.timeout(FIRST_FRAME_SECONDS):
                await enough.wait()
        except TimeoutError:
            # A quiet stream need not have spoken; a connection without any frame is no replacement.
            if not heard - {""}:
                close_later(new, self._tasks)
                return None
        close_later(old, self._tasks)
        self.rotations += 1
        _log.info("rotated", link=self.name)
        return new

    async def _subscribe_pending(self, connection: DirectConnection) -> bool:
        self._changed.clear()
        while self._pending:
            names, self._pending = self._pending[:NAMES_A_REQUEST], self._pending[NAMES_A_REQUEST:]
            if not await self._request(connection, "SUBSCRIBE", names):
                return False
            if self._pending:
                await asyncio.sleep(REQUEST_GAP_SECONDS)
        return True

    async def _subscribe_again(self, connection: DirectConnection) -> bool:
        """Subscribe silent streams again: harmless where a market is quiet."""
        names, self._again = self._again, []
        while names:
            some, names = names[:NAMES_A_REQUEST], names[NAMES_A_REQUEST:]
            for method in ("UNSUBSCRIBE", "SUBSCRIBE"):
                if not await self._request(connection, method, some):
                    return False
                await asyncio.sleep(REQUEST_GAP_SECONDS)
        return True

    async def _request(self, connection: DirectConnection, method: str, names: list[str]) -> bool:
        self._request_id += 1
        request = {"method": method, "params": names, "id": self._request_id}
        try:
            await connection.send(msgspec.json.encode(request).decode(), text=True)
        except CONNECT_ERRORS:
            return False
        return True

    def _reason_to_leave(self) -> str | None:
        """Why the connection is useless; None while it works.

        Where no stream sends, the connection is at fault. Where others send, a market may be quiet.
        """
        now = self._now()
        shortest = min((longest_gap_seconds(name) for name in self._watches), default=0.0)
        is_speaking = any(watch.last and now - watch.last <= shortest for watch in self._watches.values())
        for name, watch in self._watches.items():
            reason = self._silence(name, watch, now)
            if reason and (not is_speaking or self._is_proven(name, watch, now)):
                return reason
            if reason and (not watch.retried or now - watch.retried > RESUBSCRIBE_SECONDS):
                if not watch.retried:
                    _log.warning("a stream is silent while others send", stream=name)
                watch.retried = now
                self._again.append(name)
        return None

    def _silence(self, name: str, watch: _Watch, now: float) -> str:
        """What is wrong with one stream by itself; "" where nothing is."""
        if watch.last:
            silent = now - watch.last
            return f"{name} has been silent for {silent:.0f} s" if silent > longest_gap_seconds(name) else ""
        if now - watch.since <= FIRST_FRAME_SECONDS:
            return ""
        if not watch.alarmed:
            watch.alarmed = True
            _log.error(
                "no frame since it was subscribed: the exchange sends none, or not on this path", stream=name
            )
        is_due = longest_gap_seconds(name) <= FIRST_FRAME_SECONDS
        return f"{name} has sent nothing since it was subscribed" if is_due else ""

    def _is_proven(self, name: str, watch: _Watch, now: float) -> bool:
        """A depth stream that stays silent after a new subscription while its touch moves is broken."""
        symbol, _, kind = name.partition("@")
        ticker = self._watches.get(f"{symbol}@bookTicker")
        if not kind.startswith("depth") or ticker is None or not watch.retried:
            return False
        if ticker.last <= watch.retried + FIRST_FRAME_SECONDS or watch.last > watch.retried:
            return False
        if watch.blamed and now - watch.blamed < BLAME_SECONDS:
            return False
        watch.blamed = now
        return True

    def _tell_state(self) -> None:
        spoken = [
            watch.last > 0.0 for name, watch in self._watches.items() if longest_gap_seconds(name) < 1e9
        ]
        self._set_state("up" if all(spoken) and (spoken or self._watches) else "stale")

    def _set_state(self, state: LinkState) -> None:
        if state != self.state:
            self.state = state
            self._on_state(self.name, state)

    def _lost(self, reason: str) -> None:
        self.reconnects += 1
        _log.warning("connection lost", link=self.name, reason=reason)
        self._set_state("down")
        self._on_lost(reason)


class _Name(msgspec.Struct, gc=False):
    stream: str = ""


_name_decoder = msgspec.json.Decoder(_Name)


def stream_of(frame: bytes) -> str:
    """Name of the stream of a combined frame, "" where there is none."""
    try:
        return _name_decoder.decode(frame).stream
    except msgspec.MsgspecError:
        return ""

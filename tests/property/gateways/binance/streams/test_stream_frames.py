"""The stream socket cuts frames as `websockets` does, whichever come and however their bytes are split."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from gateways.binance.streams.sockets import DirectConnection

PAYLOADS = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536]).map(lambda size: b"x" * size)


class Wire(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing to limit."""

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True

    def can_write_eof(self) -> bool:
        return False


@st.composite
def streams(draw: st.DrawFn) -> list[Frame]:
    """Messages, whole or in parts, with pings between."""
    frames: list[Frame] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["whole", "parts", "ping"]))
        if kind == "ping":
            frames.append(Frame(Opcode.PING, b"are you there"))
            continue
        opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        if kind == "whole":
            frames.append(Frame(opcode, draw(PAYLOADS)))
            continue
        frames.append(Frame(opcode, draw(PAYLOADS), fin=False))
        if draw(st.booleans()):
            frames.append(Frame(Opcode.PING, b"in between"))
        frames.append(Frame(Opcode.CONT, draw(PAYLOADS)))
    return frames


def told(frames: list[Frame]) -> list[bytes]:
    """The messages as a peer must understand them."""
    messages: list[bytes] = []
    parts = b""
    for frame in frames:
        if frame.opcode is not Opcode.PING:
            parts += bytes(frame.data)
            if frame.fin:
                messages.append(parts)
                parts = b""
    return messages


def answer_to(request: bytes) -> bytes:
    """The server's side of the handshake."""
    server = ServerProtocol()
    server.receive_data(request)
    (asked,) = server.events_received()
    response = server.accept(asked)  # type: ignore[arg-type]  # the only event there is
    assert isinstance(response, Response)
    server.send_response(response)
    return b"".join(server.data_to_send())


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


@given(frames=streams(), cuts=st.lists(st.integers(0, 400_000), max_size=8), close=st.booleans())
def test_messages_come_whole_and_in_order_however_the_stream_is_split(
    frames: list[Frame], cuts: list[int], close: bool
) -> None:
    got: list[bytes] = []

    async def run() -> None:
        protocol = ClientProtocol(parse_uri("ws://127.0.0.1/stream"), max_size=None)
        bound = type("Bound", (DirectConnection,), {"sink": staticmethod(got.append)})
        connection: ClientConnection = bound(protocol)
        wire = Wire()
        connection.connection_made(wire)
        protocol.send_request(protocol.connect())
        (request,) = protocol.data_to_send()
        stream = answer_to(request)
        sent = [*frames, Frame(Opcode.CLOSE, b"\x03\xe8"), Frame(Opcode.TEXT, b"late")] if close else frames
        stream += b"".join(frame.serialize(mask=False) for frame in sent)
        for piece in pieces(stream, cuts):
            connection.data_received(piece)
        assert (protocol.state is OPEN) is not close
        pongs = sum(frame.opcode is Opcode.PING for frame in frames)
        assert wire.written.count(b"\x8a") >= min(pongs, 1)
        if connection.keepalive_task is not None:
            connection.keepalive_task.cancel()
        connection.connection_lost(None)

    asyncio.run(run())
    assert got == told(frames)

"""Frames: a 4-byte big-endian length, then one msgpack-encoded message.

The decoder takes the stream in any pieces. It yields whole messages or a `FrameError`, and never holds
more than one frame under the limit.
"""

from typing import Generic, TypeVar

import msgspec

from gateways.wire.errors import BadMessage, FrameError, FrameTooLarge, TruncatedFrame
from gateways.wire.messages import Message, ToEngine, ToGateway

HEADER_BYTES = 4
TO_GATEWAY_LIMIT = 64 * 1024
"""Also what a peer without the token can make the gateway hold."""
TO_ENGINE_LIMIT = 16 * 1024 * 1024
"""A snapshot or a klines reply is the largest message."""

_encoder = msgspec.msgpack.Encoder()
_to_engine: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)
_to_gateway: msgspec.msgpack.Decoder[ToGateway] = msgspec.msgpack.Decoder(ToGateway)

M = TypeVar("M")


def encode(message: Message, limit: int = TO_ENGINE_LIMIT) -> bytes:
    """One frame. `FrameTooLarge` where the receiver would refuse it."""
    payload = _encoder.encode(message)
    size = len(payload)
    if size > limit:
        raise FrameTooLarge(size, limit)
    return size.to_bytes(HEADER_BYTES, "big") + payload


class FrameDecoder(Generic[M]):
    """Turns a byte stream into messages of one direction.

    A broken stream sets `error` and ends the decoding for good; the whole messages before it are still
    returned, so the same bytes give the same messages however they were cut.
    """

    __slots__ = ("_buffer", "_decode", "_wanted", "error", "limit")

    def __init__(self, decoder: "msgspec.msgpack.Decoder[M]", limit: int) -> None:
        self.limit = limit
        self.error: FrameError | None = None
        self._decode = decoder.decode
        self._buffer = bytearray()
        self._wanted = HEADER_BYTES

    def feed(self, data: bytes) -> list[M]:
        """Every message completed by `data`, in order. Look at `error` afterwards."""
        messages: list[M] = []
        if self.error is not None:
            return messages
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return messages
            data = bytes(self._buffer)
            self._buffer.clear()
        position = 0
        self._wanted = HEADER_BYTES
        available = len(data)
        while available - position >= HEADER_BYTES:
            start = position + HEADER_BYTES
            size = int.from_bytes(data[position:start], "big")
            if size > self.limit:
                return self._fail(messages, FrameTooLarge(size, self.limit))
            end = start + size
            if end > available:
                self._wanted = HEADER_BYTES + size
                break
            try:
                messages.append(self._decode(data[start:end]))
            except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
                return self._fail(messages, BadMessage(f"a frame of {size} bytes is no message: {error}"))
            position = end
        if position < available:
            self._buffer += data[position:]
        return messages

    def _fail(self, messages: list[M], error: FrameError) -> list[M]:
        self.error = error
        self._buffer.clear()
        return messages

    @property
    def buffered(self) -> int:
        """Bytes of an incomplete frame."""
        return len(self._buffer)

    def finish(self) -> None:
        """The stream has ended. `TruncatedFrame` if that was inside a frame."""
        if self._buffer:
            raise TruncatedFrame(len(self._buffer))


def engine_decoder(limit: int = TO_ENGINE_LIMIT) -> FrameDecoder[ToEngine]:
    """Decoder of what a gateway sends."""
    return FrameDecoder(_to_engine, limit)


def gateway_decoder(limit: int = TO_GATEWAY_LIMIT) -> FrameDecoder[ToGateway]:
    """Decoder of what an engine sends."""
    return FrameDecoder(_to_gateway, limit)

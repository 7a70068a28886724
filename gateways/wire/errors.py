"""What can go wrong on the wire, as a small tree.

    WireError
    ├── FrameError            the byte stream is not what a peer of ours sends; the connection ends
    │   ├── FrameTooLarge     a length over the limit, refused before a byte of it is buffered
    │   ├── BadMessage        an unknown tag, a missing or wrong field, trailing bytes
    │   └── TruncatedFrame    the stream ended inside a frame
    ├── HandshakeError        the peer is not let in; `code` travels in `Refused`
    ├── TokenError            the token file cannot be used
    ├── ConnectionLost        the socket is gone
    │   ├── PeerSilent        nothing was heard for the idle timeout
    │   └── ReaderTooSlow     more order events and replies waited than the bound allows
    └── NotConnected          there is nobody to send to

Reaction: after FrameError and ConnectionLost the client reconnects; after HandshakeError and TokenError
somebody has to look.
"""


class WireError(Exception):
    """Base of everything the wire raises or reports."""


class FrameError(WireError):
    """The byte stream is not what a peer of ours sends."""


class FrameTooLarge(FrameError):
    """A frame announces more bytes than the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a frame of {size} bytes is over the limit of {limit}")
        self.size = size
        self.limit = limit


class BadMessage(FrameError):
    """The content of a frame is no known message."""


class TruncatedFrame(FrameError):
    """The stream ended inside a frame."""

    def __init__(self, buffered: int) -> None:
        super().__init__(f"the stream ended inside a frame, {buffered} bytes of it had arrived")
        self.buffered = buffered


class HandshakeError(WireError):
    """The peer is not let in. `code` is one word, the message one sentence for a person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class TokenError(WireError):
    """The token file cannot be used; the message names the file."""


class ConnectionLost(WireError):
    """The socket is gone."""


class PeerSilent(ConnectionLost):
    """Nothing was heard from the peer for the idle timeout."""


class ReaderTooSlow(ConnectionLost):
    """More order events and replies waited than the bound allows."""


class NotConnected(WireError):
    """There is nobody to send to."""

"""Order events of one engine: numbered, kept for a while, given again after a reconnect."""

from collections import deque

import msgspec

from gateways.wire.framing import encode
from gateways.wire.messages import AccountUpdate, Gap, OrderUpdate

OrderEvent = OrderUpdate | AccountUpdate


class ReplayLog:
    """The newest order events of one engine identity within one epoch; sequences count from 1."""

    __slots__ = ("_frames", "epoch", "last_sequence")

    def __init__(self, epoch: int, keep: int) -> None:
        self.epoch = epoch
        self.last_sequence = 0
        self._frames: deque[bytes] = deque(maxlen=keep)

    def append(self, event: OrderEvent) -> bytes:
        """Number the event and keep it; returns its frame."""
        self.last_sequence += 1
        stamped = msgspec.structs.replace(event, epoch=self.epoch, sequence=self.last_sequence)
        frame = encode(stamped)
        self._frames.append(frame)
        return frame

    def since(self, epoch: int, sequence: int) -> list[bytes]:
        """Frames that bring a reader with this cursor up to date: the missing events, or one `Gap`."""
        if epoch != self.epoch:
            reason = "the gateway has started since" if epoch else "the engine has no cursor yet"
            return [self._gap(reason)]
        missing = self.last_sequence - sequence
        if missing < 0:
            return [self._gap("the engine's cursor is ahead of the gateway")]
        if missing > len(self._frames):
            return [self._gap(f"{missing} order events are missing, {len(self._frames)} are kept")]
        return list(self._frames)[len(self._frames) - missing :] if missing else []

    def _gap(self, reason: str) -> bytes:
        return encode(Gap(self.epoch, self.last_sequence + 1, reason))

"""The reader's half of replay: each order event once, and a `Gap` wherever one is missing."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateways.wire.messages import AccountUpdate, Gap, Heartbeat, OrderUpdate, ToEngine


@dataclass(slots=True)
class Cursor:
    """The last order event that was taken. (0, 0) before the first."""

    epoch: int = 0
    sequence: int = 0

    def filter(self, messages: Iterable[ToEngine]) -> list[ToEngine]:
        """Messages as the engine may see them: no heartbeats, no order event taken before; moves on.

        A hole in the sequence, which a right gateway never leaves, becomes a `Gap` before the event.
        """
        taken: list[ToEngine] = []
        for message in messages:
            kind = type(message)
            if kind is OrderUpdate or kind is AccountUpdate:
                self._order_event(message, taken)  # type: ignore[arg-type]  # narrowed by `kind`
            elif type(message) is Gap:
                self.epoch, self.sequence = message.epoch, message.next_sequence - 1
                taken.append(message)
            elif kind is not Heartbeat:
                taken.append(message)
        return taken

    def _order_event(self, event: OrderUpdate | AccountUpdate, taken: list[ToEngine]) -> None:
        epoch, sequence = event.epoch, event.sequence
        if epoch == self.epoch and sequence <= self.sequence:
            return
        if epoch != self.epoch or sequence != self.sequence + 1:
            reason = f"order event {sequence} follows {self.sequence}"
            taken.append(Gap(epoch, sequence, reason))
        self.epoch, self.sequence = epoch, sequence
        taken.append(event)

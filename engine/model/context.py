"""What the parts of the core share: clock, outbox, and the newest prices."""

from collections.abc import Sequence

from engine.model.audit import AuditEvent, Notice, Severity
from engine.model.effects import Append, Effect, Notify, Send
from engine.model.records import JournalRecord
from gateways.wire.messages import ToGateway

NO_EFFECTS: Sequence[Effect] = ()


class Clock:
    """The current time, taken from events and never read from the machine.

    `offset_ns` is exchange time minus local time, as the gateway last measured it; `timer_ns` is what the
    machine's clock said when it was last read.
    """

    __slots__ = ("now_ns", "offset_ns", "timer_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        self.offset_ns = 0
        self.timer_ns = 0

    def advance(self, now_ns: int) -> None:
        """Set the time; an earlier one changes nothing."""
        self.now_ns = max(self.now_ns, now_ns)

    @property
    def exchange_now_ns(self) -> int:
        """Estimated exchange time."""
        return self.now_ns + self.offset_ns


class Outbox:
    """Collects the effects of one event, in order."""

    __slots__ = ("clock", "effects", "last_request_id")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.effects: list[Effect] = []
        self.last_request_id = 0

    def append(self, record: JournalRecord) -> None:
        """Append a record to the journal."""
        self.effects.append(Append(record))

    def send(self, message: ToGateway) -> None:
        """Send a request to the gateway."""
        self.effects.append(Send(message))

    def notify(self, event: AuditEvent) -> None:
        """Tell observers."""
        self.effects.append(Notify(event))

    def notice(self, level: Severity, text: str) -> None:
        """Tell observers one line."""
        self.effects.append(Notify(Notice(self.clock.now_ns, level, text)))

    def next_request_id(self) -> int:
        """A number that the answer will carry."""
        self.last_request_id += 1
        return self.last_request_id

    def take(self) -> Sequence[Effect]:
        """Remove and return all that was collected."""
        if not self.effects:
            return NO_EFFECTS
        effects = self.effects
        self.effects = []
        return effects


class Touch:
    """Newest best bid and ask of one symbol, and when its tick and its mark price came (0: never)."""

    __slots__ = ("ask", "bid", "mark_time_ns", "receive_time_ns", "ticks")

    def __init__(self) -> None:
        self.bid = 0.0
        self.ask = 0.0
        self.receive_time_ns = 0
        self.mark_time_ns = 0
        self.ticks = 0

    @property
    def mid(self) -> float:
        """The mean of bid and ask."""
        return (self.bid + self.ask) * 0.5

"""Performs the core's effects: journal first, then gateway, then observers.

Effects are performed in their order, with one flush of the journal before any request leaves. What only
tells somebody something is handed on after the requests have left.

Where many events arrived together (`gather`), several may lead to requests: all that is to be written down is
appended first, then one flush makes it durable, then the requests leave in their order. A flush and a wait
for the processor for each of two hundred orders would hold up the last by half a second.

A command is durable before it is answered: what an operator was told outlives a kill.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.core.engine import Engine
from engine.journal.journal import Journal, JournalFull
from engine.model.audit import Answer, AuditEvent
from engine.model.effects import Append, Effect, Send
from engine.model.events import Event, JournalState
from engine.model.records import Audit, Intent, JournalRecord, Signal
from gateways.wire.errors import NotConnected
from gateways.wire.messages import Reply, SubmitOrder, ToGateway
from runtime.process.processor import give_way

MOST_HELD = 16
HELD_NS = 2_000_000
"""So many requests wait for others that arrived with them, and so long, or until the last was looked at."""

Observer = Callable[[Sequence[JournalRecord | AuditEvent]], None]


class Sender(Protocol):
    """Takes requests to the gateway."""

    def send(self, message: ToGateway) -> None:
        """Write at once; `NotConnected` where there is no connection."""


class Performer:
    """Carries effects from the core to journal, gateway and observers.

    `observe` gets journal records and audit events after the requests of the same event have left.
    With `gives_way` the gateway may run once requests have left; on a busy machine that takes milliseconds.
    A `JournalError` from a flush is not caught: nothing may leave without a record, so the process ends and
    starts again from what is really on disk.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        sender: Sender,
        observe: Observer,
        now_ns: Callable[[], int],
        *,
        gives_way: bool = True,
    ) -> None:
        self._engine = engine
        self._gives_way = gives_way
        self._journal = journal
        self._sender = sender
        self._observe = observe
        self._now_ns = now_ns
        self._answers: deque[Event] = deque()
        self._unwritten: set[str] = set()
        self._is_gathering = False
        self._held: list[Effect] = []
        self._requests_held = 0
        self._held_since_ns = 0
        self.journal_is_dirty = False
        self.dropped_records = 0

    def take(self, event: Event) -> bool:
        """Give one event to the core and perform its effects. Whether there were any."""
        effects = self._engine.decide(event)
        if not effects and not self._answers:
            return False
        self._hand_on(effects)
        self._hand_on(self._engine.finish())
        self._take_answers()
        return True

    def gather(self) -> None:
        """Events that arrived together follow, until `release`."""
        self._is_gathering = True

    def release(self) -> bool:
        """That was the last of them: perform what was held back. Whether there was anything."""
        self._is_gathering = False
        if not self._held:
            return False
        self._perform_held()
        self._take_answers()
        return True

    def _take_answers(self) -> None:
        while self._answers:
            self._hand_on(self._engine.decide(self._answers.popleft()))
            self._hand_on(self._engine.finish())

    def _hand_on(self, effects: Sequence[Effect]) -> None:
        if not self._is_gathering:
            self._perform(effects)
            return
        self._held += effects
        requests = sum(type(effect) is Send for effect in effects)
        if not requests and not self._requests_held:
            return
        now_ns = self._now_ns()
        if not self._requests_held:
            self._held_since_ns = now_ns
        self._requests_held += requests
        if self._requests_held >= MOST_HELD or now_ns - self._held_since_ns >= HELD_NS:
            self._perform_held()

    def _perform_held(self) -> None:
        """Append every record, then send every request."""
        held, self._held, self._requests_held = self._held, [], 0
        written = [one for one in held if type(one) is not Append or self._append(one.record)]
        self._perform(written, are_written=True)

    def flush(self) -> None:
        """Make the journal durable."""
        if self.journal_is_dirty:
            self.journal_is_dirty = False
            self._journal.flush()

    def _perform(self, effects: Sequence[Effect], *, are_written: bool = False) -> None:
        told: list[JournalRecord | AuditEvent] = []
        has_sent = has_answered = False
        for effect in effects:
            kind = type(effect)
            if kind is Append:
                record = effect.record  # type: ignore[union-attr]  # narrowed by `kind`
                if are_written or self._append(record):
                    told.append(record)
            elif kind is Send:
                self._send(effect.message)  # type: ignore[union-attr]  # narrowed by `kind`
                has_sent = True
            else:
                event = effect.event  # type: ignore[union-attr]  # narrowed by `kind`
                has_answered = has_answered or type(event) is Answer
                told.append(event)
        if has_sent and self._gives_way:
            give_way()  # the gateway may wait for this very processor, with an order in its hands
        if has_answered:
            self.flush()
        if told:
            self._observe(told)

    def _append(self, record: JournalRecord) -> bool:
        """Whether the journal had room for it."""
        try:
            self._journal.append(record)
        except JournalFull:
            if isinstance(record, Intent):
                self._unwritten.add(record.client_order_id)
            elif isinstance(record, (Signal, Audit)):
                self.dropped_records += 1
            self._answers.append(JournalState(self._now_ns(), accepts_entries=False))
            return False
        self.journal_is_dirty = True
        return True

    def _send(self, message: ToGateway) -> None:
        if isinstance(message, SubmitOrder) and message.client_order_id in self._unwritten:
            self._unwritten.discard(message.client_order_id)
            self._answers.append(Reply(message.request_id, "refused", 0, "the journal takes no entries"))
            return
        self.flush()
        try:
            self._sender.send(message)
        except NotConnected:
            self._answers.append(
                Reply(message.request_id, "transient", 0, "no connection")
                if hasattr(message, "request_id")
                else JournalState(self._now_ns(), self._journal.accepts_entries)
            )

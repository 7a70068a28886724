"""Performs what the core wants done: journal first, then the gateway, then whoever watches.

Effects are performed in their order, with one flush of the journal before any request leaves. What only
tells somebody something is handed on after the requests have left.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.core.audit import AuditEvent
from engine.core.effects import Append, Effect, Send
from engine.core.engine import Engine
from engine.core.events import Event, JournalState
from engine.storage.journal import Journal, JournalFull
from engine.storage.records import Audit, Intent, JournalRecord, Signal
from gateways.wire.errors import NotConnected
from gateways.wire.messages import Reply, SubmitOrder, ToGateway
from supervisor.processor import give_way

Observer = Callable[[Sequence[JournalRecord | AuditEvent]], None]


class Sender(Protocol):
    """Takes requests to the gateway."""

    def send(self, message: ToGateway) -> None:
        """Write at once; `NotConnected` where there is no connection."""


class Performer:
    """Between the core and the world.

    `observe` gets journal records and audit events after the requests of the same event have left.
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
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._sender = sender
        self._observe = observe
        self._now_ns = now_ns
        self._answers: deque[Event] = deque()
        self._unwritten: set[str] = set()
        self.journal_is_dirty = False
        self.dropped_records = 0
        engine.out.hurry = self._perform

    def take(self, event: Event) -> bool:
        """Give one event to the core and do what it wants. Whether there was anything to do."""
        effects = self._engine.process(event)
        if not effects and not self._answers:
            return False
        self._perform(effects)
        while self._answers:
            self._perform(self._engine.process(self._answers.popleft()))
        return True

    def flush(self) -> None:
        """Make the journal durable."""
        if self.journal_is_dirty:
            self.journal_is_dirty = False
            self._journal.flush()

    def _perform(self, effects: Sequence[Effect]) -> None:
        told: list[JournalRecord | AuditEvent] = []
        has_sent = False
        for effect in effects:
            kind = type(effect)
            if kind is Append:
                self._append(effect.record, told)  # type: ignore[union-attr]  # narrowed by `kind`
            elif kind is Send:
                self._send(effect.message)  # type: ignore[union-attr]  # narrowed by `kind`
                has_sent = True
            else:
                told.append(effect.event)  # type: ignore[union-attr]  # narrowed by `kind`
        if has_sent:
            give_way()  # the gateway may wait for this very processor, with an order in its hands
        if told:
            self._observe(told)

    def _append(self, record: JournalRecord, told: list[JournalRecord | AuditEvent]) -> None:
        try:
            self._journal.append(record)
        except JournalFull:
            if isinstance(record, Intent):
                self._unwritten.add(record.client_order_id)
            elif isinstance(record, (Signal, Audit)):
                self.dropped_records += 1
            self._answers.append(JournalState(self._now_ns(), accepts_entries=False))
            return
        self.journal_is_dirty = True
        told.append(record)

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

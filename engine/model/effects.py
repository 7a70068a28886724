"""What the engine wants done: the shell performs effects in order, and flushes the journal before a Send."""

import msgspec

from engine.model.audit import AuditEvent
from engine.model.records import JournalRecord
from gateways.wire.messages import ToGateway


class Append(msgspec.Struct, frozen=True, gc=False):
    """Write one record to the journal."""

    record: JournalRecord


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send one request to the gateway."""

    message: ToGateway


class Notify(msgspec.Struct, frozen=True, gc=False):
    """Tell people and programs that watch; nothing depends on it."""

    event: AuditEvent


Effect = Append | Send | Notify

"""Effects: what the shell has to do, in order, with a flush of the journal before a `Send`."""

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
    """Tell observers something; nothing depends on it."""

    event: AuditEvent


Effect = Append | Send | Notify

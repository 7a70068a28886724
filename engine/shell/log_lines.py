"""One readable line for each journal record and audit event."""

from engine.execution.entries.signal_log import signal_line
from engine.model import records
from engine.model.audit import AuditEvent, Severity
from engine.model.lots import plain
from engine.model.records import JournalRecord
from runtime.control.shown import ShowPrice

Line = tuple[Severity, str, str]
"""Level, kind and text."""


def line_of(event: JournalRecord | AuditEvent, price: ShowPrice) -> Line | None:
    """The line of one event, or None if it is not of interest to a person."""
    if isinstance(event, records.Record):
        return _of_record(event, price)
    tag = event.__struct_config__.tag
    return event.severity, str(tag), event.line(price)


def _of_record(record: records.Record, price: ShowPrice) -> Line | None:
    if isinstance(record, records.Signal):
        return "info", "signal", signal_line(record, price)
    if isinstance(record, records.Intent):
        return "info", "order", _intent(record, price)
    if isinstance(record, records.Fill):
        return "info", "fill", _fill(record, price)
    if isinstance(record, records.Replied):
        return _reply(record)
    if isinstance(record, records.Settled):
        return "warning", "order", f"{record.client_order_id} did not happen: {record.reason}"
    if isinstance(record, records.Unknown):
        return "warning", "order", f"{record.client_order_id} has an unknown state: {record.reason}"
    if isinstance(record, records.CancelIntent):
        return "info", "cancel", f"{record.client_order_id} {record.symbol}: {record.reason}"
    if isinstance(record, records.CommandGiven):
        return "warning", "command", _command(record)
    if isinstance(record, records.Adjustment):
        return "critical", "adjustment", _adjustment(record)
    return ("info", record.kind, record.text) if isinstance(record, records.Audit) else None


def _command(record: records.CommandGiven) -> str:
    said = (record.arguments.get(name) for name in ("strategy", "symbol", "argument"))
    return " ".join((record.name, *filter(None, said), f"from {record.origin}"))


def _adjustment(record: records.Adjustment) -> str:
    qty = plain(record.qty_base)
    return f"{record.symbol} {record.strategy} {qty}: {record.reason} ({record.evidence})"


def _intent(record: records.Intent, price: ShowPrice) -> str:
    words = [record.side, plain(record.qty_base), record.symbol, record.order_type]
    if record.price is not None:
        words.append(f"at {price(record.symbol, record.price)}")
    if record.stop_price is not None:
        words.append(f"stop {price(record.symbol, record.stop_price)}")
    if record.reduce_only:
        words.append("reduce-only")
    words.append(f"[{record.signal}] {record.client_order_id}")
    return " ".join(words)


def _fill(record: records.Fill, price: ShowPrice) -> str:
    return (
        f"{record.side} {plain(record.qty_base)} {record.symbol} at {price(record.symbol, record.price)} "
        f"fee {plain(record.fee)} {record.fee_asset} [{record.signal or record.strategy}] "
        f"{record.client_order_id}"
    )


def _reply(record: records.Replied) -> Line | None:
    reply = record.reply
    # Without an answer, or unknown to the exchange, it is asked again; the final result gets a line.
    if reply.outcome == "ok" or (record.request == "query" and reply.outcome in {"not_found", "transient"}):
        return None
    if reply.outcome == "not_found" and reply.order is not None:
        # It filled, or the exchange cancelled it, while the request was under way: a common race.
        return (
            "info",
            "reply",
            f"{record.request} of {record.client_order_id}: it was already {reply.order.status}",
        )
    code = f" {reply.code}" if reply.code else ""
    text = f"{record.request} of {record.client_order_id}: {reply.outcome}{code} {reply.message}"
    return "warning", "reply", text.rstrip()

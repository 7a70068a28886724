"""The engine as it is started always, with a clock reading at each border of the tick-to-order path.

`python traced_engine.py OUT [the engine's own arguments]`; see `traced_gateway.py`.
"""

import json
import sys
import time
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.journal.journal import Journal
from engine.shell.live import main as run
from gateways.wire.client import WireClient, _GatewayLink
from gateways.wire.messages import SubmitOrder

BORDERS = ("tick_arrived", "decided", "durable", "order_sent")

now_ns = time.time_ns
_receive, _flush, _send = _GatewayLink.data_received, Journal.flush, WireClient.send


class Trace:
    """Clock readings of the newest bytes and flush, and those of finished orders."""

    arrived_ns = 0
    flush_begun_ns = 0
    flush_ended_ns = 0
    rows: ClassVar[list[tuple[int, ...]]] = []


def receive(self, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as what it stands for
    """Bytes of the gateway have come."""
    Trace.arrived_ns = now_ns()
    _receive(self, data)


def flush(self):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as what it stands for
    """The journal becomes durable."""
    Trace.flush_begun_ns = now_ns()
    _flush(self)
    Trace.flush_ended_ns = now_ns()


def send(self, message):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as what it stands for
    """A request has been written."""
    _send(self, message)
    if type(message) is SubmitOrder and message.caused_by_receive_ns:
        times = Trace.arrived_ns, Trace.flush_begun_ns, Trace.flush_ended_ns, now_ns()
        Trace.rows.append((message.caused_by_receive_ns, *times))


def main() -> int:
    """Trace, run, write down."""
    for owner, name, traced in (
        (_GatewayLink, "data_received", receive),
        (Journal, "flush", flush),
        (WireClient, "send", send),
    ):
        setattr(owner, name, traced)
    try:
        return run(sys.argv[2:])
    finally:
        Path(sys.argv[1]).write_text(json.dumps(Trace.rows))


if __name__ == "__main__":
    sys.exit(main())

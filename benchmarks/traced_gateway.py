"""The gateway as it is started always, with a clock reading at each border of the tick-to-order path.

`python traced_gateway.py OUT [the gateway's own arguments]`. Nothing else is changed. At the end OUT gets one
JSON row an order: the receive time of the tick that caused it, which joins this process's rows with the
engine's, and the wall-clock times (ns) named in `BORDERS`.
"""

import json
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateways.binance.orders.sender import OrderSender
from gateways.binance.rest.http_connection import HttpConnection
from gateways.binance.run_binance import main as run
from gateways.binance.streams.sockets import DirectConnection
from gateways.wire.engine_link import EngineLink
from gateways.wire.messages import OrderBookTick
from gateways.wire.server import WireServer

BORDERS = ("frame_arrived", "tick_written", "order_arrived", "order_written")
REMEMBERED_TICKS = 2_000

now_ns = time.time_ns
_frame, _publish = DirectConnection.data_received, WireServer.publish_market
_request, _submit, _send = EngineLink.data_received, OrderSender.submit, HttpConnection.send


class Trace:
    """Clock readings of the newest frame and order, and those of finished orders."""

    frame_ns = 0
    order_ns = 0
    written_ns = 0
    ticks: ClassVar[OrderedDict[int, tuple[int, int]]] = OrderedDict()
    rows: ClassVar[list[tuple[int, ...]]] = []


def frame(self, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as what it stands for
    """Bytes of a stream have come."""
    Trace.frame_ns = now_ns()
    _frame(self, data)


def publish(self, event):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as what it stands for
    """A tick leaves for the engine."""
    _publish(self, event)
    if type(event) is OrderBookTick:
        Trace.ticks[event.receive_time_ns] = (Trace.frame_ns, now_ns())
        if len(Trace.ticks) > REMEMBERED_TICKS:
            Trace.ticks.popitem(last=False)


def request(self, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as what it stands for
    """Bytes of a request have come."""
    Trace.order_ns = now_ns()
    _request(self, data)


def send(self, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN201  # the same
    """A request to the exchange has been written."""
    future = _send(self, *arguments)
    Trace.written_ns = now_ns()
    return future


def submit(self, engine, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # the same
    """An order has been placed."""
    _submit(self, engine, order)
    tick = Trace.ticks.get(order.caused_by_receive_ns)
    if tick is not None:
        Trace.rows.append((order.caused_by_receive_ns, *tick, Trace.order_ns, Trace.written_ns))


def main() -> int:
    """Trace, run, write down."""
    for owner, name, traced in (
        (DirectConnection, "data_received", frame),
        (WireServer, "publish_market", publish),
        (EngineLink, "data_received", request),
        (HttpConnection, "send", send),
        (OrderSender, "submit", submit),
    ):
        setattr(owner, name, traced)
    try:
        return run(sys.argv[2:])
    finally:
        Path(sys.argv[1]).write_text(json.dumps(Trace.rows))


if __name__ == "__main__":
    sys.exit(main())

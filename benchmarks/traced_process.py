"""Starts the gateway or the engine as usual, with a clock reading at each border of the tick-to-order path.

`python traced_process.py gateway|engine OUT [the process's own arguments]`. Nothing else is changed. When
the process ends, OUT gets one JSON row an order: the receive time of the tick that caused it, which joins
both processes' rows, and the wall-clock times (ns) at the borders named in `GATEWAY` and `ENGINE`.
"""

import json
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GATEWAY = ("frame_arrived", "tick_written", "order_arrived", "order_written")
ENGINE = ("tick_arrived", "decided", "durable", "order_sent")
REMEMBERED_TICKS = 2_000

now_ns = time.time_ns


def wrap(owner: type, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put something around a method."""
    setattr(owner, name, make(getattr(owner, name)))


def trace_gateway(rows: list[list[int]]) -> None:
    """Frame in, tick out; order in, request out."""
    from gateways.binance.http1 import HttpConnection
    from gateways.binance.order_desk import OrderDesk
    from gateways.binance.sockets import DirectConnection
    from gateways.wire.engine_link import EngineLink
    from gateways.wire.server import WireServer

    arrived = order_arrived = written = 0
    ticks: OrderedDict[int, tuple[int, int]] = OrderedDict()

    def frame(inner: Callable[..., Any]) -> Callable[..., Any]:
        def data_received(self: object, data: bytes) -> None:
            nonlocal arrived
            arrived = now_ns()
            inner(self, data)

        return data_received

    def publish(inner: Callable[..., Any]) -> Callable[..., Any]:
        def publish_market(self: object, event: Any) -> None:
            inner(self, event)
            ticks[event.receive_time_ns if hasattr(event, "receive_time_ns") else 0] = (arrived, now_ns())
            if len(ticks) > REMEMBERED_TICKS:
                ticks.popitem(last=False)

        return publish_market

    def request(inner: Callable[..., Any]) -> Callable[..., Any]:
        def data_received(self: object, data: bytes) -> None:
            nonlocal order_arrived
            order_arrived = now_ns()
            inner(self, data)

        return data_received

    def send(inner: Callable[..., Any]) -> Callable[..., Any]:
        def http_send(self: object, *args: Any) -> Any:
            nonlocal written
            future = inner(self, *args)
            written = now_ns()
            return future

        return http_send

    def submit(inner: Callable[..., Any]) -> Callable[..., Any]:
        def desk_submit(self: object, engine: object, order: Any) -> None:
            inner(self, engine, order)
            tick = ticks.get(order.caused_by_receive_ns)
            if tick is not None:
                rows.append([order.caused_by_receive_ns, *tick, order_arrived, written])

        return desk_submit

    wrap(DirectConnection, "data_received", frame)
    wrap(WireServer, "publish_market", publish)
    wrap(EngineLink, "data_received", request)
    wrap(HttpConnection, "send", send)
    wrap(OrderDesk, "submit", submit)


def trace_engine(rows: list[list[int]]) -> None:
    """Tick in; decision made; intent durable; order out."""
    from engine.storage.journal import Journal
    from gateways.wire.client import WireClient, _GatewayLink
    from gateways.wire.messages import SubmitOrder

    arrived = flush_begun = flush_ended = 0

    def receive(inner: Callable[..., Any]) -> Callable[..., Any]:
        def data_received(self: object, data: bytes) -> None:
            nonlocal arrived
            arrived = now_ns()
            inner(self, data)

        return data_received

    def flush(inner: Callable[..., Any]) -> Callable[..., Any]:
        def journal_flush(self: object) -> None:
            nonlocal flush_begun, flush_ended
            flush_begun = now_ns()
            inner(self)
            flush_ended = now_ns()

        return journal_flush

    def send(inner: Callable[..., Any]) -> Callable[..., Any]:
        def client_send(self: object, message: Any) -> None:
            inner(self, message)
            if type(message) is SubmitOrder and message.caused_by_receive_ns:
                rows.append([message.caused_by_receive_ns, arrived, flush_begun, flush_ended, now_ns()])

        return client_send

    wrap(_GatewayLink, "data_received", receive)
    wrap(Journal, "flush", flush)
    wrap(WireClient, "send", send)


def main() -> int:
    """Trace, run, write down."""
    which, out = sys.argv[1:3]
    sys.path[0] = str(ROOT)
    rows: list[list[int]] = []
    if which == "gateway":
        from gateways.binance.run_binance import main as run

        trace_gateway(rows)
    else:
        from engine.shell.live import main as run

        trace_engine(rows)
    try:
        return run(sys.argv[3:])
    finally:
        Path(out).write_text(json.dumps(rows))


if __name__ == "__main__":
    sys.exit(main())

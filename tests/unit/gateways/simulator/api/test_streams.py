import json
import zlib

import pytest

from gateways.simulator.api.streams.hub import MAX_BACKLOG_BYTES, Hub, StreamSocket, class_of, text_frame
from gateways.simulator.api.streams.requests import answer, parse_stream_url


class Transport:
    """Keeps what is written, as a transport whose reader has stopped."""

    def __init__(self) -> None:
        self.written = []
        self.aborted = False

    def write(self, data: bytes):
        self.written.append(data)

    def is_closing(self):
        return self.aborted

    def get_write_buffer_size(self):
        return sum(map(len, self.written))

    def abort(self):
        self.aborted = True


def payload_of(frame: bytes):
    size = frame[1]
    start = 2 if size < 126 else 4 if size == 126 else 10
    body = frame[start:]
    if frame[0] & 0x40:
        body = zlib.decompressobj(wbits=-15).decompress(body + b"\x00\x00\xff\xff")
    return json.loads(body)


def listening(hub: Hub, *streams: str, route: str = "", wrapped: bool = False, bits: int = 0):
    socket = StreamSocket(Transport(), route, wrapped, 0, bits)
    hub.add(socket)
    hub.subscribe(socket, streams)
    return socket


def received(socket: StreamSocket):
    return [payload_of(frame) for frame in socket.transport.written]


@pytest.mark.parametrize(
    ("target", "route", "wrapped", "streams", "events"),
    [
        ("/ws", "", False, [], {}),
        ("/stream", "", True, [], {}),
        ("/ws/btcusdt@depth", "", False, ["btcusdt@depth"], {}),
        ("/ws/btcusdt@depth/ethusdt@trade", "", False, ["btcusdt@depth", "ethusdt@trade"], {}),
        ("/public/ws/0", "public", False, ["0"], {}),
        (
            "/market/stream?streams=a@kline_1m/!miniTicker@arr",
            "market",
            True,
            ["a@kline_1m", "!miniTicker@arr"],
            {},
        ),
        ("/private/ws?listenKey=K", "private", False, ["K"], {}),
        ("/private/ws/K", "private", False, ["K"], {}),
        ("/ws?listenKey=K", "", False, ["K"], {}),
        ("/stream?streams=K", "", True, ["K"], {}),
        (
            "/private/stream?listenKey=K&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE",
            "private",
            True,
            ["K"],
            {"K": {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"}},
        ),
        (
            "/private/stream?listenKey=K&events=A&listenKey=L&events=B",
            "private",
            True,
            ["K", "L"],
            {"K": {"A"}, "L": {"B"}},
        ),
        ("/private/ws?events=A&listenKey=K", "private", False, ["K"], {"K": {"A"}}),
        ("/private/ws/K?events=A", "private", False, ["K"], {"K": {"A"}}),
    ],
)
def test_every_form_of_stream_url(
    target: str, route: str, wrapped: bool, streams: str, events: dict[str, set[str]]
):
    path, _, query = target.partition("?")
    url = parse_stream_url(path, query)
    assert (url.route, url.wrapped, url.streams) == (route, wrapped, streams)
    assert {key: set(names) for key, names in url.events.items()} == events


@pytest.mark.parametrize("path", ["/", "/public", "/other/ws", "/fapi/v1/order", "/wsx"])
def test_other_paths_are_no_streams(path: str):
    assert parse_stream_url(path, "") is None


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("btcusdt@trade", "public"),
        ("btcusdt@depth", "public"),
        ("btcusdt@depth20@100ms", "public"),
        ("btcusdt@rpiDepth@500ms", "public"),
        ("btcusdt@bookTicker", "public"),
        ("!bookTicker", "public"),
        ("btcusdt@aggTrade", "market"),
        ("btcusdt@markPrice@1s", "market"),
        ("btcusdt@kline_1m", "market"),
        ("btcusdt_perpetual@continuousKline_1m", "market"),
        ("!markPrice@arr", "market"),
        ("!forceOrder@arr", "market"),
        ("Kabc123", "private"),
    ],
)
def test_class_of_a_stream(stream: str, expected: str):
    assert class_of(stream) == expected


def test_one_event_reaches_raw_wrapped_and_deflated_subscribers_alike():
    hub = Hub()
    raw, wrapped = listening(hub, "a@trade"), listening(hub, "a@trade", wrapped=True)
    packed = listening(hub, "a@trade", bits=15)
    other = listening(hub, "b@trade")
    hub.publish("a@trade", {"p": "1", "long": "x" * 70_000})
    assert received(raw) == received(packed) == [{"p": "1", "long": "x" * 70_000}]
    assert received(wrapped) == [{"stream": "a@trade", "data": {"p": "1", "long": "x" * 70_000}}]
    assert received(other) == []


def test_market_data_hears_of_the_first_and_the_last_listener():
    hub = Hub()
    heard = []
    hub.on_first = lambda name: heard.append(("first", name))
    hub.on_last = lambda name: heard.append(("last", name))
    one, two = listening(hub, "a@trade"), listening(hub, "a@trade", "a@trade")
    hub.remove(one)
    hub.remove(two)
    assert heard == [("first", "a@trade"), ("last", "a@trade")]


@pytest.mark.parametrize(
    ("route", "stream", "arrives"),
    [
        ("", "a@bookTicker", True),
        ("", "a@aggTrade", False),
        ("public", "a@depth", True),
        ("public", "a@kline_1m", False),
        ("market", "a@kline_1m", True),
        ("market", "a@bookTicker", False),
        ("private", "a@bookTicker", False),
    ],
)
def test_strict_routing_leaves_the_wrong_class_silent(route: str, stream: str, arrives: bool):
    strict, lenient = Hub(strict_routing=True), Hub()
    sockets = [listening(hub, stream, route=route) for hub in (strict, lenient)]
    for hub in (strict, lenient):
        hub.publish(stream, {})
    assert [bool(received(socket)) for socket in sockets] == [arrives, True]
    assert json.loads(answer(strict, sockets[0], '{"method":"LIST_SUBSCRIPTIONS","id":1}'))["result"] == [
        stream
    ]


def test_a_reader_that_stops_is_cut_off_at_the_bound():
    hub = Hub()
    socket = listening(hub, "a@depth")
    for _ in range(100):
        hub.publish("a@depth", {"x": "y" * (MAX_BACKLOG_BYTES // 50)})
    assert socket.transport.aborted
    assert socket.transport.get_write_buffer_size() <= MAX_BACKLOG_BYTES * 1.05


def test_silenced_streams_say_nothing_until_the_silence_ends():
    hub = Hub()
    socket = listening(hub, "a@depth", "a@trade")
    hub.silence(["*@depth"])
    hub.publish("a@depth", {"n": 1})
    hub.publish("a@trade", {"n": 2})
    hub.silence([])
    hub.publish("a@depth", {"n": 3})
    assert received(socket) == [{"n": 2}, {"n": 3}]


def test_events_are_an_allow_list():
    hub = Hub()
    socket = listening(hub, "K", wrapped=True)
    socket.events = {"K": frozenset({"ORDER_TRADE_UPDATE"})}
    for event in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "listenKeyExpired"):
        hub.publish_private("K", event, json.dumps({"e": event}).encode())
    assert received(socket) == [{"stream": "K", "data": {"e": "ORDER_TRADE_UPDATE"}}]


@pytest.mark.parametrize("identifier", [1, "a-uuid"])
def test_requests_are_answered_with_their_id(identifier: int | str):
    hub = Hub()
    socket = listening(hub)

    def ask(method: str, params: object = None) -> dict[str, object]:
        request = {"method": method, "id": identifier}
        if params is not None:
            request["params"] = params
        return json.loads(answer(hub, socket, json.dumps(request)))

    assert ask("SUBSCRIBE", ["a@depth", "nonsense"]) == {"result": None, "id": identifier}
    assert ask("LIST_SUBSCRIPTIONS") == {"result": ["a@depth", "nonsense"], "id": identifier}
    assert ask("UNSUBSCRIBE", ["nonsense"]) == {"result": None, "id": identifier}
    assert ask("GET_PROPERTY", ["combined"]) == {"result": False, "id": identifier}
    assert ask("SET_PROPERTY", ["combined", True]) == {"result": None, "id": identifier}
    assert ask("GET_PROPERTY", ["combined"]) == {"result": True, "id": identifier}
    assert ask("SET_PROPERTY", ["colour", True])["error"]["code"] == 0
    assert ask("SET_PROPERTY", ["combined", 1])["error"]["code"] == 1
    assert ask("DANCE")["error"]["code"] == 2
    assert ask("SUBSCRIBE", [1])["error"]["code"] == 2


@pytest.mark.parametrize(
    ("text", "code"), [("{", 3), ("[]", 2), ('{"method":"SUBSCRIBE","params":1,"id":1}', 2)]
)
def test_malformed_requests_are_answered_with_an_error(text: str, code: int | None):
    assert json.loads(answer(Hub(), listening(Hub()), text))["error"]["code"] == code


def test_a_connection_carries_1024_streams_at_most():
    hub = Hub()
    socket = listening(hub)
    ask = json.dumps({"method": "SUBSCRIBE", "params": [f"s{n}@trade" for n in range(1024)], "id": 1})
    assert json.loads(answer(hub, socket, ask))["result"] is None
    assert "error" in json.loads(answer(hub, socket, '{"method":"SUBSCRIBE","params":["one@trade"],"id":2}'))


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frame_header_states_the_size(size: int):
    frame = text_frame(b"x" * size)
    assert frame[0] == 0x81
    if size <= 125:
        assert frame[1] == size
    elif size <= 65_535:
        assert (frame[1], int.from_bytes(frame[2:4], "big")) == (126, size)
    else:
        assert (frame[1], int.from_bytes(frame[2:10], "big")) == (127, size)
    assert frame.endswith(b"x" * size)

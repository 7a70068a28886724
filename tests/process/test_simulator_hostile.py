"""No single request ends the simulator: bytes, headers and JSON that a hostile hand would send."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from gateways.simulator.api.access.control_token import HEADER
from tests.process.simulator_process import KEY, Simulator, now_ms, sign, simulator

DEEP = "[" * 5000 + "]" * 5000
DEEP_OBJECT = '{"a":' * 5000 + "1" + "}" * 5000
COMMANDS = {
    "faults": ["endpoint", "kind", "times", "skip", "delay_ms", "code", "http_status", "retry_after_s"],
    "events": ["event", "action", "times", "delay_ms"],
    "silence": ["streams"],
    "price": ["symbol", "index", "mark", "last"],
    "funding": ["symbol", "rate"],
    "brackets": ["symbol", "rows"],
    "balance": ["amount", "account"],
    "account": ["account", "key", "secret", "balance"],
    "order": ["symbol", "side", "type", "quantity", "price", "timeInForce"],
    "algoOrder": ["symbol", "side", "type", "quantity", "triggerPrice", "callbackRate"],
    "clock": ["skew_ms"],
    "limits": ["weight_1m", "ban_ms", "ban_after"],
    "sockets": ["ping_s", "life_s", "messages_per_s"],
}
LIKELY = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "kind": "error", "action": "lose"}
values = st.one_of(
    st.sampled_from(
        [
            "Infinity",
            "-Infinity",
            "NaN",
            "1e400",
            "-1e308",
            "1e999999999",
            "0",
            "",
            "é",
            "\ud83d\ude00",
            "BTCUSDT",
            "9" * 400,
        ]
    ),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals().map(str),
    st.booleans(),
    st.none(),
    st.text(max_size=20),
    st.lists(st.none() | st.integers(), max_size=3),
)
commands = st.sampled_from(sorted(COMMANDS)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.fixed_dictionaries(
            {},
            optional={
                field: st.just(LIKELY[field]) | values if field in LIKELY else values
                for field in COMMANDS[name]
            },
        ),
    )
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("hostile"), "--no-limits") as running:
        yield running


def _raw(sim: Simulator, request: bytes) -> bytes:
    """Answer to the bytes as given; empty where the connection was cut."""
    with socket.create_connection(("127.0.0.1", sim.port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def _lives(sim: Simulator) -> None:
    assert sim.process.poll() is None
    assert sim.send("GET", "/fapi/v1/ping").status == 200
    row = sim.public("/fapi/v1/premiumIndex", symbol="BTCUSDT")
    assert isinstance(row, dict)
    assert all(word not in json.dumps(row) for word in ("NaN", "Infinity"))


def _request(line: str, *headers: bytes, body: bytes = b"") -> bytes:
    lines = [line.encode("utf-8"), b"Host: x", b"Connection: close", *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


ORDER = "POST /fapi/v1/order HTTP/1.1"
RAW = {
    "no gzip": _request(ORDER, b"Content-Encoding: gzip", body=b"symbol=BTCUSDT"),
    "no deflate": _request(ORDER, b"Content-Encoding: deflate", body=b"\xff\x00\x01"),
    "no brotli": _request(ORDER, b"Content-Encoding: br", body=b"abc"),
    "unknown encoding": _request(ORDER, b"Content-Encoding: \xc3\xa9", body=b"abc"),
    "key that is not ASCII": _request("GET /fapi/v3/account HTTP/1.1", b"X-MBX-APIKEY: \xff\xe9"),
    "broken chunks": _request(ORDER, b"Transfer-Encoding: chunked") + b"zz\r\nabc\r\n",
    "path that is not ASCII": b"GET /fapi/v1/\xff\xfe?symbol=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "token that is not ASCII": _request(
        "POST /_control/balance HTTP/1.1", b"X-Control-Token: \xff\xe9", body=b'{"amount":"1"}'
    ),
    "upgrade without a key": _request("GET /ws HTTP/1.1", b"Upgrade: websocket", b"Connection: Upgrade"),
    "too many parameters": _request(
        f"GET /ws?{'&'.join(f'a{i}=1' for i in range(200))} HTTP/1.1", b"Upgrade: websocket"
    ),
    "body too long": _request(ORDER, body=b"x" * 2_000_000),
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_good_request_get_an_error_and_end_nothing(target: Simulator, name: str):
    answer = _raw(target, RAW[name])
    assert answer == b"" or answer.split(b" ", 2)[1] in {b"400", b"401", b"404", b"413", b"426"}
    _lives(target)


@pytest.mark.parametrize("deep", [DEEP, DEEP_OBJECT, "[" * 200_000])
def test_json_nested_five_thousand_deep_is_refused_wherever_it_comes(target: Simulator, deep: str):
    assert target.command("POST", "silence", f'{{"streams":{deep}}}').status == 400
    assert target.command("POST", "order", f'{{"symbol":{deep}}}').status == 400
    query = f"batchOrders={deep[:20_000]}&timestamp={now_ms()}"
    body = f"{query}&signature={sign(query)}"
    assert target.send("POST", "/fapi/v1/batchOrders", body, {"X-MBX-APIKEY": KEY}).json["code"] == -1130
    for path in ("/ws", "/ws-fapi/v1"):
        with connect(target.ws + path) as client:
            client.send(f'{{"id":1,"method":"time","params":{deep}}}')
            assert "error" in json.loads(client.recv(20))
    _lives(target)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=commands)
def test_every_command_is_done_or_refused_with_a_sentence(
    target: Simulator, command: tuple[str, dict[str, Any]]
):
    name, body = command
    if (
        name == "clock"
    ):  # the exchange's time never goes back: ahead it would stay so for the tests after this
        skew_ms = body.get("skew_ms")
        assume(not isinstance(skew_ms, int | float) or not 0 < skew_ms <= 86_400_000)
    reply = target.command("POST", name, json.dumps(body))
    assert reply.status in {200, 400}, (reply.status, reply.body)
    assert reply.status == 200 or reply.json["error"]
    target.command("DELETE", "faults", "{}")
    target.command("POST", "clock", '{"skew_ms":0}')
    target.command("POST", "sockets", '{"messages_per_s":10000}')
    target.command("POST", "limits", '{"reset":true,"weight_1m":1000000000,"ban_after":0}')
    _lives(target)


@pytest.mark.parametrize("skew_ms", [10**15, -(10**15), 2**63, 86_400_001])
def test_a_huge_clock_skew_is_refused(target: Simulator, skew_ms: int):
    assert target.command("POST", "clock", json.dumps({"skew_ms": skew_ms})).status == 400
    _lives(target)


@pytest.mark.parametrize(
    "number", ["Infinity", "NaN", "-Infinity", "1e400", "1e99", "1e-99", "٣", "1_000", "1\n"]
)
def test_a_number_that_is_none_gets_a_code(target: Simulator, number: str):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    for field in ("quantity", "price"):
        sent = order | {"quantity": "0.01", "price": "60000"} | {field: number}
        assert target.code("POST", "/fapi/v1/order", **sent) == -1102
    assert target.code("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=number) == -1130


@pytest.mark.parametrize("number", ["1e999999999", "-1e999999999", "NaN", "sNaN"])
def test_a_decimal_out_of_all_proportion_is_refused_in_one_sentence(target: Simulator, number: str):
    refused = (
        ("price", {"symbol": "BTCUSDT", "mark": number}),
        ("price", {"symbol": "BTCUSDT", "last": number}),
        ("balance", {"amount": number}),
        ("funding", {"symbol": "BTCUSDT", "rate": number}),
        ("account", {"account": "a", "key": "a", "balance": number}),
    )
    for name, body in refused:
        answer = target.command("POST", name, json.dumps(body))
        assert answer.status == 400, (name, answer.body)
        assert "expected a finite number" in answer.json["error"]


def test_a_control_that_was_opened_by_hand_needs_no_token(tmp_path: Path):
    with simulator(tmp_path, "--open-control") as sim:
        assert sim.send("POST", "/_control/balance", '{"amount":"1"}').status == 200
        assert (tmp_path / "control_token").stat().st_mode & 0o777 == 0o600
        assert HEADER not in sim.send("GET", "/_control/state").body.decode()

"""The simulator as a process: how it starts, what survives a kill, how it ends."""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.process.simulator_process import KEY, ROOT, Simulator, simulator

ORDER = "/fapi/v1/order"


def buy(sim: Simulator, quantity: str = "0.01", **more: object) -> dict[str, object]:
    return sim.ask("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quantity=quantity, **more)


def rest(sim: Simulator, factor: float = 0.97, **more: object) -> dict[str, object]:
    price = round(sim.price() * factor, 1)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    return sim.ask("POST", ORDER, **order | {"price": price} | more)


def account_of(sim: Simulator) -> tuple[object, ...]:
    state = sim.ask("GET", "/fapi/v3/account")
    positions = [(row["symbol"], row["positionAmt"]) for row in state["positions"]]
    return (
        state["totalWalletBalance"],
        positions,
        sim.ask("GET", "/fapi/v1/openOrders"),
        sim.ask("GET", "/fapi/v1/openAlgoOrders"),
        sim.ask("GET", "/fapi/v1/userTrades", symbol="BTCUSDT"),
        sim.ask("GET", "/fapi/v1/symbolConfig"),
    )


def test_everything_that_was_answered_survives_a_kill(tmp_path: Path):
    with simulator(tmp_path) as sim:
        sim.ask("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
        first = buy(sim)
        rest(sim, newClientOrderId="resting")
        stop = sim.ask(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_MARKET",
            triggerPrice=round(sim.price() * 0.9, 1),
            quantity="0.01",
        )
        key = sim.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY}).json
        before = account_of(sim)
        sim.kill()
    with simulator(tmp_path) as sim:
        assert account_of(sim) == before
        assert sim.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY}).json == key
        assert sim.ask("GET", ORDER, symbol="BTCUSDT", orderId=first["orderId"])["status"] == "FILLED"
        assert sim.code("POST", ORDER, **order_again(sim)) == -4116
        assert buy(sim)["orderId"] > max(first["orderId"], before[2][0]["orderId"])
        assert rest(sim)["status"] == "NEW"
        assert sim.ask("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])["code"] == "200"


def order_again(sim: Simulator) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": round(sim.price() * 0.97, 1),
        "newClientOrderId": "resting",
    }


def test_a_kill_amid_requests_forgets_no_answer_and_repeats_no_id(tmp_path: Path):
    seen: dict[int, str] = {}
    for round_number in range(3):
        with simulator(tmp_path) as sim:
            for order_id, name in seen.items():
                found = sim.ask("GET", ORDER, symbol="BTCUSDT", orderId=order_id)
                assert found["clientOrderId"] == name
            answered = threading.Event()

            def trade(
                sim: Simulator = sim, tag: int = round_number, answered: threading.Event = answered
            ) -> None:
                for number in itertools.count():
                    name = f"r{tag}-{number}"
                    try:
                        placed = rest(sim, newClientOrderId=name, side="BUY")
                    except (OSError, json.JSONDecodeError):
                        return
                    assert placed["orderId"] not in seen
                    seen[placed["orderId"]] = name
                    if number == 15:
                        answered.set()

            worker = threading.Thread(target=trade, args=(sim, round_number, answered))
            worker.start()
            assert answered.wait(20)
            sim.kill()
            worker.join(20)


def test_an_orderly_end_and_start_changes_nothing(tmp_path: Path):
    with simulator(tmp_path) as sim:
        buy(sim)
        rest(sim)
        before = account_of(sim)
    with simulator(tmp_path) as sim:
        assert account_of(sim) == before


def test_history_and_price_go_on_after_a_restart(tmp_path: Path):
    with simulator(tmp_path) as sim:
        bars = sim.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1h", limit=50)[:-1]
        price = sim.price()
        sim.kill()
    with simulator(tmp_path) as sim:
        again = sim.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1h", limit=50)
        assert again[: len(bars)] == bars or again[: len(bars) - 1] == bars[1:]
        assert sim.price() == pytest.approx(price, rel=0.01)


def test_keys_are_made_once_and_announced_without_the_secret(tmp_path: Path):
    with simulator(tmp_path, keys=False) as sim:
        text = (tmp_path / "binance_keys").read_text()
        values = dict(line.split("=", 1) for line in text.split())
        assert f"API key and secret in {tmp_path / 'binance_keys'}" in sim.said
        assert not any(values["api_secret"] in line for line in sim.said)
        reply = sim.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": values["api_key"]})
        assert reply.status == 200
    with simulator(tmp_path, keys=False):
        assert (tmp_path / "binance_keys").read_text() == text


def test_it_ends_in_order_when_stdin_closes(tmp_path: Path):
    with simulator(tmp_path, "--exit-with-stdin") as sim:
        sim.process.stdin.close()
        assert sim.process.wait(20) == 0
        sim.process.stdin = None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--market", "dreams"], "--market dreams"),
        (["--symbols", "NOPEUSDT"], "--symbols NOPEUSDT"),
        (["--key", "k"], "--key and --secret"),
        (["--speed", "0"], "--speed 0"),
        (["--speed", "nan"], "--speed nan"),
        (["--epoch", "99999999999999999999"], "--epoch 99999999999999999999"),
        (["--balance", "Infinity"], "--balance Infinity"),
        (["--public-key", "/nowhere/key.pem"], "--public-key /nowhere/key.pem: No such file"),
        (["--public-key", "README.md"], "--public-key README.md: expected a public key"),
        (["--state", "/proc/nowhere"], "--state /proc/nowhere"),
    ],
)
def test_wrong_options_get_one_sentence(options: list[str], words: str, tmp_path: Path):
    command = [sys.executable, "-m", "gateways.simulator", "--port", "0", "--state", str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("binance_keys", "api_key=k\n"),
        ("api_keys.json", ""),
        ("api_keys.json", '[{"key": "k", "account": "1"}]'),
        ("listen_keys.json", "{"),
        ("control_token", "short"),
        ("clock.json", '{"speed": "fast"}'),
    ],
)
def test_a_damaged_file_of_keys_is_named_in_one_sentence(name: str, text: str, tmp_path: Path):
    (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "gateways.simulator", "--port", "0", "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"simulator: {tmp_path / name}: ")
    assert done.stderr.rstrip().endswith("fix or remove it")
    assert len(done.stderr.splitlines()) == 1


def test_one_folder_serves_one_simulator(tmp_path: Path):
    with simulator(tmp_path), pytest.raises(AssertionError, match="another simulator"), simulator(tmp_path):
        pass


def test_speed_scales_one_epoch_for_all(tmp_path: Path):
    epoch = 1_700_000_000_000
    with simulator(tmp_path, "--speed", "20", "--epoch", str(epoch)) as sim:
        claimed = sim.public("/fapi/v1/time")["serverTime"]
        state = sim.control("GET", "state")
        assert state["speed"] == 20
        assert claimed > epoch + 20 * 86_400_000
        assert sim.signed("GET", "/fapi/v3/balance", timestamp=claimed).status in {200, 400}
        bar = sim.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=1)[0]
        assert abs(bar[0] - claimed) < 600_000


def test_strict_routing_is_an_option(tmp_path: Path):
    with simulator(tmp_path, "--strict-routing") as sim:
        assert sim.control("GET", "state")["strict_routing"] is True


def test_compression_is_offered_when_asked_for(tmp_path: Path):
    program = (
        "import sys, json\nfrom websockets.sync.client import connect\n"
        "with connect(sys.argv[1] + '/stream?streams=btcusdt@bookTicker') as socket:\n"
        "    print(len(socket.protocol.extensions), json.loads(socket.recv())['stream'])\n"
    )
    with simulator(tmp_path, "--deflate") as sim:
        done = subprocess.run(
            [sys.executable, "-c", program, sim.ws], capture_output=True, text=True, timeout=20, check=True
        )
    assert done.stdout.split() == ["1", "btcusdt@bookTicker"]


def test_a_client_that_stops_reading_is_cut_off(tmp_path: Path):
    with simulator(tmp_path, "--speed", "60") as sim, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", sim.port))
        streams = "/".join(
            f"{name}@{kind}" for name in ("btcusdt", "ethusdt") for kind in ("depth@0ms", "bookTicker")
        )
        lines = (
            f"GET /stream?streams={streams} HTTP/1.1",
            f"Host: 127.0.0.1:{sim.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        deaf.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert deaf.recv(12) == b"HTTP/1.1 101"
        for expected in (1, 0):
            while sim.control("GET", "state")["stream_connections"] != expected:
                pass
        assert sim.public("/fapi/v1/ping") == {}


def test_a_port_that_was_taken_while_it_was_down_is_waited_for(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "gateways.simulator", "--port", str(port), "--state", str(tmp_path)]
        first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert first.returncode == 2
        assert f"--port {port}: " in first.stderr
        again = subprocess.Popen(
            [*command, "--exit-with-stdin"],
            cwd=ROOT,
            env={**os.environ, "NEXTBAR_WAS_UP": "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert again.stdout is not None
        assert again.stdin is not None
        assert any(f"another program listens on port {port}; waiting" in line for line in again.stdout)
    assert any("listening on http://" in line for line in again.stdout)
    again.stdin.close()
    assert again.wait(30) == 0
    again.stdout.close()

"""A simulator in a process of its own, and the plainest of clients for it."""

import asyncio
import contextlib
import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateways.simulator.api.access.control_token import FILE, HEADER

ROOT = Path(__file__).resolve().parents[2]
ORDER = "/fapi/v1/order"
PATIENCE_S = 20
KEY, SECRET = "k" * 64, "s" * 64
READY = "listening on http://"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass
class Simulator:
    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def send(
        self, method: str, target: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """One request with the bytes as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, names, answer.read())
        finally:
            connection.close()

    def public(self, path: str, **params: object) -> object:
        reply = self.send("GET", f"{path}?{urlencode(params)}")
        assert reply.status == 200, reply.body
        return reply.json

    def signed(self, method: str, path: str, **params: object) -> Reply:
        params.setdefault("timestamp", int(time.time() * 1000))
        query = urlencode(params, quote_via=quote)
        return self.send(method, f"{path}?{query}&signature={sign(query)}", headers={"X-MBX-APIKEY": KEY})

    def ask(self, method: str, path: str, **params: object) -> dict[str, object]:
        """A signed request that has to succeed."""
        reply = self.signed(method, path, **params)
        assert reply.status == 200, reply.body
        return reply.json

    def code(self, method: str, path: str, **params: object) -> int:
        """Error code of a signed request that has to fail."""
        reply = self.signed(method, path, **params)
        assert reply.status != 200, reply.body
        return reply.json["code"]

    def control(self, method: str, name: str, **body: object) -> object:
        reply = self.command(method, name, json.dumps(body))
        assert reply.status == 200, reply.body
        return reply.json

    def command(self, method: str, name: str, body: str) -> Reply:
        """A control command with the body as given, and the token."""
        return self.send(method, f"/_control/{name}", body, {HEADER: self.token})

    def price(self) -> float:
        return float(self.public("/fapi/v1/ticker/bookTicker", symbol="BTCUSDT")["bidPrice"])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)


def sign(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


@contextlib.contextmanager
def simulator(state: Path, *options: str, keys: bool = True) -> Iterator[Simulator]:
    """Run a simulator until the end of the block; it must end in order then, unless it was killed."""
    command = [sys.executable, "-m", "gateways.simulator", "--port", "0", "--state", str(state), *options]
    if keys:
        command += ["--key", KEY, "--secret", SECRET]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith(READY):
                break
        else:
            raise AssertionError(process.stderr.read())
        try:
            token = (state / FILE).read_text().strip()
            yield Simulator(process, int(said[-1].rpartition(":")[2]), said, token)
        finally:
            killed = process.poll() is not None
            process.terminate()
            _, errors = process.communicate(timeout=20)
        assert killed or (process.returncode == 0 and errors == ""), errors


def now_ms() -> int:
    return int(time.time() * 1000)


def limit_order(sim: Simulator, **changes: object) -> dict[str, object]:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    return order | {"price": round(sim.price() * 0.98, 1)} | changes


async def until(socket: ClientConnection, wanted: Callable[[dict], bool]) -> dict:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = json.loads(await socket.recv())
            if wanted(message):
                return message


async def end_of(socket: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code


async def ask(socket: ClientConnection, request: dict) -> dict:
    await socket.send(json.dumps(request))
    return await until(socket, lambda message: "id" in message and message["id"] == request["id"])


def user_events(
    sim: Simulator,
    action: Callable[[], object],
    last: Callable[[dict], bool],
    path: str = "/private/ws/{key}",
) -> list[dict]:
    """All user events from the start of `action` to the one that `last` recognises."""
    key = sim.send("POST", "/fapi/v1/listenKey", headers={"X-MBX-APIKEY": KEY}).json["listenKey"]
    heard: list[dict] = []

    async def listen() -> None:
        async with connect(sim.ws + path.format(key=key)) as socket:
            await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
            await asyncio.to_thread(action)

            def note(message: dict) -> bool:
                heard.append(message)
                return last(message)

            await until(socket, note)

    asyncio.run(listen())
    return heard

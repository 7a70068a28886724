"""A demo behind a proxy, the levers that break it, and what must hold after each break."""

import contextlib
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.orders.order_states import UNSETTLED
from gateways.simulator.api.access.control_token import FILE, HEADER
from runtime.control.status import EngineStatus
from runtime.settings.environment import free_port
from tests.long.fault_proxy import Proxy
from tests.process.demo_kills import BACK_SECONDS, BUSY_CONFIG, PROTECTIONS, Killer, entries_open
from tests.process.demo_rig import PROCESSES, Client, Demo
from tests.process.turning import python_path

SYMBOL = "BTCUSDT"
BAN_SECONDS = 120.0
"""A 403 names no term; so long nothing is asked then."""
WELL_SECONDS = 90.0
"""Within so long after the last fault everything must be well again, and an order must have filled."""
SAME_SECONDS = 90.0
"""Without an event that tells, the engine looks once a minute."""
MOVE, MOVE_SECONDS = 0.0002, 1.3
GATEWAY = """
[gateway]
rest_url = "http://127.0.0.1:{port}"
public_stream_url = "ws://127.0.0.1:{port}/public"
market_stream_url = "ws://127.0.0.1:{port}/market"
private_stream_url = "ws://127.0.0.1:{port}/private"
"""
SCRIPT = 'name = "fault_script"'
CROSSOVER = 'name = "sma_crossover_inflection"'
CROSSOVER_PARAMS = "params = { short = 1, long = 2, smoothing = 1 }"
UNSETTLED_WORDS = {state.name for state in UNSETTLED} | {str(state) for state in UNSETTLED}


class NotWell(Exception):
    """What is still wrong after a fault; the text is for the report."""


class Scene:
    """One demo with everything that faults need."""

    def __init__(self, home: Path, seed: int, *, script: bool) -> None:
        self.random = random.Random(seed)
        self.script = script
        self.proxy = Proxy(lambda: self._port("simulator"), free_port())
        self.proxy.start()
        config = BUSY_CONFIG.format(seed=seed, protection=PROTECTIONS["stop"])
        if script:
            config = config.replace(CROSSOVER, SCRIPT).replace(CROSSOVER_PARAMS, "")
        config = config.replace("[risk]", GATEWAY.format(port=self.proxy.port) + "[risk]")
        variables = {"PYTHONPATH": python_path()} if script else {}
        self.demo = Demo(home, config=config, environment=variables)
        self.killer = Killer(self.demo, self.random)
        self.by_hand: set[str] = set()
        self.stopped_seconds = 0.0
        """So long the last fault keeps all requests back."""
        self._read_bytes = 0
        self._over = threading.Event()
        self._mover = threading.Thread(target=self._move_market, daemon=True)
        self._mover.start()

    def close(self) -> None:
        self._over.set()
        self._mover.join(30)
        self.demo.abandon()
        self.proxy.close()

    def _move_market(self) -> None:
        """A market that never stands still for long, so that there is always something to trade."""
        up = True
        while not self._over.wait(MOVE_SECONDS):
            with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):
                last = float(self._ask("GET", "state")["symbols"][SYMBOL]["last"])
                moved = last * (1.0 + MOVE if up else 1.0 - MOVE)
                self._ask("POST", "price", symbol=SYMBOL, last=f"{moved:.1f}")
                up = not up

    def _port(self, name: str) -> int:
        ports = json.loads((self.demo.home / "data" / "demo" / "ports.json").read_text())
        return int(ports[name])

    @property
    def symbol(self) -> str:
        return SYMBOL

    def control(self, method: str, command: str, **body: object) -> Any:  # noqa: ANN401  # JSON
        """A command to the simulator, past the proxy; asked again while there is no simulator."""
        deadline = time.monotonic() + BACK_SECONDS
        while True:
            try:
                return self._ask(method, command, **body)
            except urllib.error.HTTPError as error:
                raise AssertionError(f"{method} {command}: {error.read().decode()}") from error
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _ask(self, method: str, command: str, **body: object) -> Any:  # noqa: ANN401  # JSON
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port('simulator')}/_control/{command}",
            data=json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json", HEADER: self._control_token()},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def _control_token(self) -> str:
        return (self.demo.home / "data" / "demo" / "simulator" / FILE).read_text().strip()

    def fault(self, endpoint: str, kind: str, **more: object) -> None:
        self.control("POST", "faults", endpoint=endpoint, kind=kind, **more)

    def faults_left(self) -> bool:
        found = self.control("GET", "faults")
        return bool(found["requests"] or found["events"])

    def wait_until_met(self, seconds: float = 12.0) -> bool:
        """Until the faults that were set have been met; those that were not are withdrawn."""
        deadline = time.monotonic() + seconds
        while self.faults_left() or self.proxy.rules:
            if time.monotonic() > deadline:
                self.control("DELETE", "faults")
                self.proxy.rules.clear()
                return False
            time.sleep(0.05)
        return True

    def wait_for_an_order(self) -> bool:
        return self.killer.wait_for_an_order()

    def pause(self, longest: float) -> float:
        """How long a disturbance lasts: seconds, mostly short."""
        seconds = longest * self.random.random() ** 2
        time.sleep(seconds)
        return round(seconds, 2)

    def fills(self) -> int:
        """Of all starts of the engine."""
        counts = self.demo.status().since_journal_began
        return 0 if counts is None else counts.fills

    def until_well(self) -> float:
        """Seconds until nothing blocks entries, nothing is in doubt, and an order has filled."""
        began = time.monotonic()
        now_ns = time.time_ns()
        fills = self.fills()
        self._until(lambda: self._what_is_not_well(now_ns), WELL_SECONDS + self.stopped_seconds)
        self.stopped_seconds = 0.0
        well = time.monotonic() - began
        self._until(lambda: "" if self.fills() > fills else "no order has filled since", WELL_SECONDS)
        return round(well, 2)

    def until_same(self) -> float:
        """Seconds until engine and exchange agree on position, wallet and open orders."""
        began = time.monotonic()
        self._until(self._difference, SAME_SECONDS)
        return round(time.monotonic() - began, 2)

    def _until(self, wrong: Callable[[], str], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                sentence = wrong()
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                sentence = f"no answer: {type(error).__name__} {error}"
            if not sentence:
                return
            if self.demo.process.poll() is not None:
                raise NotWell("the demo has ended")
            if time.monotonic() > deadline:
                raise NotWell(f"after {seconds:.0f} s: {sentence}")
            time.sleep(0.1)

    def _what_is_not_well(self, since_ns: int) -> str:
        status = self.demo.status()
        if status.time_ns < since_ns:
            return "the engine writes no status"
        down = [f"{name} {state}" for name, state in status.links.items() if state != "up"]
        if down:
            return f"links: {', '.join(down)}"
        doubtful = [one.client_order_id for one in status.open_orders if one.state in UNSETTLED_WORDS]
        if doubtful:
            return f"in doubt: {', '.join(doubtful)}"
        if not entries_open(self.demo.lines.encode()):
            return f"entries are blocked: {last_line_with(self.demo.lines, 'entries')}"
        missing = [name for name in PROCESSES if self.demo.pid(name) is None]
        return f"not running: {', '.join(missing)}" if missing else ""

    def _difference(self) -> str:
        client = Client.of(self.demo)
        before = books_of_exchange(client)
        status = self._engine_status()
        ours = books_of_engine(status)
        after = books_of_exchange(client)
        if before != after:
            return "the exchange does not stand still"
        return "" if ours == after else f"the engine has {ours}, the exchange {after}"

    def _engine_status(self) -> EngineStatus:
        return self.demo.engine_status()

    def new_tracebacks(self) -> list[str]:
        """Of the output since the last call."""
        said = self.demo.said_since(self._read_bytes)
        self._read_bytes += len(said)
        text = said.decode("utf-8", "replace")
        return [text[max(0, at - 200) : at + 2500] for at in positions_of(text, "Traceback")][:1]

    def secrets_told(self) -> list[str]:
        """Files that hold what only the vault may hold."""
        home = self.demo.home
        key_file = home / "data" / "demo" / "simulator" / "binance_keys"
        words = [
            line.split("=", 1)[1].strip().encode()
            for line in key_file.read_text().splitlines()
            if line.startswith(("api_secret", "api_key"))
        ]
        token = next(iter((home / "vault").glob("gateway_token")), None)
        if token is not None:
            words.append(token.read_bytes().strip())
        files = [home / "output.txt", *(home / "data" / "demo" / "engine").rglob("*")]
        files += list((home / "data" / "demo" / "logs").rglob("*"))
        told = []
        for path in files:
            with contextlib.suppress(OSError):
                content = path.read_bytes() if path.is_file() else b""
                if any(word and word in content for word in words) or b"signature=" in content:
                    told.append(path.name)
        return told


def books_of_exchange(client: Client) -> tuple[Decimal, Decimal, tuple[str, ...]]:
    """Position, wallet, ids of open orders."""
    rows = client.get("/fapi/v2/positionRisk", symbol=SYMBOL)
    held = sum((Decimal(one["positionAmt"]) for one in rows), Decimal(0))
    wallet = Decimal(client.get("/fapi/v2/account")["totalWalletBalance"])
    orders = [one["clientOrderId"] for one in client.get("/fapi/v1/openOrders", symbol=SYMBOL)]
    orders += [one["clientAlgoId"] for one in client.get("/fapi/v1/openAlgoOrders", symbol=SYMBOL)]
    return held, wallet, tuple(sorted(orders))


def books_of_engine(status: EngineStatus) -> tuple[Decimal, Decimal, tuple[str, ...]]:
    """The same, as the engine has it."""
    held = sum((Decimal(one.qty_base) for one in status.positions), Decimal(0))
    orders = tuple(sorted(one.client_order_id for one in status.open_orders))
    return held, Decimal(status.wallet_balance or 0), orders


def last_line_with(text: str, word: str) -> str:
    return next((line for line in reversed(text.splitlines()) if word in line), "")


def positions_of(text: str, word: str) -> list[int]:
    found, at = [], text.find(word)
    while at >= 0:
        found.append(at)
        at = text.find(word, at + 1)
    return found

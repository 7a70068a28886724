"""What the exchange does not have, or the account is not, is told before anything trades."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateways.binance.account import start_check
from gateways.binance.gateway import Gateway
from gateways.binance.protocol.errors import ConfigurationError
from gateways.binance.setup.config import GatewayConfig
from gateways.binance.setup.keys import load_keys
from runtime.process.child import WAS_UP_VARIABLE
from runtime.settings import load_settings
from runtime.settings.environment import Home, free_port
from tests.process.simulator_process import KEY, SECRET, Simulator

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = str(ROOT / "gateways" / "binance" / "run_binance.py")
SUPERVISOR = "import sys; from runtime.supervisor.command import main; sys.exit(main(sys.argv[1:]))"
SECONDS = 60.0
REFUSED = "Invalid API-key, IP, or permissions for action"


@dataclass
class PlayMoney:
    """A home whose testnet is the simulator."""

    home: Path
    url: str

    def configure(self, **changes: str) -> None:
        """The committed testnet.toml, with these texts exchanged."""
        text = (ROOT / "configs" / "testnet.toml").read_text("utf-8")
        text = text.replace("https://demo-fapi.binance.com", self.url)
        text = text.replace("wss://demo-fstream.binance.com", self.url.replace("http", "ws"))
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (self.home / "configs").mkdir(exist_ok=True)
        (self.home / "configs" / "testnet.toml").write_text(text, "utf-8")

    def keys(self, key: str = KEY, secret: str = SECRET) -> None:
        path = self.home / "vault" / "binance_testnet_keys"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"api_key={key}\napi_secret={secret}\n", "ascii")
        path.chmod(0o600)

    def environment(self, **more: str) -> dict[str, str]:
        inherited = os.environ | {"PYTHONPATH": str(ROOT)} | more
        return inherited | {"NEXTBAR_HOME": str(self.home), "NEXTBAR_WIRE_PORT": str(free_port())}

    def start(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The gateway, until it ends by itself."""
        return subprocess.run(
            [sys.executable, GATEWAY, "testnet", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def refusal_of_process(self, *arguments: str) -> str:
        """The one sentence of a start that was refused for good."""
        done = self.start(*arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "listening" not in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        (sentence,) = done.stderr.strip().splitlines()
        return sentence

    def refusal(self) -> str:
        """The same of a gateway in this process, which takes less time."""
        config = GatewayConfig.of(load_settings("testnet", home=Home(self.home)))

        async def run() -> None:
            gateway = Gateway(
                config,
                load_keys(config.key_paths),
                b"t" * 32,
                monotonic_ns=time.monotonic_ns,
                wall_ns=time.time_ns,
                random=lambda: 0.5,
            )
            async with asyncio.timeout(SECONDS):
                await gateway.run(lambda _port: pytest.fail("an engine would be started"))

        with pytest.raises(ConfigurationError) as refused:
            asyncio.run(run())
        return str(refused.value)


@pytest.fixture
def testnet(tmp_path: Path, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> PlayMoney:
    monkeypatch.setattr(start_check, "SURE_SECONDS", 0.05)
    made = PlayMoney(tmp_path, sim.url)
    made.configure()
    made.keys()
    return made


@contextlib.contextmanager
def switched(sim: Simulator, path: str, **params: str) -> Iterator[None]:
    """A setting of the account, as if changed in the app, and back again."""
    for values in (params, {name: other(value) for name, value in params.items()}):
        sim.ask("POST", f"/fapi/v1/{path}", **values)
        if values is params:
            yield


def other(value: str) -> str:
    pairs = {"true": "false", "ISOLATED": "CROSSED"}
    return pairs.get(value, value)


def test_a_symbol_the_exchange_does_not_have_is_named_with_its_file_and_key(testnet: PlayMoney):
    testnet.configure(**{'"BTCUSDT"': '"BTCUSDX"'})
    said = testnet.refusal_of_process()
    assert said == (
        f"{testnet.home}/configs/testnet.toml: symbols[0]: 127.0.0.1 has no BTCUSDX (did you mean BTCUSDT?)."
    )


def test_a_symbol_of_the_command_line_is_told_as_such(testnet: PlayMoney):
    assert testnet.refusal_of_process("QQQQUSDT").startswith("the command line: 127.0.0.1 has no QQQQUSDT")


@pytest.mark.parametrize(
    ("path", "setting", "words"),
    [
        ("positionSide/dual", {"dualSidePosition": "true"}, "hedge mode"),
        ("multiAssetsMargin", {"multiAssetsMargin": "true"}, "multi-assets mode"),
        ("marginType", {"symbol": "BTCUSDT", "marginType": "ISOLATED"}, "BTCUSDT is in isolated margin"),
    ],
)
def test_an_account_in_a_mode_that_is_not_traded_is_told(
    testnet: PlayMoney, sim: Simulator, path: str, setting: dict[str, str], words: str
):
    with switched(sim, path, **setting):
        assert words in testnet.refusal()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"\nleverage = 2\n": "\nleverage = 150\n"}, "leverage 150 of BTCUSDT: 127.0.0.1 allows 125 at most"),
        (
            {
                "max_order_notional_quote = 1_000": "max_order_notional_quote = 10",
                "value = 200": "value = 10",
            },
            "risk.max_order_notional_quote is 10, but 127.0.0.1 takes no order of BTCUSDT below 50",
        ),
    ],
)
def test_limits_the_exchange_does_not_allow_are_told(testnet: PlayMoney, changes: dict[str, str], words: str):
    testnet.configure(**changes)
    assert words in testnet.refusal()


@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [
        ("x" * 64, SECRET, "does not accept the API key"),
        (KEY, "y" * 64, "does not belong to the"),
    ],
)
def test_keys_that_are_not_the_accounts_are_told_without_being_shown(
    testnet: PlayMoney, key: str, secret: str, words: str
):
    testnet.keys(key, secret)
    said = testnet.refusal()
    assert words in said
    assert key not in said
    assert secret not in said


@pytest.mark.parametrize(
    ("endpoint", "status", "code", "message", "words"),
    [
        ("GET /fapi/v1/accountConfig", 401, -2015, REFUSED + ", request ip: 203.0.113.7", "203.0.113.7"),
        ("DELETE /fapi/v1/order", 401, -2015, REFUSED,
         "may read at 127.0.0.1 but not trade"),
        ("GET /fapi/v1/accountConfig", 401, -2014, "API-key format invalid.", "look like an API key"),
        ("GET /fapi/v1/accountConfig", 400, -4109, "This account is inactive.", "cannot be used"),
        ("GET /fapi/v1/exchangeInfo", 404, -5000, "Path is invalid", "gateway.rest_url"),
    ],
)  # fmt: skip
def test_what_the_exchange_refuses_for_good_is_one_sentence(
    testnet: PlayMoney, sim: Simulator, endpoint: str, status: int, code: int, message: str, words: str
):
    fault = {"endpoint": endpoint, "kind": "error", "times": None}
    sim.control("POST", "faults", **fault, http_status=status, code=code, message=message)
    said = testnet.refusal()
    assert words in said
    assert str(code) in said


def test_a_place_the_exchange_does_not_serve_is_told(testnet: PlayMoney, sim: Simulator):
    sim.control("POST", "faults", endpoint="* /fapi/v1/*", kind="restricted", times=None)
    assert "HTTP 451" in testnet.refusal()


def test_a_machine_clock_that_is_far_off_is_told(testnet: PlayMoney, sim: Simulator):
    sim.control("POST", "clock", skew_ms=-3_600_000)
    said = testnet.refusal()
    assert "clock is 3,600" in said
    assert "ahead of the exchange's" in said


def test_what_is_no_refusal_is_asked_again_until_it_is_well(testnet: PlayMoney, sim: Simulator):
    fault = {"endpoint": "GET /fapi/v1/accountConfig", "kind": "internal", "times": 1}
    sim.control("POST", "faults", **fault)
    command = [sys.executable, GATEWAY, "testnet", "--exit-with-stdin"]
    with subprocess.Popen(
        command, env=testnet.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("cannot check the account" in line for line in process.stdout)
        assert any("listening" in line for line in process.stdout)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_a_gateway_that_was_up_goes_on_where_a_start_would_be_refused(testnet: PlayMoney, sim: Simulator):
    command = [sys.executable, GATEWAY, "testnet", "--exit-with-stdin"]
    with switched(sim, "multiAssetsMargin", multiAssetsMargin="true"):
        assert "multi-assets" in testnet.refusal()
        with subprocess.Popen(
            command,
            env=testnet.environment(**{WAS_UP_VARIABLE: "1"}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            said = next(line for line in process.stdout if "multi-assets" in line)
            assert "so this run goes on" in said
            assert any("listening" in line for line in process.stdout)
            process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_a_refused_start_ends_the_whole_run_and_nothing_is_started_again(testnet: PlayMoney, sim: Simulator):
    with switched(sim, "positionSide/dual", dualSidePosition="true"):
        done = subprocess.run(
            [sys.executable, "-c", SUPERVISOR, "testnet", "--for", "50"],
            env=testnet.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=3 * SECONDS,
        )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count("hedge mode") == 1
    assert "restarting it" not in done.stdout
    assert "[engine]" not in done.stdout

"""Notes that processes of an earlier version left for their next start are read as they were meant."""

from pathlib import Path

from engine.notifications.model import Notification
from engine.notifications.outbox import Outbox
from engine.shell.strategy_watch import deaths_at_work
from gateways.binance.rest.bans import FILE_NAME, Bans
from gateways.binance.rest.request_budget import RequestBudget
from gateways.wire.token import load_token
from runtime.settings.environment import remembered_ports
from tests.support import earlier_files as earlier

NOW_NS = 1_790_000_000_000_000_000


def left(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(earlier.told("names")["small_files"][name], "utf-8")
    return path


def test_a_ban_is_obeyed(tmp_path: Path):
    path = left(tmp_path, "gateway/stops.json")
    assert path.name == FILE_NAME
    budget = RequestBudget(lambda: NOW_NS)
    Bans(budget, path, "https://fapi.binance.com", lambda: NOW_NS).resume()
    assert budget.stopped_until_ns == tuple(NOW_NS + seconds * 10**9 for seconds in (600, 30, 120))


def test_what_was_not_delivered_is_delivered(tmp_path: Path):
    outbox = Outbox(left(tmp_path, "engine/undelivered-TelegramSink.json"))
    assert outbox.load() == (Notification("critical", "a sentence", "a key", NOW_NS + 5),)


def test_a_strategy_that_ended_the_engine_is_known(tmp_path: Path):
    for name in ("engine/strategy_deaths.json", "engine/strategy_at_work"):
        left(tmp_path, name)
    [death] = deaths_at_work(tmp_path / "engine", same_run=True)
    assert (death.strategy, death.symbol, death.times) == ("laddered:ladder", "BTCUSDT", 2)
    assert death.bar_open_ns == 1_796_077_888_000_000_000
    assert death.is_final


def test_ports_are_remembered(tmp_path: Path):
    left(tmp_path, "ports.json")
    assert remembered_ports(tmp_path) == {"control": 26108, "simulator": 21172, "wire": 24087}


def test_a_token_of_the_vault_is_64_hexadecimal_digits(tmp_path: Path):
    path = tmp_path / "gateway_token"
    path.touch(0o600)
    path.write_text("0f" * 32 + "\n", "utf-8")
    assert load_token(path) == b"\x0f" * 32

"""What the live view says while the engine is away, after kill and pause, and how it shows numbers."""

import io
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from runtime.control.shown import counted, money, price, quantity, readable
from runtime.control.status import EngineStatus, OrderStatus, PositionStatus, write_status
from runtime.settings import Home, load_settings
from runtime.supervisor.console import Console
from runtime.supervisor.session import Session
from runtime.supervisor.specs import ProcessSpec
from runtime.supervisor.summary import RunSummary
from runtime.supervisor.view import LiveView, log_rows
from tests.support.places import ROOT

KNOWN = EngineStatus(
    time_ns=5 * 10**9,
    orders=3,
    positions=(PositionStatus("BTCUSDT", "0.007", "64000.1", "63999.0", "-0.0077"),),
    wallet_balance="9999.45",
)


class Shown:
    """A live view of one engine, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "status.json"
        self.summary = RunSummary(self.path)
        self.session = Session(
            [ProcessSpec("engine", ("true",))], Console(folder / "log", quiet=True), self.summary
        )
        self.output = io.StringIO()
        (folder / "configs").symlink_to(ROOT / "configs")
        self.screen = RichConsole(file=self.output, width=120, height=40)
        console = Console(folder / "log", quiet=True)
        self.view = LiveView(load_settings("demo", home=Home(folder)), self.session, console, self.screen)

    def text(self, state: str, status: EngineStatus | None) -> str:
        if status is not None:
            write_status(self.path, status)
        self.session.processes["engine"].state = state
        self.output.truncate(0)
        self.screen.print(self.view.picture())
        return self.output.getvalue()


def test_a_position_is_not_flat_while_the_engine_restarts(tmp_path: Path) -> None:
    view = Shown(tmp_path)
    assert "0.007" in view.text("up", KNOWN)
    view.summary.engine_died()
    away = view.text("restarting", None)
    for part in ("engine restarting, last known at 00:00:05", "0.007", "wallet 9999.45", "orders 3"):
        assert part in away
    assert "flat" not in away
    back = view.text("up", EngineStatus(time_ns=9 * 10**9))
    assert "engine does not know the account yet, last known at 00:00:05" in back
    assert "0.007" in back
    now = view.text("up", EngineStatus(time_ns=10 * 10**9, wallet_balance="9990"))
    assert "last known" not in now
    assert "flat" in now
    assert "wallet 9990.00" in now


def test_an_engine_that_has_stopped_has_no_links(tmp_path: Path) -> None:
    view = Shown(tmp_path)
    status = EngineStatus(time_ns=1, wallet_balance="1", links={"gateway": "up"}, blockers=("no fresh book",))
    running = view.text("up", status)
    assert "gateway up" in running
    assert "entries wait: no fresh book" in running
    stopped = view.text("stopped", status)
    assert "engine stopped" in stopped
    assert "gateway up" not in stopped
    assert "entries wait" not in stopped
    assert "wallet 1.00" in stopped


def test_killed_and_paused_are_told_apart(tmp_path: Path) -> None:
    view = Shown(tmp_path)
    killed = view.text("up", EngineStatus(time_ns=1, wallet_balance="1", paused=True, killed=True))
    assert "KILLED" in killed
    assert "PAUSED" not in killed
    assert "PAUSED: no entries" in view.text("up", EngineStatus(time_ns=1, wallet_balance="1", paused=True))
    one = EngineStatus(time_ns=1, wallet_balance="1", paused_strategies=("sma:s1 on BTCUSDT",))
    assert "PAUSED: sma:s1 on BTCUSDT" in view.text("up", one)


def test_the_newest_log_lines_are_shown_whole_or_not_at_all() -> None:
    lines = ["the oldest", "a reason " + "word " * 12 + "end", "the newest"]
    assert log_rows(lines, 30, 4).plain.splitlines()[-1] == "the newest"
    assert "the oldest" not in log_rows(lines, 30, 4).plain
    assert "end" in log_rows(lines, 30, 5).plain
    assert log_rows(lines, 30, 1).plain == "the newest"


@pytest.mark.parametrize(
    ("exact", "shown"),
    [("9999.45000001", "9999.45"), ("0.00769", "0.0077"), ("-0.000001", "0.00"), ("12", "12.00")],
)
def test_money_has_two_to_four_decimals(exact: str, shown: str) -> None:
    assert money(exact) == shown
    assert money(None) is None


def test_prices_have_the_decimals_of_their_tick_and_quantities_no_tail() -> None:
    assert price("64000.123456789", "0.10") == "64000.1"
    assert price(64000.129, None) == "64000.129"
    assert price(0.0000412, None) == "0.0000412"
    assert price("0.004", "0.00001") == "0.00400"
    assert price("1234567.891", "0.1", grouped=True) == "1,234,567.9"
    assert price("64000.4", "1") == "64000"
    assert (quantity("1E+1"), quantity("0.0070"), quantity("100")) == ("10", "0.007", "100")
    assert (counted(1, "order"), counted(0, "order"), counted(2, "strategy", "strategies")) == (
        *("1 order", "0 orders"),
        "2 strategies",
    )


def test_a_readable_status_rounds_everything_and_keeps_the_rest() -> None:
    status = EngineStatus(
        positions=(PositionStatus("BTCUSDT", "0.0070", "64000.14285714285714", "64000.123", None),),
        open_orders=(OrderStatus("BTCUSDT", "BUY", "LIMIT", "0.0070", "0.000", "1.10", "ACCEPTED", "x"),),
        last_prices={"BTCUSDT": 64000.14999},
        fees="0.123456789",
        tick_sizes={"BTCUSDT": "0.1"},
        rejects=2,
    )
    shown = readable(status)
    assert shown.positions[0] == PositionStatus("BTCUSDT", "0.007", "64000.1", "64000.1", None)
    assert (shown.open_orders[0].qty_base, shown.open_orders[0].price) == ("0.007", "1.1")
    assert (shown.last_prices["BTCUSDT"], shown.fees, shown.rejects) == (64000.1, "0.1235", 2)

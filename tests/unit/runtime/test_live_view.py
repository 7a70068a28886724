"""The live view shows price, candle, position, orders, signals with their fate, money and health."""

import io
import os
from pathlib import Path

import msgspec
import pytest
from rich.console import Console as RichConsole

from runtime.control.status import (
    CandleStatus,
    Counts,
    EngineStatus,
    OrderStatus,
    PositionStatus,
    SignalStatus,
    StartMoney,
    StrategyStatus,
    read_status,
    write_status,
)
from runtime.control.status_tables import shortened
from runtime.settings import Home, load_settings
from runtime.supervisor.closing import closing_line, left_open
from runtime.supervisor.console import Console
from runtime.supervisor.session import Session
from runtime.supervisor.specs import ProcessSpec
from runtime.supervisor.summary import RunSummary, write_summary
from runtime.supervisor.view import LiveView
from tests.support.places import ROOT

SECOND_NS = 10**9
STATUS = EngineStatus(
    time_ns=5 * SECOND_NS,
    ready=True,
    ticks=1234,
    candles=7,
    signals=2,
    orders=3,
    fills=2,
    conflated_ticks=1,
    positions=(PositionStatus("BTCUSDT", "-0.007", "64000.1", "63999.0", "0.0077"),),
    realised_pnl="-0.10",
    unrealised_pnl="0.0077",
    fees="0.45",
    wallet_balance="9999.45000001",
    last_prices={"BTCUSDT": 63999.5},
    last_candles=(CandleStatus("BTCUSDT", "1s", 4 * SECOND_NS, 64000.0, 64001.0, 63998.0, 63999.5),),
    recent_signals=(SignalStatus(4 * SECOND_NS, "sma", "BTCUSDT", "short", "vetoed by max_leverage"),),
    open_orders=(OrderStatus("BTCUSDT", "BUY", "STOP_MARKET", "0.007", "0", "67200.0", "ACCEPTED", "x1"),),
    links={"gateway": "up", "public": "stale"},
    tick_sizes={"BTCUSDT": "0.10"},
)


def render(folder: Path, status: EngineStatus | None, width: int = 150, height: int = 40) -> str:
    summary = RunSummary(folder / "status.json")
    if status is not None:
        write_status(folder / "status.json", status)
    console = Console(folder / "log", quiet=True)
    console("engine", "the last line [/not markup]")
    session = Session([ProcessSpec("market", ("true",))], console, summary)
    (folder / "configs").symlink_to(ROOT / "configs")
    output = io.StringIO()
    screen = RichConsole(file=output, width=width, height=height, force_terminal=False)
    view = LiveView(load_settings("demo", home=Home(folder)), session, console, screen)
    screen.print(view.picture())
    console.close()
    return output.getvalue()


def test_everything_a_trader_looks_for_is_there(tmp_path: Path) -> None:
    shown = render(tmp_path, STATUS)
    for wanted in (
        *("63,999.5", "64,001.0", "00:00:04", "-0.007", "64000.1", "STOP_MARKET", "67200.0"),
        *("vetoed by max_leverage", "wallet 9999.45 ", "0.0077", "market waiting", "gateway up"),
        *("public stale", "[engine] the last line [/not markup]", "1,234"),
    ):
        assert wanted in shown


def busy_status(symbols: int) -> EngineStatus:
    """Six signals of a strategy with a long name, and positions and orders in so many symbols."""
    names = [f"COIN{index:02}USDT" for index in range(symbols)]
    signal = SignalStatus(SECOND_NS, "sma_crossover_inflection:s1", names[0], "short at 63994.25", "traded")
    return msgspec.structs.replace(
        STATUS,
        links=dict.fromkeys(("gateway", "public", "market", "private", "rest"), "up"),
        last_prices=dict.fromkeys(names, 63999.5),
        positions=tuple(PositionStatus(name, "1", "2.0", "3.0", "1.0") for name in names),
        open_orders=tuple(OrderStatus(name, "BUY", "LIMIT", "1", "0", "2.0", "NEW", "x") for name in names),
        recent_signals=(signal,) * 6,
        strategies=tuple(
            StrategyStatus(
                "sma_crossover_inflection:s1", name, "1h", "warming up 12/392 bars, paused until resume"
            )
            for name in names
        ),
    )


@pytest.mark.parametrize("height", [24, 30, 50])
@pytest.mark.parametrize("symbols", [1, 3, 40])
def test_the_picture_fits_the_terminal_whatever_is_traded(tmp_path: Path, symbols: int, height: int) -> None:
    shown = render(tmp_path, busy_status(symbols), width=80, height=height).splitlines()
    assert len(shown) < height
    text = "\n".join(shown)
    assert "wallet 9999.45 " in text
    assert "traded" in text
    assert "[engine] the last line" in text
    assert ("position +" in text) == (symbols == 40 or (symbols == 3 and height == 24))


def test_eighty_columns_hold_a_signal_and_all_links_in_one_row(tmp_path: Path) -> None:
    shown = render(tmp_path, busy_status(1), width=80, height=24)
    assert "links   gateway up   public up   market up   private up   rest up" in shown
    assert "wallet 9999.45  realised -0.10  open 0.0077  fees 0.45 " in shown
    signal = "00:00:01    sma_crossov..:s1   COIN00USDT   short at 63994.25   traded"
    assert shown.count(signal) == 4


def test_a_long_state_takes_no_column_from_a_narrow_terminal(tmp_path: Path) -> None:
    long = "waiting for the first reconciliation with the exchange, and then for a lot of other things"
    one = StrategyStatus("sma_crossover_inflection:s1", "COIN00USDT", "15m", long, "-0.007", "64000.1")
    shown = render(tmp_path, msgspec.structs.replace(busy_status(1), strategies=(one,)), width=80, height=24)
    lines = shown.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("│ strategy "))
    assert lines[at].split()[1:7] == ["strategy", "symbol", "bar", "holds", "stop", "state"]
    assert "COIN00USDT   15m   -0.007   64000.1   waiting for" in lines[at + 1]


def test_what_keeps_entries_out_is_said_with_its_time(tmp_path: Path) -> None:
    lost = "BTCUSDT: no fresh book since 12:03 UTC"
    status = msgspec.structs.replace(STATUS, blockers=(lost, "trading is paused", "c", "d", "e"))
    picture = render(tmp_path, status)
    assert f"entries wait: {lost}; trading is paused; c; and 2 more" in picture


def test_a_short_or_nameless_strategy_keeps_its_name() -> None:
    assert shortened("rsi:s1") == "rsi:s1"
    assert shortened("a_name_without_an_identity") == "a_name_without_an_identity"
    assert len(shortened("sma_crossover_inflection:s1")) == 16


def test_the_view_stands_before_the_engine_has_spoken(tmp_path: Path) -> None:
    shown = render(tmp_path, None)
    assert "the engine has not reported yet" in shown
    assert "unknown" in shown
    assert "flat" not in shown
    assert "none" not in shown


def test_a_status_survives_the_file_and_a_torn_file_is_no_status(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_status(path) is None
    write_status(path, STATUS)
    assert read_status(path) == STATUS
    path.write_bytes(path.read_bytes()[:-5])
    assert read_status(path) is None


def test_the_summary_has_every_promised_key(tmp_path: Path) -> None:
    write_status(tmp_path / "status.json", STATUS)
    summary = RunSummary(tmp_path / "status.json").merged(seconds=12.3456, restarts=1)
    assert summary["seconds"] == 12.346
    assert summary["positions"] == {"BTCUSDT": -0.007}
    assert summary["wallet_balance"] == 9999.45000001
    assert summary["tick_to_order_us"] == {"p50": None, "p99": None}
    write_summary(tmp_path / "s.json", summary)
    assert (tmp_path / "s.json").read_text().startswith("{")


def test_the_money_of_this_run_is_told_beside_that_of_the_whole_journal(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    summary = RunSummary(path)
    at_start = StartMoney("10", "3", "-1")
    first = EngineStatus(time_ns=1, realised_pnl="10", fees="3", funding="-1", at_start=at_start)
    write_status(path, first)
    assert summary.merged(seconds=1.0, restarts=0)["start_wallet_balance"] is None
    told = msgspec.structs.replace(at_start, wallet_balance="1000.5")
    write_status(path, msgspec.structs.replace(first, wallet_balance="1000.5", at_start=told))
    summary.engine_died()
    later = StartMoney("12.25", "3.5", "-1", "1002.25")  # of the engine that was started again
    status = EngineStatus(
        *(2,), realised_pnl="14.25", fees="4", funding="-1.5", wallet_balance="1003.25", at_start=later
    )
    write_status(path, status)
    numbers = summary.merged(seconds=2.0, restarts=1)
    names = ("start_wallet_balance", "run_realised_pnl", "run_fees", "run_funding", "wallet_balance")
    assert [numbers[name] for name in names] == [1000.5, 4.25, 1.0, -0.5, 1003.25]
    assert 1000.5 + 4.25 - 1.0 - 0.5 == 1003.25
    assert (numbers["realised_pnl"], numbers["fees"]) == (14.25, 4.0)


def test_the_operating_page_describes_every_key_of_the_summary(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    for key in RunSummary(tmp_path / "none").merged(seconds=1.0, restarts=0):
        assert f"`{key}`" in page, key


def test_a_dead_engines_last_word_stands_until_the_next_one_speaks(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    summary = RunSummary(path)
    write_status(path, STATUS)
    summary.engine_died()
    dead = summary.merged(seconds=1.0, restarts=1)
    assert (dead["ticks"], dead["wallet_balance"], dead["positions"]) == (
        1234,
        9999.45000001,
        {"BTCUSDT": -0.007},
    )
    write_status(path, EngineStatus(time_ns=1, ticks=6, wallet_balance="9000"))
    alive = summary.merged(seconds=2.0, restarts=1)
    assert (alive["ticks"], alive["wallet_balance"], alive["positions"]) == (1240, 9000.0, {})


def test_a_last_word_from_long_before_the_end_is_dated(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    summary = RunSummary(path)
    assert summary.as_of(1_700_000_000.0) == ""
    write_status(path, STATUS)
    os.utime(path, (1_700_000_000.0, 1_700_000_000.0))
    assert summary.as_of(1_700_000_001.0) == ""
    as_of = summary.as_of(1_700_000_095.0)
    assert as_of == "as of 2023-11-14 22:13:20 UTC, 95 s before the engine ended"
    summary.engine_died()  # and it did not come back
    assert summary.as_of(1_700_000_095.0) == as_of
    numbers = summary.merged(seconds=200.0, restarts=0)
    assert closing_line("demo", numbers, as_of).endswith(
        f"wallet 9999.45 ({as_of}, it could not write after that)"
    )
    assert left_open(load_settings("demo"), summary.last_status(), numbers, as_of) == [
        f"positions {as_of}: BTCUSDT -0.007; check the exchange for what is open now"
    ]


def test_an_order_without_an_answer_is_not_said_to_stay_at_the_exchange(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    one = OrderStatus("BTCUSDT", "SELL", "STOP_MARKET", "0.007", "0", None, "ACCEPTED", "nb-1")
    for state in ("INTENDED", "SENT", "UNKNOWN"):
        unanswered = msgspec.structs.replace(one, state=state, client_order_id="nb-2")
        status = msgspec.structs.replace(STATUS, open_orders=(one, unanswered))
        write_status(path, status)
        numbers = RunSummary(path).merged(seconds=1.0, restarts=0)
        said = left_open(load_settings("demo"), status, numbers)
        assert "1 open order stays at the exchange" in said
        assert (
            "it is not known whether the BTCUSDT SELL STOP_MARKET order nb-2 has reached the exchange: "
            "check there, or start again"
        ) in said


def test_what_a_killed_engine_had_not_told_yet_is_counted_from_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    summary = RunSummary(path)
    write_status(path, EngineStatus(time_ns=1, orders=2, fills=1, since_journal_began=Counts(9, 12, 11, 1)))
    summary.engine_died()
    # Three orders and two fills came after its last word; the journal of the next start has them.
    write_status(path, EngineStatus(time_ns=2, orders=1, since_journal_began=Counts(9, 16, 13, 2)))
    merged = summary.merged(seconds=2.0, restarts=1)
    assert [merged[name] for name in ("signals", "orders", "fills", "rejects")] == [0, 6, 3, 1]


def test_the_last_word_of_an_engine_that_did_not_come_back_counts(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    summary = RunSummary(path)
    write_status(path, EngineStatus(time_ns=1, orders=2, since_journal_began=Counts(9, 12, 11, 1)))
    summary.engine_died()
    assert summary.merged(seconds=2.0, restarts=1)["orders"] == 2

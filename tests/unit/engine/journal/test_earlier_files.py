"""Files that an earlier version wrote open, and mean what they meant (tests/fixtures/files_v1/README.md)."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.saved_state import EngineState
from gateways.simulator.api.access.keys import KeyRing, load_or_make_keys
from gateways.simulator.api.streams.user_data import ListenKeys
from gateways.simulator.market_data.history.files import MarketStore
from tests.support import earlier_files as earlier

JOURNALS = ("demo", "lost_records", "every_record", "paused", "account_changes")
ACCOUNT = "demo:simulator"


def kept_state(folder: Path, name: str = "state.json") -> Any:  # noqa: ANN401  # JSON
    return json.loads((folder / name).read_text("utf-8"))


def assert_same_start(told: Any, said: Any) -> None:  # noqa: ANN401  # JSON
    """Exactly, but that states of exit rules may have further fields."""
    exits = "exit_states"
    assert {part: said[part] for part in told if part != exits} == {
        part: told[part] for part in told if part != exits
    }
    before, now = (earlier.with_open_exits(parts, exits)[exits] for parts in (told, said))
    assert list(earlier.differences(before, now)) == []
    assert len(now) == len(before)


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_of_an_earlier_version_opens_with_the_same_orders_positions_and_exits(
    name: str, tmp_path: Path
):
    engine, cursor, found = earlier.started(earlier.unpacked(name, tmp_path), ACCOUNT)
    assert_same_start(earlier.told(name)["recovered"], earlier.recovered(engine, cursor, found))


@pytest.mark.parametrize("name", JOURNALS)
def test_nothing_of_the_state_an_earlier_version_had_is_lost_in_the_next_snapshot(name: str, tmp_path: Path):
    folder = earlier.unpacked(name, tmp_path)
    engine, cursor, _ = earlier.started(folder, ACCOUNT)
    before, now = (
        earlier.with_open_exits(state, "exits")
        for state in (kept_state(folder), earlier.snapshot_as_written(engine, cursor))
    )
    assert list(earlier.differences(before, now, name)) == []


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_of_an_earlier_version_goes_on_and_opens_again(name: str, tmp_path: Path):
    folder = earlier.unpacked(name, tmp_path)
    engine, cursor, found = earlier.started(folder, ACCOUNT)
    again, cursor_again, found_again = earlier.started(folder, ACCOUNT)
    first, second = (
        earlier.recovered(*one) for one in ((engine, cursor, found), (again, cursor_again, found_again))
    )
    assert second.pop("fencing") == first.pop("fencing") + 1
    assert second.pop("next_sequence") == first.pop("next_sequence") + 2  # a start and a stop
    assert second == first


@pytest.mark.parametrize("name", JOURNALS)
def test_each_record_of_an_earlier_journal_is_written_again_as_it_stands_there(name: str, tmp_path: Path):
    folder = earlier.unpacked(name, tmp_path)
    count = 0
    for where, payload in earlier.payloads(folder):
        before, now = (
            earlier.plain(msgspec.msgpack.decode(one)) for one in (payload, earlier.rewritten(payload))
        )
        assert list(earlier.differences(before, now, where)) == []
        count += 1
    assert count == sum(earlier.told(name)["journal"]["kinds"].values())


@pytest.mark.parametrize("name", JOURNALS)
def test_kinds_fills_and_fates_of_signals_are_read_as_before(name: str, tmp_path: Path):
    lines = earlier.journal_lines(earlier.unpacked(name, tmp_path))
    for part, told in earlier.told(name)["journal"].items():
        assert list(earlier.differences(told, lines[part], part)) == []
        assert len(lines[part]) == len(told)


def test_a_snapshot_with_every_field_filled_is_written_again_as_it_stands_there(tmp_path: Path):
    [path] = (earlier.unpacked("every_record", tmp_path) / "journal").glob("snapshot-*.bin")
    told = earlier.told("every_record")["snapshot"]
    raw = bytes.fromhex(told["payload"])
    assert raw in path.read_bytes()
    state = msgspec.msgpack.decode(raw, type=EngineState)
    rewritten = earlier.plain(msgspec.msgpack.decode(msgspec.msgpack.encode(state)))
    assert list(earlier.differences(told["state"], rewritten)) == []


@pytest.mark.parametrize("name", JOURNALS)
def test_tables_made_of_an_earlier_journal_have_the_same_rows(name: str, tmp_path: Path):
    folder = earlier.unpacked(name, tmp_path)
    (folder / "tables.sqlite").unlink(missing_ok=True)
    rows, count, notes = earlier.tables_made(folder)
    assert rows == earlier.told(name)["tables"]
    assert (count, notes) == (earlier.told(name)["recovered"]["next_sequence"] - 1, [])


@pytest.mark.parametrize("name", earlier.told("profits"))
def test_trades_profit_and_funding_of_an_earlier_journal_are_counted_alike(name: str, tmp_path: Path):
    told = earlier.told("profits")[name]
    said = earlier.earned(earlier.unpacked(name, tmp_path))
    assert {part: said[part] for part in told} == told


def test_tables_of_an_earlier_version_are_followed_and_not_made_anew(tmp_path: Path):
    folder = earlier.unpacked("demo", tmp_path)
    rows, count, notes = earlier.tables_made(folder)
    assert (count, notes) == (0, [])
    assert rows == earlier.told("demo")["tables"]
    earlier.started(folder, ACCOUNT)
    assert earlier.tables_made(folder)[1:] == (2, [])  # a start and a stop


def test_tables_of_an_earlier_version_fit_a_journal_whose_first_files_a_base_replaces(tmp_path: Path):
    """They are the only ones that still have the rows of those files."""
    whole, folder = (earlier.unpacked(name, tmp_path / name) for name in ("demo", "shortened"))
    shutil.copy(whole / "tables.sqlite", folder)
    assert earlier.tables_made(folder) == (earlier.told("demo")["tables"], 0, [])


def test_a_journal_whose_first_files_a_base_replaces_opens_as_the_whole_one(tmp_path: Path):
    whole = earlier.told("demo")
    folder = earlier.unpacked("shortened", tmp_path)
    rows, _, notes = earlier.tables_made(folder)
    assert (rows, notes) == (earlier.told("shortened")["tables"], [])
    assert rows["positions"] == whole["tables"]["positions"]
    assert_same_start(whole["recovered"], earlier.recovered(*earlier.started(folder, ACCOUNT)))


@pytest.mark.parametrize(
    ("archive", "folder", "state"),
    [
        ("demo", "simulator", "exchange.json"),
        ("simulator", "acted", "acted.json"),
        ("simulator", "filled", "filled.json"),
    ],
)
def test_nothing_of_an_earlier_simulators_state_is_lost(
    archive: str, folder: str, state: str, tmp_path: Path
):
    home = earlier.unpacked(archive, tmp_path)
    exchange, store = earlier.exchange_of(home / folder)
    told, said = kept_state(home, state), earlier.exchange_as_written(exchange)
    store.abandon()
    assert list(earlier.differences(told, said)) == []
    assert [len(kind) for kind in said["rows"][: len(told["rows"])]] == [len(kind) for kind in told["rows"]]


@pytest.mark.parametrize(("archive", "folder"), [("demo", "simulator"), ("simulator", "acted")])
def test_an_earlier_simulators_accounts_are_as_they_were_before_and_after_a_new_snapshot(
    archive: str, folder: str, tmp_path: Path
):
    told = earlier.told(archive)
    told = told.get("simulator", told)
    home = earlier.unpacked(archive, tmp_path)
    exchange, store = earlier.exchange_of(home / folder)
    assert earlier.exchange_says(exchange) == told
    store.close()
    again, store = earlier.exchange_of(home / folder)
    assert earlier.exchange_says(again) == told
    store.abandon()


def test_an_earlier_simulators_torn_record_is_cut_off(tmp_path: Path):
    folder = earlier.unpacked("simulator", tmp_path) / "acted"
    newest = max(folder.glob("journal-*.log"))
    with newest.open("ab") as file:
        file.write(b"\1\0\0")
    exchange, store = earlier.exchange_of(folder)
    assert store.torn_bytes == 3
    assert earlier.exchange_says(exchange) == earlier.told("simulator")
    store.abandon()


def test_keys_and_market_data_of_an_earlier_simulator_are_found_again(tmp_path: Path):
    folder = earlier.unpacked("demo", tmp_path) / "simulator"
    ring = KeyRing(folder / "api_keys.json")
    ring.load(["1", "second"])
    assert ring.identify("throwaway-key-of-a-test").account == "second"
    key, secret, _ = load_or_make_keys(folder, None, None)
    assert (key, secret) == ("throwaway-key-of-the-first-account", "throwaway-secret-of-the-first-account")
    [listening] = ListenKeys(folder / "listen_keys.json").take_all()
    assert (listening.value, listening.account) == ("throwaway-listen-key", "1")
    store = MarketStore(folder / "market_data")
    state = msgspec.to_builtins(store.load_state())
    assert (
        list(earlier.differences(json.loads((folder / "market_data" / "state.json").read_text()), state))
        == []
    )
    raw = (folder / "market_data" / "BTCUSDT.minutes").read_bytes()
    assert store.load_minutes("BTCUSDT", 0).astype("<i8").tobytes() == raw


def test_the_engine_refuses_an_earlier_journal_of_another_account(tmp_path: Path):
    folder = earlier.unpacked("every_record", tmp_path)
    before = {path: path.read_bytes() for path in (folder / "journal").iterdir()}
    with pytest.raises(Exception, match="belongs to another account"):
        earlier.started(folder, "live:other")
    assert {path: path.read_bytes() for path in before} == before


def test_a_field_that_moves_or_goes_is_a_difference_and_one_that_comes_is_none():
    before = earlier.plain(["intent", 1, {"a": [2, 3]}])
    assert list(earlier.differences(before, ["intent", 1, {"a": [2, 3, 4], "b": 5}, 6])) == []
    for changed in (
        ["intent", 1],
        ["intent", 1, {"a": [3, 2]}],
        ["intent", 1, {}],
        ["other", 1, {"a": [2, 3]}],
    ):
        assert list(earlier.differences(before, changed))

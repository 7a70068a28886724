"""Stops that the exchange demanded outlive the gateway."""

import json
from pathlib import Path

import pytest

from gateways.binance.rest.bans import FILE_NAME, Bans
from gateways.binance.rest.request_budget import Priority, RequestBudget

NOW_NS = 1_790_000_000_000_000_000
ADDRESS = "https://fapi.binance.com"


def started(folder: Path, address: str = ADDRESS, now_ns: int = NOW_NS) -> RequestBudget:
    """The budget of a gateway that has just started."""
    budget = RequestBudget(lambda: now_ns)
    Bans(budget, folder / "gateway" / FILE_NAME, address, lambda: now_ns).resume()
    return budget


def test_a_ban_is_obeyed_by_the_next_start(tmp_path: Path):
    started(tmp_path).stop({"retry-after": "600"}, "", 120.0)
    later = started(tmp_path, now_ns=NOW_NS + 200_000_000_000)
    assert later.wait_for(1, 0, Priority.CANCEL) == 400.0
    assert later.banned_until_ns == NOW_NS + 600_000_000_000


def test_too_many_orders_stop_orders_of_the_next_start_too(tmp_path: Path):
    started(tmp_path).exhaust_orders({"retry-after": "30"})
    later = started(tmp_path, now_ns=NOW_NS + 10_000_000_000)
    assert later.wait_for(0, 1, Priority.OPEN) == 20.0
    assert later.wait_for(1, 0, Priority.QUERY) == 0.0


def test_a_stop_that_is_over_or_of_another_exchange_stops_nothing(tmp_path: Path):
    started(tmp_path).stop({"retry-after": "600"}, "", 120.0)
    assert started(tmp_path, now_ns=NOW_NS + 600_000_000_000).wait_for(1, 0, Priority.QUERY) == 0.0
    assert started(tmp_path, "http://127.0.0.1:9").wait_for(1, 0, Priority.QUERY) == 0.0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"address": 1}', '{"address": "https://fapi.binance.com"}', "\0"]
)
def test_a_file_that_says_nothing_stops_nothing(tmp_path: Path, text: str):
    path = tmp_path / "gateway" / FILE_NAME
    path.parent.mkdir()
    path.write_text(text, "utf-8")
    assert started(tmp_path).wait_for(1, 0, Priority.QUERY) == 0.0


def test_a_clock_that_is_hours_behind_makes_no_ban_longer(tmp_path: Path):
    """A machine may start with its clock wrong, and while it is banned it cannot ask for the time."""
    started(tmp_path).stop({"retry-after": "120"}, "", 120.0)
    behind = started(tmp_path, now_ns=NOW_NS - 8 * 3_600_000_000_000)
    assert behind.wait_for(1, 0, Priority.CANCEL) == 120.0


def test_a_term_longer_than_any_ban_is_cut(tmp_path: Path):
    budget = started(tmp_path)
    budget.stop({"retry-after": "999999999"}, "", 120.0)
    assert budget.wait_for(1, 0, Priority.CANCEL) == 3 * 24 * 3600


def test_the_file_of_a_ban_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Whoever has another address by now may delete it."""
    started(tmp_path).stop({"retry-after": "600"}, "", 120.0)
    started(tmp_path)
    assert str(tmp_path / "gateway" / FILE_NAME) in capsys.readouterr().out


def test_a_term_longer_than_any_ban_is_not_believed(tmp_path: Path):
    """A clock set back, or a file of another's making, must not stop everything for ever."""
    path = tmp_path / "gateway" / FILE_NAME
    path.parent.mkdir()
    until_ms = NOW_NS // 1_000_000 + 4 * 24 * 3_600_000
    row = {"address": ADDRESS, "requests_until_ms": until_ms, "orders_until_ms": 0}
    path.write_text(json.dumps(row), "utf-8")
    assert started(tmp_path).wait_for(1, 0, Priority.QUERY) == 0.0


def test_a_folder_that_cannot_be_written_stops_this_start_all_the_same(tmp_path: Path):
    (tmp_path / "gateway").write_text("a file where the folder should be", "utf-8")
    budget = started(tmp_path)
    budget.stop({"retry-after": "600"}, "", 120.0)
    assert budget.wait_for(1, 0, Priority.CANCEL) == 600.0


def test_what_a_page_held_is_held_by_the_next_start_and_exits_are_still_sent(tmp_path: Path):
    started(tmp_path).hold({}, 120.0)
    later = started(tmp_path, now_ns=NOW_NS + 20_000_000_000)
    assert later.wait_for(1, 0, Priority.QUERY) == 100.0
    assert later.wait_for(0, 1, Priority.CLOSE, kind="submit") == 0.0

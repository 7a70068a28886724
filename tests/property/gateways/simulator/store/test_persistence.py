"""The simulator's state survives a cut, a flipped bit, a failing call; what it cannot trust it refuses."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import FileIO
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from gateways.simulator.exchange import account_queries, order_queries
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.orders import AmendRequest, OrderRequest
from gateways.simulator.exchange.model.state import ExchangeState
from gateways.simulator.exchange.model.symbols import make_brackets
from gateways.simulator.store import journal
from gateways.simulator.store import records as state_record
from gateways.simulator.store.journal import StateDamagedError
from gateways.simulator.store.persistence import Persistence as Store
from gateways.simulator.store.records import StateRecord, state_slices
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, Recorder

Step = Callable[[ExchangeRig], object]
SPECS = ExchangeRig().ex.state.specs


class Persistence(Store):
    """One that is let go at the end of its test, as a killed process lets go of its file."""

    held: ClassVar[list[Store]] = []

    def __init__(self, *details: object) -> None:
        super().__init__(*details)
        self.held.append(self)


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    while Persistence.held:
        Persistence.held.pop().abandon()


def steps() -> list[Step]:
    """One request or market step each; together they touch everything that is kept."""
    return [
        lambda d: d.limit("BUY", "0.1", "49000", new_client_order_id="rest"),
        lambda d: d.market("BUY", "1.5"),
        lambda d: d.limit("SELL", "0.5", "50500", reduce_only=True),
        lambda d: d.algo("SELL", "STOP_MARKET", trigger_price="49000", close_position=True),
        lambda d: d.algo("SELL", "TRAILING_STOP_MARKET", callback_rate="5", quantity="0.1"),
        lambda d: d.ex.amend(
            "a",
            AmendRequest(
                SYMBOL, "BUY", orig_client_order_id="rest", quantity=D("0.2"), price=D("49100"), modify_id=4
            ),
            d.now,
        ),
        lambda d: d.ex.set_leverage("b", SYMBOL, 50, d.now),
        lambda d: d.ex.set_margin_type("b", SYMBOL, "ISOLATED", d.now),
        lambda d: d.market("SELL", "1", account="b"),
        lambda d: d.ex.countdown_cancel_all("a", SYMBOL, 60_000_000, d.now),
        lambda d: d.limit("BUY", "0.1", "49000", time_in_force="GTD", good_till_date=d.now + 99_000_000),
        lambda d: d.ex.deposit("a", D("12.5"), d.now),
        lambda d: d.fund_rate("0.0002"),
        lambda d: d.advance(7 * 3_600_000),
        lambda d: d.take("SELL", 2500),
        lambda d: d.ex.set_brackets(SYMBOL, make_brackets([(20, 9_000_000, "0.01")]), d.now),
        lambda d: d.algo("BUY", "STOP_MARKET", trigger_price="50100", quantity="0.1", account="b"),
        lambda d: d.ex.cancel("a", SYMBOL, None, "rest", d.now),
        lambda d: d.market("SELL", "0.2"),
        lambda d: d.limit("BUY", "0.3", "49200", account="b"),
        isolated_margin,
    ]


def isolated_margin(rig: ExchangeRig) -> None:
    eth = "ETHUSDT"
    rig.ex.book(eth).add("SELL", 200_000, 1_000)
    rig.ex.set_margin_type("b", eth, "ISOLATED", rig.now)
    rig.ex.submit("b", OrderRequest(eth, "BUY", "MARKET", quantity=D("0.1")), rig.now)
    rig.ex.modify_position_margin("b", eth, None, D(5), 1, rig.now)


def contents(state: ExchangeState, *, with_prices: bool = True) -> bytes:
    """Everything that must survive; ceilings of market ids may only grow and are compared elsewhere.

    Prices survive as they were at the last change of an account.
    """
    record = StateRecord(counters=state.counters)
    for part in state_slices(state):
        for name in StateRecord.__struct_fields__[1:]:
            getattr(record, name).extend(getattr(part, name))
    record = msgspec.convert(msgspec.to_builtins(record), StateRecord)
    record.counters.update = record.counters.update_ceiling = 0
    for facts in record.markets:
        facts.trade_ceiling = 0
        if not with_prices:
            facts.last_mark, facts.last_ticks = D(0), 0
    return msgspec.msgpack.encode(record)


def written(folder: Path, max_journal_bytes: int = 1 << 20) -> tuple[ExchangeRig, list[bytes], list[int]]:
    """Run all steps with a commit after each; return the state and the journal's size after each.

    A snapshot that is due is written at once.
    """
    rig = ExchangeRig()
    store = Persistence(folder, rig.ex, max_journal_bytes)
    store.restore()
    states, sizes = [contents(rig.state)], [journal_of(folder).stat().st_size]
    for step in steps():
        step(rig)
        store.commit()
        while store.has_work:
            store.proceed()
        states.append(contents(rig.state))
        sizes.append(journal_of(folder).stat().st_size)
    return rig, states, sizes


def journal_of(folder: Path) -> Path:
    return max(folder.glob("journal-*.log"))


def restored(folder: Path) -> tuple[Exchange, Persistence]:
    exchange = Exchange(SPECS, Recorder())
    store = Persistence(folder, exchange)
    assert store.restore()
    return exchange, store


def test_every_step_changes_what_is_kept(tmp_path: Path):
    _, states, _ = written(tmp_path / "s")
    assert len(set(states)) == len(states)


def test_a_restart_finds_everything(tmp_path: Path):
    rig, states, _ = written(tmp_path / "s")
    exchange, _ = restored(tmp_path / "s")
    assert contents(exchange.state) == states[-1]
    assert (
        account_queries.account_summary(exchange.state, "a").total
        == account_queries.account_summary(rig.state, "a").total
    )
    assert order_queries.open_orders(exchange.state, "a") == order_queries.open_orders(rig.state, "a")
    assert order_queries.open_algo_orders(exchange.state, "b") == order_queries.open_algo_orders(
        rig.state, "b"
    )
    assert exchange.state.market(SYMBOL).spec.brackets == rig.state.market(SYMBOL).spec.brackets


def test_cut_at_every_byte_of_the_last_records_the_whole_ones_remain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # What is read does not depend on when the disk has it, and thousands of times take long.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    folder = tmp_path / "s"
    _, states, sizes = written(folder)
    path = journal_of(folder)
    data = path.read_bytes()
    for length in range(sizes[-3], sizes[-1] + 1):
        path.write_bytes(data[:length])
        exchange, store = restored(folder)
        whole = max(n for n, size in enumerate(sizes) if size <= length)
        assert contents(exchange.state) == states[whole]
        assert store.torn_bytes == length - sizes[whole]
        store.abandon()


def test_a_torn_tail_is_overwritten_by_the_next_commit(tmp_path: Path):
    folder = tmp_path / "s"
    _, states, sizes = written(folder)
    os.truncate(journal_of(folder), sizes[-1] - 1)
    exchange, store = restored(folder)
    exchange.deposit("a", D(1), ExchangeRig().now)
    store.commit()
    again, _ = restored(folder)
    assert contents(again.state) == contents(exchange.state) != states[-2]


def test_a_flipped_bit_is_never_taken_for_data(tmp_path: Path):
    folder = tmp_path / "s"
    _, states, sizes = written(folder)
    path = journal_of(folder)
    sound = path.read_bytes()
    chooser = random.Random(5)  # the seed names the case
    for place in sorted(chooser.sample(range(sizes[-1]), 250)):
        data = bytearray(sound)
        data[place] ^= 1 << chooser.randrange(8)
        path.write_bytes(data)
        try:
            exchange, store = restored(folder)
        except StateDamagedError as problem:
            assert path.name in str(problem)  # noqa: PT017 - both outcomes are allowed, each with its rule
            continue
        assert place >= sizes[-2]
        assert contents(exchange.state) == states[-2]
        store.abandon()


def test_a_damaged_snapshot_is_replaced_by_the_generation_before(tmp_path: Path):
    folder = tmp_path / "s"
    _, states, _ = written(folder, max_journal_bytes=3_000)
    newest = max(folder.glob("snapshot-*.bin"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    exchange, _ = restored(folder)
    assert contents(exchange.state) == states[-1]


def test_two_damaged_snapshots_are_refused_with_their_names(tmp_path: Path):
    folder = tmp_path / "s"
    written(folder, max_journal_bytes=3_000)
    for path in folder.glob("snapshot-*.bin"):
        path.write_bytes(b"x" * 100)
    with pytest.raises(StateDamagedError, match="snapshot-"):
        restored(folder)


def test_rotation_keeps_two_generations_and_all_of_the_state(tmp_path: Path):
    folder = tmp_path / "s"
    _, states, _ = written(folder, max_journal_bytes=1_500)
    assert len(list(folder.glob("snapshot-*.bin"))) == 2
    assert len(list(folder.glob("journal-*.log"))) == 2
    exchange, _ = restored(folder)
    assert contents(exchange.state) == states[-1]


@pytest.fixture
def _thin_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row a slice, so that snapshots of a small state take many."""
    monkeypatch.setattr(state_record, "SLICE_ROWS", 1)


@pytest.mark.usefixtures("_thin_slices")
@pytest.mark.parametrize("pace", [1, 3, 20])
def test_a_kill_anywhere_in_a_snapshot_loses_nothing_and_doubles_nothing(tmp_path: Path, pace: int):
    """The folder as it is after each commit and each slice is what a kill there leaves."""
    folder, copy = tmp_path / "s", tmp_path / "copy"
    rig = ExchangeRig()
    store = Persistence(folder, rig.ex, 3_000)
    store.restore()
    seen_unfinished = 0
    for step in steps():
        step(rig)
        store.commit()
        answered = contents(rig.state, with_prices=False)
        for _ in range(pace):
            seen_unfinished += any(folder.glob("*.tmp"))
            shutil.copytree(folder, copy)
            exchange, killed = restored(copy)
            assert contents(exchange.state, with_prices=False) == answered
            assert not any(copy.glob("*.tmp"))
            killed.abandon()
            again, killed = restored(copy)
            assert contents(again.state, with_prices=False) == answered
            killed.abandon()
            shutil.rmtree(copy)
            store.proceed()
    assert seen_unfinished


@pytest.mark.usefixtures("_thin_slices")
def test_a_snapshot_takes_in_what_happens_while_it_is_written(tmp_path: Path):
    folder = tmp_path / "s"
    rig = ExchangeRig()
    store = Persistence(folder, rig.ex)
    store.restore()
    store.begin_snapshot()
    for step in steps():
        step(rig)
        store.commit()
        store.proceed()
    while store.has_work:
        store.proceed()
    expected = contents(rig.state, with_prices=False)
    exchange, _ = restored(folder)
    assert contents(exchange.state, with_prices=False) == expected
    newest = max(folder.glob("snapshot-*.bin"))
    newest.write_bytes(newest.read_bytes()[:-1])
    exchange, _ = restored(folder)
    assert contents(exchange.state, with_prices=False) == expected


@pytest.mark.usefixtures("_thin_slices")
def test_a_snapshot_cut_short_anywhere_is_not_taken_for_a_whole_one(tmp_path: Path):
    folder = tmp_path / "s"
    _, states, _ = written(folder, max_journal_bytes=6_000)
    newest = max(folder.glob("snapshot-*.bin"))
    whole = newest.read_bytes()
    for length in range(0, len(whole), 13):
        newest.write_bytes(whole[:length])
        exchange, store = restored(folder)
        assert contents(exchange.state) == states[-1]
        store.abandon()


def test_no_step_of_a_snapshot_takes_more_than_its_share_of_rows(tmp_path: Path):
    rig = ExchangeRig()
    for _ in range(300):
        rig.market("BUY", "0.002")
    for record in state_slices(rig.state):
        rows = sum(len(getattr(record, name)) for name in StateRecord.__struct_fields__[1:])
        assert rows <= state_record.SLICE_ROWS


def test_what_is_not_committed_does_not_get_into_a_snapshot(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    store.begin_snapshot()
    rig.market("BUY", "1")
    with pytest.raises(RuntimeError, match="commit changes"):
        store.proceed()


def test_long_old_files_are_removed_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateways.simulator.store.persistence._REMOVED_AT_ONCE", 500)
    _, states, _ = written(tmp_path / "s", max_journal_bytes=3_000)
    assert len(list((tmp_path / "s").glob("*-*.*"))) == 4
    exchange, _ = restored(tmp_path / "s")
    assert contents(exchange.state) == states[-1]


def test_an_orderly_stop_leaves_a_snapshot_and_an_empty_journal(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    rig.market("BUY", "1")
    store.close()
    assert journal_of(tmp_path).stat().st_size < 20
    exchange, _ = restored(tmp_path)
    assert contents(exchange.state) == contents(rig.state)


@pytest.mark.parametrize("limit", [1_500, 9_000, 1 << 20])
def test_whatever_call_fails_nothing_answered_is_lost(tmp_path: Path, limit: int):
    """Let the n-th call to the disk fail, for every n until none does; then restart."""
    for failing in range(1, 1_000):
        folder = tmp_path / f"n{failing}"
        rig = ExchangeRig()
        answered: list[bytes] = []
        with pytest.MonkeyPatch.context() as patch:
            reached = _fail_nth(patch, failing)
            attempted = _run(rig, folder, limit, answered)
        if not reached():
            break
        if not answered:
            continue
        exchange, store = restored(folder)
        assert contents(exchange.state, with_prices=False) in (answered[-1], attempted)
        store.abandon()
        shutil.rmtree(folder)
    assert failing > len(steps())


def _run(rig: ExchangeRig, folder: Path, limit: int, answered: list[bytes]) -> bytes:
    """Work until the disk fails; return the state that was being written then."""
    try:
        store = Persistence(folder, rig.ex, limit)
        store.restore()
        answered.append(contents(rig.state, with_prices=False))
        for step in steps():
            step(rig)
            store.commit()
            answered.append(contents(rig.state, with_prices=False))
            store.proceed()
    except OSError:
        pass
    return contents(rig.state, with_prices=False)


def _fail_nth(patch: pytest.MonkeyPatch, failing: int) -> Callable[[], bool]:
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == failing:
            raise OSError(28, "No space left on device")

    true_fsync, true_replace, true_unlink = os.fsync, Path.replace, Path.unlink
    true_write = journal.write_all

    def write_all(file: FileIO, data: bytes) -> None:
        """Let a failing write leave half of its bytes."""
        try:
            tick()
        except OSError:
            true_write(file, data[: len(data) // 2])
            raise
        true_write(file, data)

    def fsync(handle: int) -> None:
        tick()
        true_fsync(handle)

    def replace(self: Path, target: Path) -> Path:
        tick()
        return true_replace(self, target)

    def unlink(self: Path, missing_ok: bool = False) -> None:
        tick()
        true_unlink(self, missing_ok=missing_ok)

    patch.setattr(journal, "write_all", write_all)
    patch.setattr(os, "fsync", fsync)
    patch.setattr(Path, "replace", replace)
    patch.setattr(Path, "unlink", unlink)
    return lambda: count >= failing


def test_after_a_failed_write_the_journal_takes_no_more(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    with pytest.MonkeyPatch.context() as patch:
        _fail_nth(patch, 1)
        rig.market("BUY", "1")
        with pytest.raises(OSError, match="No space"):
            store.commit()
    with pytest.raises(StateDamagedError):
        store.commit()


def test_a_position_in_a_symbol_that_is_no_longer_traded_is_refused(tmp_path: Path):
    written(tmp_path)
    exchange = Exchange({"ETHUSDT": ExchangeRig().ex.state.specs["ETHUSDT"]}, Recorder())
    with pytest.raises(StateDamagedError, match="BTCUSDT: start the exchange with this symbol"):
        Persistence(tmp_path, exchange).restore()


def test_market_ids_go_on_above_everything_handed_out(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    updates = [rig.ex.next_update_id() for _ in range(5)]
    rig.take("BUY", 3_000)
    exchange, _ = restored(tmp_path)
    assert exchange.next_update_id() > updates[-1]
    book = exchange.book(SYMBOL)
    book.add("SELL", 500_010, 5)
    exchange.market_take(SYMBOL, "BUY", 5, None, rig.now)
    heard = exchange.state.listener
    assert isinstance(heard, Recorder)
    assert heard.trades[-1].trade_id > rig.heard.trades[-1].trade_id


def test_restored_orders_rejoin_the_book_behind_what_the_market_placed(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    order = rig.limit("BUY", "0.1", "49990")
    store.commit()
    exchange, _ = restored(tmp_path)
    exchange.after_market(SYMBOL, rig.now)
    book = exchange.book(SYMBOL)
    assert book.best_bid() is None
    book.add("BUY", 499_900, 700)
    book.add("SELL", 500_010, 700)
    exchange.after_market(SYMBOL, rig.now)
    assert book.size_at("BUY", 499_900) == 800
    exchange.market_take(SYMBOL, "SELL", 750, None, rig.now)
    assert order_queries.order(exchange.state, "a", SYMBOL, order.order_id, None).executed_qty == D("0.050")


def test_a_restored_order_can_be_cancelled_before_the_market_starts(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    order = rig.limit("BUY", "0.1", "49990")
    store.commit()
    exchange, _ = restored(tmp_path)
    assert exchange.cancel("a", SYMBOL, order.order_id, None, rig.now).status == "CANCELED"
    exchange.book(SYMBOL).add("BUY", 499_900, 700)
    exchange.after_market(SYMBOL, rig.now)
    assert exchange.book(SYMBOL).size_at("BUY", 499_900) == 700


def test_money_keeps_its_exact_digits(tmp_path: Path):
    rig = ExchangeRig()
    store = Persistence(tmp_path, rig.ex)
    store.restore()
    rig.ex.deposit("a", Decimal("0.00000001"), rig.now)
    store.commit()
    exchange, _ = restored(tmp_path)
    assert str(account_queries.account_summary(exchange.state, "a").total.wallet_balance) == "100000.00000001"

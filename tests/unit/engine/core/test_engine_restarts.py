"""What an engine must still know after it was killed: limits, losses, missed bars, money."""

from decimal import Decimal

import msgspec
import pytest

from engine.account.attribution import settle_foreign
from engine.account.state import AccountStateStore
from engine.core.engine import Engine
from engine.core.restore import restore, snapshot_of
from engine.journal.recovered import Recovered
from engine.journal.segment import JournalError
from engine.model.config import EngineConfig
from engine.model.effects import Append
from engine.model.events import Event, Timer
from engine.model.limits import RiskLimits
from engine.model.records import EXTERNAL, AccountKnown, ExitState, Fill, Signal
from engine.model.timeframes import SECOND_NS
from engine.shell.status import StatusKeeper
from gateways.wire import messages as wire
from gateways.wire.cursor import Cursor
from runtime.control.status import Counts
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

UP = (100, 99, 98, 100, 101)
DAY_NS = 86_400 * SECOND_NS
MIDNIGHT_NS = (START_NS // DAY_NS + 1) * DAY_NS
MINUTE_NS = 60 * SECOND_NS


def journal_of(rig: Rig, *, by_snapshot: bool = False) -> Recovered:
    if by_snapshot:
        return Recovered("aaaaaa", 1, snapshot_of(rig.engine, Cursor(1, 7)), (), 0, (), 99, None, 0)
    records = tuple(enumerate((one.record for one in rig.effects if hasattr(one, "record")), 1))
    return Recovered("aaaaaa", 1, None, records, 0, (), len(records) + 1, None, 0)


def restarted(rig: Rig, settings: EngineConfig, *, by_snapshot: bool = False) -> Rig:
    again = Rig(Engine(settings), rig.exchange)
    restore(again.engine, journal_of(rig, by_snapshot=by_snapshot))
    return again


def mark(rig: Rig, price: str, time_ns: int) -> None:
    rig.feed(wire.MarkPrice("BTCUSDT", Decimal(price), Decimal(price), Decimal(0), 0, time_ns, time_ns))


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_orders_before_a_restart_count_for_the_order_rate(by_snapshot: bool) -> None:
    settings = config(limits=RiskLimits(max_orders_per_window=1, order_window_ns=60 * SECOND_NS))
    rig = Rig(Engine(settings)).up().prices(*UP)
    assert len(rig.sent(wire.SubmitOrder)) == 1
    rig.prices(101, 100, 99, start=5)
    again = restarted(rig, settings, by_snapshot=by_snapshot).up()
    again.prices(99, 98, 97, 99, 101, 102, start=10)
    assert [one.rule for one in again.records(Signal)] == ["order_rate"]


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_loss_since_midnight_is_still_todays_after_a_restart(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP)
    mark(rig, "101", START_NS + 5 * SECOND_NS)
    mark(rig, "101", MIDNIGHT_NS)
    mark(rig, "61", MIDNIGHT_NS + 3600 * SECOND_NS)
    assert rig.engine.account.daily_pnl == Decimal(-4)
    again = restarted(rig, config(), by_snapshot=by_snapshot)
    mark(again, "61", MIDNIGHT_NS + 3601 * SECOND_NS)
    assert again.engine.account.daily_pnl == Decimal(-4)
    mark(again, "61", MIDNIGHT_NS + DAY_NS)
    assert again.engine.account.daily_pnl == 0


def test_a_mark_price_of_the_run_before_is_not_todays() -> None:
    rig = Rig().up().prices(*UP)
    mark(rig, "500", START_NS + 5 * SECOND_NS)
    again = restarted(rig, config(), by_snapshot=True)
    take = again.exchange.snapshot

    def told(*asked: int) -> wire.Snapshot:
        snapshot = take(*asked)
        (position,) = snapshot.positions
        return msgspec.structs.replace(
            snapshot, positions=(msgspec.structs.replace(position, mark_price=Decimal(100)),)
        )

    again.exchange.snapshot = told  # type: ignore[method-assign]  # the one thing this exchange says otherwise
    again.up()
    assert again.engine.account.mark("BTCUSDT") == Decimal(100)


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_the_exchanges_name_of_the_account_is_learnt_once_and_kept(by_snapshot: bool) -> None:
    rig = Rig()
    rig.exchange.account_id = "SgsR"
    rig.up().down().up()
    assert [one.account_id for one in rig.records(AccountKnown) if isinstance(one, AccountKnown)] == ["SgsR"]
    again = restarted(rig, config(), by_snapshot=by_snapshot)
    assert again.engine.recovery.account_id == "SgsR"


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_until_a_mark_price_comes_there_is_none_after_a_restart(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP)
    mark(rig, "500", START_NS + 5 * SECOND_NS)
    assert rig.engine.account.unrealised_pnl > 0
    again = restarted(rig, config(), by_snapshot=by_snapshot)
    assert again.engine.account.position("BTCUSDT").qty_base
    assert again.engine.account.mark("BTCUSDT") is None
    assert again.engine.account.unrealised_pnl == 0


def test_what_somebody_else_turned_keeps_the_price_he_turned_it_at() -> None:
    account = AccountStateStore()
    account.on_fill(fill(1, "sma", "BUY", "1", "100"))
    account.on_fill(fill(2, EXTERNAL, "SELL", "3", "130"))
    settle_foreign(account, "BTCUSDT", EXTERNAL, ["sma"], 5)
    assert account.strategy_position("sma", "BTCUSDT").qty_base == 0
    for position in (account.position("BTCUSDT"), account.strategy_position(EXTERNAL, "BTCUSDT")):
        assert (position.qty_base, position.entry_price) == (Decimal(-2), Decimal(130))
    assert account.realised_pnl == Decimal(30)


def fill(number: int, owner: str, side: wire.Side, qty: str, price: str) -> Fill:
    return Fill(
        "BTCUSDT", f"c{number}", number, number, owner, side, Decimal(price), Decimal(qty), Decimal(0),
        "USDT", Decimal(0), False, number,
    )  # fmt: skip


def minute_klines(exchange: Exchange, closes: dict[int, float]) -> None:
    def answer(asked: wire.RequestKlines) -> list[Event]:
        times = [time for time in sorted(closes) if time + MINUTE_NS <= exchange.now_ns][-asked.limit :]
        return [klines_reply(asked, tuple(kline(time, closes[time]) for time in times))]

    exchange.klines = answer


def klines_reply(asked: wire.RequestKlines, klines: tuple[wire.Kline, ...]) -> wire.KlinesReply:
    return wire.KlinesReply(asked.request_id, asked.symbol, asked.interval, klines, complete=True)


def kline(open_ns: int, close: float) -> wire.Kline:
    return wire.Kline(
        symbol="BTCUSDT", interval="1m", open_time_ns=open_ns, close_time_ns=open_ns + MINUTE_NS, open=close,
        high=close, low=close, close=close, volume_base=1.0, volume_quote=1.0, trades=1, is_closed=True,
        event_time_ns=open_ns + MINUTE_NS,
    )  # fmt: skip


def test_an_answer_to_a_request_that_was_repeated_does_no_harm() -> None:
    settings = config(spec(timeframe="1m", candles="exchange"))
    rig = Rig(Engine(settings)).up()
    (first,) = rig.sent(wire.RequestKlines)
    rig.wait(10)
    assert len(rig.sent(wire.RequestKlines)) == 2
    rig.feed(klines_reply(first, (kline(START_NS - 60 * SECOND_NS, 100.0),)))
    rig.feed(Timer(rig.now_ns))


def test_exits_of_bars_that_a_restart_missed_are_evaluated_and_their_entries_are_late() -> None:
    settings = config(spec(timeframe="1m", candles="exchange"))
    first_ns = START_NS // MINUTE_NS * MINUTE_NS - 10 * MINUTE_NS
    closes = {first_ns + minute * MINUTE_NS: 100.0 for minute in range(10)}
    exchange = Exchange()
    minute_klines(exchange, closes)
    rig = Rig(Engine(settings), exchange).up()
    opened = first_ns + 10 * MINUTE_NS
    for minute, close in enumerate((99.0, 98.0, 100.0)):
        closes[opened + minute * MINUTE_NS] = close
        rig.now_ns = exchange.now_ns = opened + (minute + 1) * MINUTE_NS
        rig.tick((rig.now_ns - START_NS) / SECOND_NS, close)
        rig.feed(kline(opened + minute * MINUTE_NS, close))
    assert exchange.position == Decimal("0.1")
    for minute, close in enumerate((99.0, 98.0, 97.0, 96.0, 95.0, 94.0), 3):
        closes[opened + minute * MINUTE_NS] = close
    again = restarted(rig, settings)
    again.now_ns = exchange.now_ns = opened + 9 * MINUTE_NS + SECOND_NS
    again.feed(Timer(again.now_ns))
    again.up()
    again.tick((again.now_ns - START_NS) / SECOND_NS, 94.0)
    again.wait(5)
    assert exchange.position == 0
    assert [one.side for one in again.sent(wire.SubmitOrder)] == ["SELL"]


def told(rig: Rig) -> Counts:
    """What was counted while it happened, and before that."""
    keeper = StatusKeeper(rig.engine)
    keeper.observe([one.record for one in rig.effects if isinstance(one, Append)])
    return keeper.counts()


def test_a_restart_counts_from_the_journal_what_the_dead_engine_counted() -> None:
    rig = Rig().up().prices(*UP, 99, 98, 97)
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "refused", -2019, "Margin")]
    rig.prices(98, 99, start=9)
    counts = told(rig)
    assert (counts.orders, counts.fills, counts.rejects) == (4, 3, 1)
    again = restarted(rig, config())
    assert again.engine.earlier == counts
    state = snapshot_of(again.engine, Cursor(1, 7), counts)
    found = Recovered("aaaaaa", 1, state, (), 0, (), 99, None, 0)
    third = Rig(Engine(config()), rig.exchange)
    restore(third.engine, found)
    assert third.engine.earlier == counts


@pytest.mark.parametrize("state", [b"", b"\x93\x92\x91\x01\x90\xc0\x00", b"\xc1"])
def test_exit_rules_of_another_version_are_one_sentence(state: bytes) -> None:
    record = ExitState("sma_crossover_inflection:s1", "BTCUSDT", START_NS, state)
    with pytest.raises(JournalError, match="sma_crossover_inflection:s1 on BTCUSDT is of another version"):
        restore(Engine(config()), Recovered("aaaaaa", 1, None, ((1, record),), 0, (), 2, None, 0))


def test_a_snapshot_of_another_version_is_one_sentence() -> None:
    with pytest.raises(JournalError, match="snapshot is of another version"):
        restore(Engine(config()), Recovered("aaaaaa", 1, b"\x91\x01", (), 0, (), 2, None, 0))


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_the_newest_signals_and_their_fates_are_still_shown_after_a_restart(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP).prices(99, 97, 95, 97, 99, start=10)
    shown = StatusKeeper(rig.engine).status(rig.now_ns).recent_signals
    assert len(shown) >= 2
    again = restarted(rig, config(), by_snapshot=by_snapshot)
    assert StatusKeeper(again.engine).status(rig.now_ns).recent_signals == shown
    assert list(again.engine.trades.log.recent) == list(rig.engine.trades.log.recent)

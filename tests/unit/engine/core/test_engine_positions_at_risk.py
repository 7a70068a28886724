"""What could hurt a position: crashes between two orders, strategies that are gone, words given too early."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.model.audit import Answer, Notice
from engine.model.cause import Cause
from engine.model.effects import Append
from engine.model.events import Command, Event, LinkDown, Timer
from engine.model.leg import CLOSE, Leg
from engine.model.limits import RiskLimits
from engine.model.records import Intent, Sent, Signal
from engine.model.timeframes import SECOND_NS
from engine.shell.status import StatusKeeper
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, mark, restarted

OWNER = "sma_crossover_inflection:s1"
PROTECTED = spec(protective_stop_percent=Decimal(5))
MORE = Leg.parse("rest:more")
TENTH = Decimal("0.1")


def command(rig: Rig, name: str, number: int = 1, **narrow: str) -> None:
    rig.feed(Command(rig.now_ns, f"c{number}", name, **narrow))  # type: ignore[arg-type]  # a command's name


def held(rig: Rig, owner: str = OWNER) -> Decimal:
    return rig.engine.account.strategy_position(owner, "BTCUSDT").qty_base


def stops(rig: Rig) -> list[str]:
    return [key for key, one in rig.exchange.orders.items() if one.order_type == "STOP_MARKET"]


def answered(rig: Rig) -> str:
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    return answer.text


def said(rig: Rig) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice)]


def test_a_stop_whose_sending_a_crash_cut_off_is_kept_and_not_placed_twice() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    (stop,) = stops(rig)
    heard_nothing = [
        one
        for one in rig.effects
        if not (
            hasattr(one, "record") and stop in str(one.record) and not isinstance(one.record, Intent | Sent)
        )
    ]
    rig.effects = heard_nothing
    again = restarted(rig, config(PROTECTED)).up()
    assert again.sent(wire.CancelOrder) == []
    assert again.sent(wire.SubmitOrder) == []
    assert stops(again) == [stop]


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_the_stop_of_a_strategy_taken_out_of_the_configuration_stays(by_snapshot: bool) -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    before = stops(rig)
    assert len(before) == 1
    other = config(
        replace(
            PROTECTED, owner="sma_crossover_inflection:s2", params={"short": 50, "long": 200, "smoothing": 1}
        )
    )
    again = restarted(rig, other, by_snapshot=by_snapshot).up()
    again.wait(180)
    assert stops(again) == before
    assert again.exchange.position == TENTH
    (left,) = [text for text in said(again) if "is not in the configuration" in text]
    assert left == (
        f"{OWNER} is not in the configuration and holds 0.1 BTCUSDT: only its resting orders protect it, "
        f"and entries against it are blocked. `python -m engine.ctl flatten --strategy {OWNER} --symbol "
        'BTCUSDT` closes it; id = "s1" given to sma_crossover_inflection:s2 takes it over'
    )


def test_flatten_names_a_strategy_that_is_gone_and_leaves_what_it_holds_with_its_stop() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    swapped = config(
        spec("ema_cross", owner="ema_cross:s1", params={"fast": 2, "slow": 3}), environment="paper"
    )
    again = restarted(rig, swapped).up()
    (left,) = [text for text in said(again) if "is not in the configuration" in text]
    typed = f"python -m engine.ctl --env paper flatten --strategy {OWNER} --symbol BTCUSDT"
    assert left.endswith(f"`{typed}` closes it; or put the strategy back")
    assert StatusKeeper(again.engine).status(again.now_ns).left_behind == (left,)
    row = StatusKeeper(again.engine).status(again.now_ns).strategies[0]
    assert (row.strategy, row.qty_base, row.stop_price) == (OWNER, "0.1", "96.1")
    assert row.state == ("not in the configuration: `python -m engine.ctl --env paper why` shows the command")
    command(again, "why")
    assert left in answered(again)
    command(again, "flatten", 2)
    assert (again.exchange.position, held(again)) == (TENTH, TENTH)
    command(again, "flatten", 3, strategy=OWNER)
    assert answered(again) == "closing 0.1 BTCUSDT; no strategy is paused"
    again.wait(1)
    assert (again.exchange.position, held(again), stops(again)) == (0, 0, [])
    assert StatusKeeper(again.engine).status(again.now_ns).left_behind == ()
    command(again, "pause", 4, strategy=OWNER)
    assert "there is no strategy" in answered(again)


def test_what_rests_for_a_strategy_that_is_gone_goes_with_its_position() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    other = config(
        replace(
            PROTECTED, owner="sma_crossover_inflection:s2", params={"short": 50, "long": 200, "smoothing": 1}
        )
    )
    again = restarted(rig, other).up()
    command(again, "kill")
    again.wait(10)
    assert again.exchange.position == 0
    assert stops(again) == []


@pytest.mark.parametrize("name", ["flatten", "kill"])
@pytest.mark.parametrize("by_snapshot", [False, True])
def test_leaving_that_was_asked_for_without_a_connection_survives_a_crash(
    name: str, by_snapshot: bool
) -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    assert held(rig) == TENTH
    rig.down()
    command(rig, name)
    assert rig.exchange.position == TENTH
    again = restarted(rig, config(PROTECTED), by_snapshot=by_snapshot).up()
    assert again.exchange.position == 0
    assert held(again) == 0
    again.wait(60)
    assert len(again.sent(wire.SubmitOrder)) == 1


def test_what_kill_said_to_close_is_closed_though_its_strategy_was_resumed_by_name() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    rig.down()
    command(rig, "kill")
    command(rig, "resume", 2, strategy=OWNER)
    assert "everything is killed until resume without strategy and symbol" in answered(rig)
    again = restarted(rig, config(PROTECTED)).up()
    again.wait(60)
    assert (again.exchange.position, held(again), stops(again)) == (0, 0, [])


def test_leaving_a_second_time_after_a_restart_does_not_happen() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    command(rig, "flatten")
    assert rig.exchange.position == 0
    again = restarted(rig, config(PROTECTED)).up()
    again.wait(60)
    assert again.sent(wire.SubmitOrder) == []


@pytest.mark.parametrize("name", ["flatten", "kill"])
def test_an_entry_that_fills_after_everything_was_to_be_left_is_left_too(name: str) -> None:
    rig = Rig(Engine(config(PROTECTED))).up()
    late: list[Event] = []

    def slow(order: wire.SubmitOrder) -> list[Event] | None:
        if order.reduce_only:
            return None
        reply, new, *rest = rig.exchange.execute(order)
        late.extend(rest)
        return [reply, new]

    rig.exchange.on_submit = slow
    rig.prices(*UP)
    assert late
    command(rig, name)
    for event in late:
        rig.feed(event)
    rig.wait(10)
    assert rig.exchange.position == 0
    assert held(rig) == 0
    assert stops(rig) == []


def test_after_resume_an_entry_is_not_left_again() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    command(rig, "flatten")
    command(rig, "resume", 2)
    rig.prices(100, 98, 96, 99, 102, 104, start=10)
    assert len([one for one in rig.records(Signal) if isinstance(one, Signal) and one.fate == "traded"]) > 1
    assert rig.exchange.position != 0


def test_a_mark_price_that_has_stopped_coming_gives_no_entries() -> None:
    limits = RiskLimits(price_band_fraction=Decimal("0.02"))
    rig = Rig(Engine(config(limits=limits))).up()
    mark(rig, "100", START_NS)
    rig.marked_ns = 0  # none come any more
    rig.wait(120)
    rig.status().prices(*UP, start=121)
    (vetoed,) = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert (vetoed.fate, vetoed.rule) == ("vetoed", "mark_age")
    assert vetoed.detail == "BTCUSDT: the mark price is older than 10 s"


def test_a_day_begins_when_every_held_symbol_has_its_mark() -> None:
    pair = ("BTCUSDT", "ETHUSDT")
    settings = config(spec(symbols=pair), symbols=pair)
    rig = Rig(Engine(settings)).up()
    account = rig.engine.account
    for symbol in pair:
        rig.feed(fill_of(symbol, "1", "100"))
    day_ns = 86_400 * SECOND_NS
    tomorrow = (START_NS // day_ns + 1) * day_ns
    again = restarted(rig, settings)
    account = again.engine.account
    told(again, "BTCUSDT", "100", tomorrow)
    told(again, "ETHUSDT", "600", tomorrow + 1)
    assert account.daily_pnl == 0
    told(again, "ETHUSDT", "590", tomorrow + 2)
    assert account.daily_pnl == Decimal(-10)


def told(rig: Rig, symbol: str, price: str, time_ns: int) -> None:
    rig.feed(wire.MarkPrice(symbol, Decimal(price), Decimal(price), Decimal(0), 0, time_ns, time_ns))


def fill_of(symbol: str, qty: str, price: str) -> wire.OrderUpdate:
    rig = Rig()
    order = wire.SubmitOrder(1, symbol, f"web_{symbol}", "BUY", "MARKET", Decimal(qty))
    report = rig.exchange.update(order, "TRADE", "FILLED", Decimal(qty), 1, Decimal(qty))
    return msgspec.structs.replace(report, sequence=0, last_price=Decimal(price), fee=Decimal(0))


def test_a_symbol_of_another_quote_asset_is_not_entered() -> None:
    rig = Rig()
    take = rig.exchange.snapshot

    def in_usdc(*asked: int) -> wire.Snapshot:
        snapshot = take(*asked)
        (one,) = snapshot.instruments
        return msgspec.structs.replace(
            snapshot, instruments=(msgspec.structs.replace(one, quote_asset="USDC"),)
        )

    rig.exchange.snapshot = in_usdc  # type: ignore[method-assign]  # the one thing this exchange says otherwise
    rig.up().prices(*UP)
    (signal,) = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert (signal.fate, signal.rule) == ("vetoed", "quote_asset")
    assert signal.detail == "BTCUSDT: settled in USDC, but money is counted in USDT"


def test_a_position_above_the_largest_market_order_is_left_in_parts() -> None:
    rig = Rig(Engine(config(PROTECTED)))
    take = rig.exchange.snapshot

    def small_orders(*asked: int) -> wire.Snapshot:
        snapshot = take(*asked)
        (one,) = snapshot.instruments
        small = msgspec.structs.replace(one, market_max_qty_base=Decimal("0.04"))
        return msgspec.structs.replace(snapshot, instruments=(small,))

    rig.up().prices(*UP)
    assert held(rig) == TENTH
    rig.exchange.snapshot = small_orders  # type: ignore[method-assign]  # the exchange has changed its filters
    again = restarted(rig, config(PROTECTED)).up()
    again.exchange.on_submit = lambda order: (
        [wire.Reply(order.request_id, "refused", -4005, "Quantity greater than max quantity.")]
        if order.order_type == "MARKET" and order.qty_base > Decimal("0.04")
        else None
    )
    command(again, "flatten")
    again.wait(1)
    left = [one for one in again.sent(wire.SubmitOrder) if isinstance(one, wire.SubmitOrder)]
    assert [one.qty_base for one in left if one.order_type == "MARKET"] == [
        Decimal("0.04"), Decimal("0.04"), Decimal("0.02")
    ]  # fmt: skip
    assert again.exchange.position == 0
    assert stops(again) == []


def test_a_partial_leaving_above_the_largest_market_order_leaves_no_more_than_was_asked() -> None:
    rig = Rig().up().prices(*UP)
    gate = rig.engine.gate
    gate.instruments["BTCUSDT"] = msgspec.structs.replace(
        gate.instruments["BTCUSDT"], market_max_qty_base=Decimal("0.03")
    )
    rig.engine.trades.exits.leave(
        OWNER, "BTCUSDT", qty_base=Decimal("0.07"), cause=Cause.parse("bar:test"), leg=CLOSE, signal="Part"
    )
    rig.wait(1)
    assert rig.exchange.position == Decimal("0.03")


def test_what_is_held_without_a_mark_price_counts_at_its_entry() -> None:
    pair = ("BTCUSDT", "ETHUSDT")
    limits = RiskLimits(max_total_notional_quote=Decimal(1_000))
    rig = Rig(Engine(config(spec(symbols=("BTCUSDT",)), symbols=pair, limits=limits)))
    rig.feed(fill_of("ETHUSDT", "10", "99.5"))
    take = rig.exchange.snapshot

    def with_eth(*asked: int) -> wire.Snapshot:
        snapshot = take(*asked)
        eth = wire.PositionReport(
            "ETHUSDT", "BOTH", Decimal(10), Decimal("99.5"), Decimal(0), "cross", Decimal(0)
        )
        return msgspec.structs.replace(snapshot, positions=(*snapshot.positions, eth))

    rig.exchange.snapshot = with_eth  # type: ignore[method-assign]  # the account holds something else too
    rig.up().status(fresh=pair).prices(*UP)
    (signal,) = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert (signal.fate, signal.rule) == ("vetoed", "total_notional")


def test_fees_in_another_asset_are_told_once_and_count_in_the_loss_of_the_day() -> None:
    rig = Rig().up()
    for number in (1, 2):
        fill = msgspec.structs.replace(
            fill_of("BTCUSDT", "1", "100"), fee=Decimal("0.01"), fee_asset="BNB", trade_id=number,
            filled_base=Decimal(number), qty_base=Decimal(2), sequence=number + 5, epoch=1,
        )  # fmt: skip
        rig.feed(fill)
    told_of = [text for text in said(rig) if "BNB" in text]
    told = "fees are taken in BNB: those shown leave them out, today's loss counts 0.05 % of what is traded"
    assert told_of == [f"{told}, 0.02 % where it rested"]
    assert rig.engine.account.estimated_fees == Decimal("0.1")
    for by_snapshot in (False, True):
        again = restarted(rig, config(), by_snapshot=by_snapshot)
        assert again.engine.account.estimated_fees == Decimal("0.1")


def test_the_loss_of_the_day_is_reached_by_fees_in_another_asset_alone() -> None:
    limits = RiskLimits(max_daily_loss_quote=Decimal("0.05"))
    rig = Rig(Engine(config(limits=limits))).up()
    fill = fill_of("BTCUSDT", "1", "100")
    for number, side in ((1, "BUY"), (2, "SELL")):
        rig.feed(
            msgspec.structs.replace(
                fill, side=side, fee=Decimal("0.0001"), fee_asset="BNB", trade_id=number,
                filled_base=Decimal(number), qty_base=Decimal(2), sequence=number + 5, epoch=1,
            )
        )  # fmt: skip
    rig.prices(*UP)
    (signal,) = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert (signal.fate, signal.rule) == ("vetoed", "daily_loss")


def test_an_exit_whose_fill_nobody_can_show_does_not_block_the_next_one() -> None:
    rig = Rig().up()

    def without_trace(order: wire.SubmitOrder) -> list[Event] | None:
        if not order.reduce_only:
            return None
        before = rig.exchange.sequence
        reply, new, trade, _ = rig.exchange.execute(order)
        rig.exchange.sequence = before + 1
        rig.exchange.fills.pop()
        hidden[order.client_order_id] = trade
        return [reply, new]

    hidden: dict[str, Event] = {}

    def known(query: wire.QueryOrder) -> list[Event] | None:
        trade = hidden.get(query.client_order_id)
        if not isinstance(trade, wire.OrderUpdate):
            return None
        told_of = msgspec.structs.replace(
            trade, epoch=0, sequence=0, trade_id=0, last_qty_base=Decimal(0), source="query"
        )
        return [wire.Reply(query.request_id, "ok", order=told_of)]

    rig.exchange.on_submit = without_trace
    rig.exchange.on_query = known
    rig.prices(*UP)
    assert held(rig) == TENTH
    leave = rig.engine.trades.exits.leave
    assert leave(OWNER, "BTCUSDT", cause=Cause.parse("bar:1"), leg=CLOSE, signal="Out").client_order_id
    rig.wait(180)
    assert rig.exchange.position == 0
    assert held(rig) == 0  # accepted, after the account's history was asked again and again
    rig.exchange.on_submit = lambda _: None
    rig.status().prices(100, 98, 96, 99, 102, 104, start=200)
    assert held(rig) != 0
    assert leave(OWNER, "BTCUSDT", cause=Cause.parse("bar:2"), leg=CLOSE, signal="Out").verdict.allowed
    rig.wait(1)
    assert rig.exchange.position == 0


def test_an_entry_that_rests_for_a_strategy_that_is_gone_is_withdrawn_its_stop_is_not() -> None:
    rig = Rig(Engine(config(PROTECTED))).up().prices(*UP)
    gate, now_ns = rig.engine.gate, rig.now_ns
    entry = gate.intent(
        OWNER, "BTCUSDT", "BUY", "LIMIT", TENTH, cause=Cause("bar:9"), leg=MORE, price=Decimal(50),
        time_in_force="GTC",
    )  # fmt: skip
    rig.engine.orders.submit(entry)
    rig.feed(Timer(now_ns))
    assert len(rig.exchange.orders) == 2
    other = config(
        replace(
            PROTECTED, owner="sma_crossover_inflection:s2", params={"short": 50, "long": 200, "smoothing": 1}
        )
    )
    again = restarted(rig, other).up()
    assert [one.order_type for one in again.exchange.orders.values()] == ["STOP_MARKET"]
    assert again.exchange.position == TENTH


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_funding_paid_is_a_loss_of_the_day_also_after_a_restart(by_snapshot: bool) -> None:
    settings = config(limits=RiskLimits(max_daily_loss_quote=Decimal(50)))
    rig = Rig(Engine(settings)).up()
    mark(rig, "100", START_NS)
    update = rig.exchange.account("FUNDING_FEE")
    (balance,) = update.balances
    rig.feed(
        msgspec.structs.replace(update, balances=(msgspec.structs.replace(balance, change=Decimal(-60)),))
    )
    rig.feed(rig.exchange.account("WITHDRAW"))
    assert rig.engine.account.daily_pnl == Decimal(-60)
    again = restarted(rig, settings, by_snapshot=by_snapshot).up()
    assert again.engine.account.daily_pnl == Decimal(-60)
    again.status().prices(*UP, start=3)
    (signal,) = [one for one in again.records(Signal) if isinstance(one, Signal)]
    assert (signal.fate, signal.rule) == ("vetoed", "daily_loss")


def at_most(rig: Rig, qty: str) -> None:
    """The exchange's largest market order, from now on."""
    take = rig.exchange.snapshot

    def smaller(*asked: int) -> wire.Snapshot:
        snapshot = take(*asked)
        (one,) = snapshot.instruments
        return msgspec.structs.replace(
            snapshot, instruments=(msgspec.structs.replace(one, market_max_qty_base=Decimal(qty)),)
        )

    rig.exchange.snapshot = smaller  # type: ignore[method-assign]  # the exchange has changed its filters


def cut_off(rig: Rig, events: list[Event]) -> list[Event]:
    """The link breaks before the fill is told: what follows from it cannot be sent."""
    rig.connected = False
    reply, *rest = events
    return [reply, LinkDown(rig.now_ns, "cut"), *rest]


@pytest.mark.parametrize("by_snapshot", [False, True])
def test_a_leaving_in_parts_goes_on_after_a_restart_between_two_of_them(by_snapshot: bool) -> None:
    rig = Rig().up().prices(*UP)
    assert held(rig) == TENTH
    at_most(rig, "0.04")
    rig.up()
    rig.engine.trades.exits.leave(
        OWNER, "BTCUSDT", qty_base=Decimal("0.09"), cause=Cause.parse("test"), leg=CLOSE, signal="Part"
    )
    first = rig.exchange.execute
    rig.exchange.execute = lambda order: cut_off(rig, first(order))  # type: ignore[method-assign]
    rig.feed(Timer(rig.now_ns))
    assert rig.exchange.position == Decimal("0.06")
    again = restarted(rig, config(), by_snapshot=by_snapshot)
    again.exchange.execute = first  # type: ignore[method-assign]
    again.up()
    again.wait(5)
    assert again.exchange.position == Decimal("0.01")


def test_an_exit_whose_next_attempt_was_made_long_ago_goes_on_with_the_one_after() -> None:
    """A clock that was set back puts the attempts of the journal in another order."""
    rig = Rig().up().prices(*UP)
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "transient", -1008, "overload")]
    rig.engine.trades.exits.leave(OWNER, "BTCUSDT", cause=Cause.parse("test"), leg=CLOSE, signal="Exit")
    rig.wait(5)
    tried = [one for one in rig.records(Intent) if isinstance(one, Intent) and one.is_exit]
    assert len(tried) > 1
    rig.effects = [
        Append(msgspec.structs.replace(tried[0], time_ns=rig.now_ns + SECOND_NS))
        if getattr(one, "record", None) == tried[0]
        else one
        for one in rig.effects
    ]
    rig.exchange.on_submit = lambda _: None
    again = restarted(rig, config()).up()
    again.wait(30)
    assert again.exchange.position == 0

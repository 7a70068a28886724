"""Single promises of the core that longer stories pass by: who is told, when, and what is not sent twice."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from engine.account.state import AccountStateStore
from engine.core.engine import Engine
from engine.market_data.aggregator import SymbolBars
from engine.model.audit import Answer, CandleClosed, Notice, Ready
from engine.model.events import Command, Event, LinkDown
from engine.model.records import EXTERNAL, Adjustment, Signal
from engine.model.timeframes import SECOND_NS
from engine.orders.order_states import OrderState
from engine.shell.configure import of_settings
from gateways.wire import messages as wire
from runtime.settings import Home, load_settings
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.support.order_events import SYMBOL, snapshot
from tests.support.places import ROOT
from tests.support.record_samples import fill

UP = (100, 99, 98, 100, 101)
ZERO = Decimal(0)


def resting(rig: Rig) -> None:
    """From now on orders are taken and do not fill."""

    def rest(order: wire.SubmitOrder) -> list[Event]:
        new = rig.exchange.update(order, "NEW", "NEW", ZERO, 0)
        rig.exchange.orders[order.client_order_id] = new
        return [wire.Reply(order.request_id, "ok"), new]

    rig.exchange.on_submit = rest


def told(rig: Rig) -> list[tuple[str, str]]:
    return [(one.level, one.text) for one in rig.notices(Notice)]


def test_while_an_entry_is_under_way_the_strategy_enters_nothing_else() -> None:
    rig = Rig().up()
    resting(rig)
    rig.prices(*UP)
    rig.prices(100, 98, 96, 94, start=5)
    assert len(rig.sent(wire.SubmitOrder)) == 1
    first, second = rig.records(Signal)[:2]
    assert (first.fate, second.fate, second.rule) == ("traded", "vetoed", "entry_in_flight")


def test_an_order_that_the_gateway_does_not_find_after_sending_it_is_unknown_and_asked_about() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "not_found", -2013, "no such order")]
    rig.exchange.on_query = lambda _: []
    rig.prices(*UP)
    (order,) = rig.engine.store.open_orders()
    assert order.state is OrderState.UNKNOWN
    assert [one.client_order_id for one in rig.sent(wire.QueryOrder)] == [order.client_order_id]


def test_a_cancel_goes_out_though_a_question_is_without_answer_and_only_once() -> None:
    rig = Rig().up()
    resting(rig)
    rig.exchange.on_query = lambda _: []
    rig.prices(*UP)
    (order,) = rig.engine.store.open_orders()
    rig.engine.orders.query_soon(order.client_order_id)
    rig.wait(0.1)
    assert len(rig.sent(wire.QueryOrder)) == 1
    rig.connected = False  # what is sent from now on gets no answer
    for number in range(2):
        rig.feed(Command(rig.now_ns, f"c{number}", "cancel", argument=order.client_order_id))
    assert [one.client_order_id for one in rig.sent(wire.CancelOrder)] == [order.client_order_id]


def test_the_time_from_a_tick_to_its_order_is_kept() -> None:
    rig = Rig().up().prices(*UP)
    assert list(rig.engine.orders.tick_to_order_ns) == [1000]


def test_a_lost_link_is_told() -> None:
    rig = Rig().up()
    rig.down()
    assert told(rig)[-1] == ("warning", "the link to the gateway is down: cut")


def test_a_link_that_cannot_be_made_for_the_same_reason_is_told_once() -> None:
    rig = Rig().up()
    for reason in ("cut", "wrong token", "wrong token", "wrong token", "no welcome", "no welcome"):
        rig.connected = False
        rig.feed(LinkDown(rig.now_ns, reason))
    rig.up().down().up().down()
    said = [text for _, text in told(rig) if "the link to the gateway is down" in text]
    assert [text.rpartition(": ")[2] for text in said] == ["cut", "wrong token", "no welcome", "cut", "cut"]


def test_a_ban_that_the_first_word_of_a_gateway_tells_is_passed_on() -> None:
    rig = Rig()
    rig.connected = True
    rig.status(banned_until_ns=rig.now_ns + 30 * SECOND_NS)
    assert told(rig)[-1] == ("warning", "the exchange takes no requests for another 30 s")


def test_a_page_before_the_exchange_is_told_with_what_goes_on() -> None:
    rig = Rig()
    rig.connected = True
    rig.status(banned_until_ns=rig.now_ns + 120 * SECOND_NS, exits_still_sent=True)
    text = "the exchange answers 403: requests pause for 120 s, exits and cancels keep trying"
    assert told(rig)[-1] == ("critical", text)


def test_a_bar_is_closed_by_the_exchanges_clock_and_waited_for_by_ours() -> None:
    rig = Rig().up()
    rig.status(clock_offset_ns=200_000_000)
    rig.tick(0.5, 100)
    assert rig.notices(Ready)
    assert rig.engine.next_deadline_ns == START_NS + SECOND_NS + 250_000_000 - 200_000_000


def test_the_clock_closes_the_first_bar_too() -> None:
    rig = Rig().up()
    rig.tick(0.5, 100)
    rig.wait(1)
    (closed,) = rig.notices(CandleClosed)
    assert (closed.bar.open_time_ns, closed.bar.ticks) == (START_NS, 1)


def test_a_book_is_fresh_up_to_the_limit_itself() -> None:
    rig = Rig().up()
    rig.tick(0, 100)
    health, clock = rig.engine.health, rig.engine.clock
    clock.advance(START_NS + 5 * SECOND_NS)
    assert health.is_fresh(SYMBOL)
    clock.advance(START_NS + 5 * SECOND_NS + 1)
    assert not health.is_fresh(SYMBOL)


def test_public_trades_make_the_candles_of_a_strategy_that_wants_them() -> None:
    rig = Rig(Engine(config(spec(candles="trade")))).up()
    for second, price in ((0.0, 100.0), (0.4, 103.0), (0.8, 101.0), (1.0, 102.0)):
        time_ns = START_NS + int(second * SECOND_NS)
        rig.feed(wire.TradeTick(SYMBOL, 7, price, 0.5, False, time_ns, time_ns))
    (closed,) = rig.notices(CandleClosed)
    bar = closed.bar
    assert (bar.kind, bar.open, bar.high, bar.low, bar.close) == ("trade", 100.0, 103.0, 100.0, 101.0)
    assert (bar.volume_base, bar.ticks) == (1.5, 3)


def test_a_flatten_that_cannot_be_sent_says_why_and_that_it_is_tried_again() -> None:
    rig = Rig().up().prices(*UP)
    rig.down()
    rig.feed(Command(rig.now_ns, "f1", "flatten"))
    answer = rig.notices(Answer)[-1]
    assert not answer.ok
    assert "not possible: BTCUSDT: there is no connection to the gateway, it is retried" in answer.text


def test_an_adjustment_of_the_journal_counts_again() -> None:
    record = Adjustment(SYMBOL, EXTERNAL, Decimal("0.5"), Decimal(50_000), "why", "proof", 9)
    first, again = AccountStateStore(), AccountStateStore()
    first.on_adjustment(record)
    again.replay(record)
    assert again.position(SYMBOL).qty_base == Decimal("0.5")
    assert again.state() == first.state()


def test_a_difference_younger_than_the_limit_may_be_an_event_under_way() -> None:
    account = AccountStateStore()
    account.on_snapshot(snapshot(time_ns=1_000))
    account.on_fill(fill(1, qty_base=Decimal(1), time_ns=5_000))
    assert account.mismatches(4_999) == ()
    assert [one.ours_base for one in account.mismatches(5_000)] == [1]


def test_ticks_before_a_series_began_anew_are_in_no_bar() -> None:
    bars = SymbolBars(SYMBOL, "trade", [SECOND_NS])
    bars.add(START_NS, 100.0, 1.0)
    bars.add(START_NS + 1, 90.0, 1.0)
    bars.begin_anew()
    bars.add(START_NS + 2, 105.0, 2.0)
    (bar,) = bars.add(START_NS + SECOND_NS, 106.0, 1.0)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume_base, bar.ticks) == (
        105,
        105,
        105,
        105,
        2.0,
        1,
    )


@pytest.mark.parametrize("name", ["demo", "testnet"])
def test_the_core_gets_the_configured_times_in_nanoseconds(name: str) -> None:
    settings = load_settings(name)
    made = of_settings(settings, engine_id="aaaaaa", client_id_prefix="p")
    clock, risk = settings.clock, settings.risk
    assert made.grace_ns == clock.grace_ms * 1_000_000
    assert made.stale_after_ns == clock.stale_after_ms * 1_000_000
    assert made.max_clock_uncertainty_ns == clock.max_offset_uncertainty_ms * 1_000_000
    assert made.limits.order_window_ns == risk.order_rate_seconds * 1_000_000_000
    assert made.limits.price_band_fraction == risk.price_band_percent / 100


def test_every_limit_of_the_settings_reaches_the_core(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "demo.toml"
    text = path.read_text("utf-8")
    assert "max_total_notional_quote" not in text
    plain = of_settings(load_settings("demo", home=Home(tmp_path)), engine_id="aaaaaa", client_id_prefix="p")
    unset = [one for one in plain.limits.__struct_fields__ if getattr(plain.limits, one) is None]
    assert unset == ["max_total_notional_quote"]
    path.write_text(text.replace("[risk]\n", "[risk]\nmax_total_notional_quote = 7_000\n"), "utf-8")
    made = of_settings(load_settings("demo", home=Home(tmp_path)), engine_id="aaaaaa", client_id_prefix="p")
    assert made.limits.max_total_notional_quote == 7_000


def test_a_strategy_is_called_as_its_class_or_as_the_configuration_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "demo.toml"
    text = path.read_text("utf-8")
    name = 'name = "sma_crossover_inflection"'
    assert name in text
    for given, owner in (
        (name, "sma_crossover_inflection:s1"),
        ('name = "strategies/breakaway.py:Breakaway"', "Breakaway:s1"),
        ('name = "strategies/breakaway.py:Breakaway"\nowner = "trend"', "trend:s1"),
    ):
        path.write_text(text.replace(name, given), "utf-8")
        made = of_settings(
            load_settings("demo", home=Home(tmp_path)), engine_id="aaaaaa", client_id_prefix="p"
        )
        assert [one.owner for one in made.strategies] == [owner]


def test_the_core_has_few_enough_attributes_to_be_quick():
    """CPython looks up to 30 attributes of an object up by their place, more of them in a dictionary: 3 % of
    a quiet tick."""
    assert len(vars(Rig().engine)) <= 30

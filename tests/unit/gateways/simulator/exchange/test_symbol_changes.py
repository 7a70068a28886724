"""Status and filters of a symbol change during a run."""

from decimal import Decimal

import pytest

from gateways.simulator.api.formats.exchange_info import symbol_info
from gateways.simulator.exchange.model.orders import AmendRequest
from gateways.simulator.exchange.model.symbol_changes import ENDED_STATUSES, STATUSES, changed_symbol
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import SYMBOL, D, ExchangeRig, refused

SPEC = default_symbols()[SYMBOL]


@pytest.fixture
def rig() -> ExchangeRig:
    return ExchangeRig()


def change(rig: ExchangeRig, **changes: object) -> None:
    rig.ex.set_spec(changed_symbol(rig.state.specs[SYMBOL], changes), rig.now)


def filters(rig: ExchangeRig) -> dict[str, dict[str, str]]:
    return {row["filterType"]: row for row in symbol_info(rig.state.specs[SYMBOL])["filters"]}


@pytest.mark.parametrize("status", [name for name in STATUSES if name != "TRADING"])
def test_orders_of_a_symbol_that_does_not_trade_are_refused(rig: ExchangeRig, status: str):
    rig.market("BUY", "0.5")
    change(rig, status=status)
    assert symbol_info(rig.state.specs[SYMBOL])["status"] == status
    with refused(-4141):
        rig.market("BUY", "0.1")
    with refused(-4141):
        rig.market("SELL", "0.1", reduce_only=True)
    with refused(-4141):
        rig.limit("BUY", "0.1", "49000")
    with refused(-4141):
        rig.algo("SELL", "STOP_MARKET", trigger_price="49000", close_position=True)
    assert rig.amount() == D("0.5")


def test_open_orders_of_a_halted_symbol_stay_and_can_be_cancelled(rig: ExchangeRig):
    rig.market("BUY", "0.5")
    order, other = rig.limit("BUY", "0.1", "49995"), rig.limit("SELL", "0.1", "50005", reduce_only=True)
    stop = rig.algo("SELL", "STOP_MARKET", trigger_price="49000", close_position=True)
    change(rig, status="BREAK")
    assert {one.order_id for one in rig.state.user("a").open_of(SYMBOL).values()} == {
        order.order_id,
        other.order_id,
    }
    with refused(-5024):
        rig.ex.amend(
            "a", AmendRequest(SYMBOL, "BUY", order.order_id, quantity=D("0.2"), price=D("49995")), rig.now
        )
    rig.ex.cancel("a", SYMBOL, order.order_id, None, rig.now)
    rig.ex.cancel_algo("a", stop.algo_id, None, rig.now)
    assert [one.order_id for one in rig.state.user("a").open_of(SYMBOL).values()] == [other.order_id]


def test_nothing_is_matched_or_triggered_until_the_symbol_trades_again(rig: ExchangeRig):
    rig.market("BUY", "0.5")
    rig.limit("SELL", "0.1", "50002", reduce_only=True)
    rig.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True, working_type="MARK_PRICE")
    change(rig, status="HALT")
    trades = len(rig.heard.trades)
    assert rig.take("BUY", 5000) == 5000
    rig.ex.print_trade(SYMBOL, 500_050, 5000, buyer_is_maker=False, now_ms=rig.now)
    rig.mark("49800")
    assert len(rig.heard.trades) == trades
    assert rig.amount() == D("0.5")
    change(rig, status="TRADING")
    assert rig.amount() == 0


@pytest.mark.parametrize("status", sorted(ENDED_STATUSES))
def test_a_settled_symbol_expires_its_open_orders(rig: ExchangeRig, status: str):
    rig.market("BUY", "0.5")
    rig.limit("BUY", "0.1", "49000")
    rig.algo("SELL", "STOP_MARKET", trigger_price="49000", close_position=True)
    rig.heard.events.clear()
    change(rig, status=status)
    assert rig.heard.words() == ["EXPIRED/EXPIRED er=7", "algo EXPIRED"]
    assert rig.amount() == D("0.5")


def test_a_coarser_grid_holds_for_new_orders_and_leaves_what_rests(rig: ExchangeRig):
    rig.market("BUY", "0.105")
    resting = rig.limit("SELL", "0.105", "50004.3", reduce_only=True)
    change(rig, tick_size=D(1), step_size=D("0.01"))
    found = filters(rig)
    assert Decimal(found["PRICE_FILTER"]["tickSize"]) == 1
    assert Decimal(found["LOT_SIZE"]["stepSize"]) == Decimal(found["LOT_SIZE"]["minQty"]) == D("0.01")
    assert Decimal(found["MARKET_LOT_SIZE"]["stepSize"]) == D("0.01")
    with refused(-4014):
        rig.limit("BUY", "0.10", "49990.5")
    with refused(-4014):
        rig.algo("SELL", "STOP_MARKET", trigger_price="49000.5", close_position=True)
    with refused(-4023):
        rig.limit("BUY", "0.105", "49990")
    with refused(-4004):
        rig.market("BUY", "0.005")
    rig.algo("SELL", "STOP_MARKET", trigger_price="49000", close_position=True)
    rig.take("BUY", 20_000)
    assert rig.state.user("a").orders[resting.order_id].average_price == D("50004.3")
    assert rig.amount() == 0


def test_a_stop_that_closes_the_position_leaves_no_rest_off_the_new_step(rig: ExchangeRig):
    rig.market("BUY", "0.105")
    rig.algo("SELL", "STOP_MARKET", trigger_price="49900", close_position=True, working_type="MARK_PRICE")
    change(rig, step_size=D("0.01"))
    rig.mark("49800")
    assert rig.amount() == 0


def test_the_other_filters_hold_for_new_orders(rig: ExchangeRig):
    change(
        rig, min_notional=D(1000), market_max_qty=D(1), max_qty=D(2), min_price=D(1000), max_price=D(60000)
    )
    with refused(-4164):
        rig.limit("BUY", "0.01", "49000")
    with refused(-4005):
        rig.market("BUY", "1.001")
    with refused(-4005):
        rig.limit("BUY", "2.001", "49000")
    with refused(-4002):
        rig.limit("SELL", "1", "60000.1")
    with refused(-4013):
        rig.limit("BUY", "1", "999.9")
    assert rig.market("BUY", "0.5").status == "FILLED"
    assert rig.market("SELL", "0.001", reduce_only=True).status == "FILLED"


def test_a_grid_goes_back_to_what_it_was():
    coarse = changed_symbol(SPEC, {"tick_size": D(10), "step_size": D(1)})
    assert (coarse.min_qty, coarse.market_min_qty) == (1, 1)
    back = changed_symbol(coarse, {"tick_size": SPEC.tick_size, "step_size": SPEC.step_size})
    assert back == SPEC


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tick_size": D("0.01")}, "tick_size"),
        ({"tick_size": D("0.25")}, "tick_size"),
        ({"tick_size": D(0)}, "tick_size"),
        ({"step_size": D("-0.001")}, "step_size"),
        ({"min_qty": D("0.0015")}, "min_qty"),
        ({"min_qty": D(0)}, "min_qty"),
        ({"max_qty": D("0.000")}, "max_qty"),
        ({"market_min_qty": D(500)}, "market_min_qty"),
        ({"min_price": D("5000000")}, "min_price"),
        ({"min_notional": D(-1)}, "min_notional"),
        ({"multiplier_up": D("0.5")}, "multiplier_up"),
    ],
)
def test_an_impossible_filter_is_refused_by_name(changes: dict[str, Decimal], field: str):
    with pytest.raises(ValueError, match=field):
        changed_symbol(SPEC, changes)

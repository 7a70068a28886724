"""Every documented refusal of an order, and the order in which the checks come."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from gateways.simulator.exchange import history_queries, order_queries
from gateways.simulator.exchange.model.errors import MESSAGES, ApiError, refusal
from gateways.simulator.exchange.model.orders import AmendRequest, OrderRequest
from gateways.simulator.exchange.model.symbols import default_symbols
from tests.support.simulator_rig import NOW, SYMBOL, D, ExchangeRig, refused

GOOD = OrderRequest(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=D("0.01"), price=D("49000"))
MARKET = OrderRequest(SYMBOL, "BUY", "MARKET", quantity=D("0.01"))

ROWS = {
    "unknown symbol": (replace(GOOD, symbol="NOPEUSDT"), -1121),
    "side": (replace(GOOD, side="LONG"), -1117),
    "type": (replace(GOOD, type="ICEBERG"), -1116),
    "stop at the order endpoint": (replace(GOOD, type="STOP"), -4120),
    "stop market at the order endpoint": (replace(MARKET, type="STOP_MARKET"), -4120),
    "take profit at the order endpoint": (replace(GOOD, type="TAKE_PROFIT"), -4120),
    "trailing stop at the order endpoint": (replace(MARKET, type="TRAILING_STOP_MARKET"), -4120),
    "time in force": (replace(GOOD, time_in_force="DAY"), -1115),
    "position side word": (replace(GOOD, position_side="UP"), -4060),
    "position side LONG in one-way mode": (replace(GOOD, position_side="LONG"), -4061),
    "self-trade mode": (replace(GOOD, stp_mode="MAYBE"), -5039),
    "limit without time in force": (replace(GOOD, time_in_force=None), -1102),
    "limit without quantity": (replace(GOOD, quantity=None), -1102),
    "limit without price": (replace(GOOD, price=None), -1102),
    "market without quantity": (replace(MARKET, quantity=None), -1102),
    "market with price": (replace(MARKET, price=D(1)), -1106),
    "market with time in force": (replace(MARKET, time_in_force="GTC"), -1106),
    "client id with a space": (replace(GOOD, new_client_order_id="a b"), -4015),
    "client id of 37 characters": (replace(GOOD, new_client_order_id="x" * 37), -4015),
    "empty client id": (replace(GOOD, new_client_order_id=""), -4015),
    "quantity decimals": (replace(GOOD, quantity=D("0.0101")), -1111),
    "price decimals": (replace(GOOD, price=D("49000.001")), -1111),
    "price off the tick": (replace(GOOD, price=D("49000.05")), -4014),
    "quantity zero": (replace(GOOD, quantity=D(0)), -4003),
    "quantity negative": (replace(GOOD, quantity=D("-0.01")), -4003),
    "quantity above LOT_SIZE": (replace(GOOD, quantity=D(1001)), -4005),
    "market quantity above MARKET_LOT_SIZE": (replace(MARKET, quantity=D(121)), -4005),
    "price zero": (replace(GOOD, price=D(0)), -4001),
    "price above the maximum": (replace(GOOD, price=D(4529765)), -4002),
    "price below the minimum": (replace(GOOD, price=D("556.7")), -4013),
    "buy above the band": (replace(GOOD, price=D("52500.1")), -4016),
    "sell below the band": (replace(GOOD, side="SELL", price=D("47499.9")), -4024),
    "limit below the notional": (replace(GOOD, quantity=D("0.001"), price=D("49000")), -4164),
    "market below the notional": (replace(MARKET, quantity=D("0.000")), -4003),
    "GTD without a date": (replace(GOOD, time_in_force="GTD"), -1102),
    "GTD within ten minutes": (replace(GOOD, time_in_force="GTD", good_till_date=NOW + 600_000), -5040),
    "GTD after the year 9999": (
        replace(GOOD, time_in_force="GTD", good_till_date=253_402_300_799_000),
        -5040,
    ),
    "a date without GTD": (replace(GOOD, good_till_date=NOW + 900_000), -1106),
    "price match with a price": (replace(GOOD, price_match="QUEUE"), -5037),
    "price match word": (replace(GOOD, price=None, price_match="BEST"), -5037),
    "price match on a market order": (replace(MARKET, price_match="QUEUE"), -5038),
    "price match beyond the book": (replace(GOOD, price=None, price_match="QUEUE_20"), -5041),
    "post-only that would cross": (replace(GOOD, time_in_force="GTX", price=D("50001")), -5022),
    "fill-or-kill that cannot fill": (
        replace(GOOD, time_in_force="FOK", price=D("50001"), quantity=D("1.001")),
        -5021,
    ),
    "reduce-only without a position": (replace(GOOD, reduce_only=True), -2022),
    "margin": (replace(GOOD, quantity=D(41), price=D(50000)), -2019),
    "market margin": (replace(MARKET, quantity=D(41)), -2019),
}


@pytest.fixture
def rig() -> ExchangeRig:
    spec = replace(default_symbols()[SYMBOL], min_notional=D(50))
    return ExchangeRig(spec=spec)


@pytest.mark.parametrize("row", ROWS, ids=list(ROWS))
def test_an_order_is_refused_with_the_documented_code(rig: ExchangeRig, row: str):
    request, code = ROWS[row]
    with refused(code):
        rig.ex.submit("a", request, rig.now)
    assert order_queries.open_orders(rig.state, "a") == []
    assert rig.heard.events == []


def test_the_good_request_of_the_table_is_accepted(rig: ExchangeRig):
    assert rig.ex.submit("a", GOOD, rig.now).status == "NEW"
    assert rig.ex.submit("a", MARKET, rig.now).status == "FILLED"


def test_trailing_zeros_are_not_decimals(rig: ExchangeRig):
    request = replace(GOOD, price=D("49000.0000"), quantity=D("0.0100000"))
    assert rig.ex.submit("a", request, rig.now).status == "NEW"


def test_decimals_are_checked_before_the_tick(rig: ExchangeRig):
    with refused(-1111):
        rig.ex.submit("a", replace(GOOD, price=D("49000.055")), rig.now)


def test_quantity_off_the_step_of_a_coarse_symbol_is_refused():
    spec = replace(default_symbols()[SYMBOL], step_size=D("0.005"), min_qty=D("0.005"))
    rig = ExchangeRig(spec=spec)
    with refused(-4023):
        rig.limit("BUY", "0.011", "49000")
    with refused(-4004):
        rig.limit("BUY", "0.004", "49000")


def test_the_notional_message_names_the_minimum(rig: ExchangeRig):
    with pytest.raises(ApiError, match=r"no smaller than 50 \(unless"):
        rig.limit("BUY", "0.001", "49000")


def test_reduce_only_orders_need_no_minimum_notional(rig: ExchangeRig):
    rig.market("BUY", "0.002")
    assert rig.limit("SELL", "0.001", "50500", reduce_only=True).status == "NEW"


def test_a_client_id_is_free_again_when_its_order_is_closed(rig: ExchangeRig):
    first = rig.ex.submit("a", replace(GOOD, new_client_order_id="mine"), rig.now)
    with refused(-4116):
        rig.ex.submit("a", replace(GOOD, new_client_order_id="mine"), rig.now)
    rig.ex.cancel("a", SYMBOL, first.order_id, None, rig.now)
    second = rig.ex.submit("a", replace(GOOD, new_client_order_id="mine"), rig.now)
    assert order_queries.order(rig.state, "a", SYMBOL, None, "mine").order_id == second.order_id


def test_two_accounts_may_use_one_client_id(rig: ExchangeRig):
    for account in ("a", "b"):
        assert rig.ex.submit(account, replace(GOOD, new_client_order_id="mine"), rig.now).status == "NEW"


def test_made_client_ids_have_22_characters_and_differ(rig: ExchangeRig):
    names = {rig.ex.submit("a", GOOD, rig.now).client_order_id for _ in range(50)}
    assert len(names) == 50
    assert {len(name) for name in names} == {22}


def test_the_number_of_open_orders_of_a_symbol_is_limited():
    rig = ExchangeRig(spec=replace(default_symbols()[SYMBOL], max_num_orders=3))
    for _ in range(3):
        rig.ex.submit("a", GOOD, rig.now)
    with refused(-2025):
        rig.ex.submit("a", GOOD, rig.now)


def test_a_market_order_far_from_the_mark_price_is_refused(rig: ExchangeRig):
    rig.mark("40000")
    with refused(-4131):
        rig.market("BUY", "0.01")


def test_a_position_above_the_bracket_of_the_leverage_is_refused():
    rig = ExchangeRig(wallet="1000000")
    rig.ex.set_leverage("a", SYMBOL, 125, rig.now)
    with refused(-2027):
        rig.limit("BUY", "6.001", "50000")
    assert rig.limit("BUY", "6.000", "50000").status == "NEW"
    with refused(-2027):
        rig.limit("BUY", "0.001", "50000")


@pytest.mark.parametrize(("side", "code"), [("BUY", -4140), ("SELL", None)])
def test_a_controlled_side_is_refused(side: str, code: int | None):
    rig = ExchangeRig(spec=replace(default_symbols()[SYMBOL], position_control_side="BUY"))
    if code is None:
        assert rig.market(side, "0.01").status == "FILLED"
        return
    with refused(code):
        rig.market(side, "0.01")


def test_a_closed_symbol_takes_no_orders():
    rig = ExchangeRig(spec=replace(default_symbols()[SYMBOL], status="SETTLING"))
    with refused(-4141):
        rig.market("BUY", "0.01")


def test_hedge_mode_wants_a_position_side_and_no_reduce_only(rig: ExchangeRig):
    rig.ex.set_position_mode("a", hedge_mode=True, now_ms=rig.now)
    with refused(-4061):
        rig.market("BUY", "0.01")
    with refused(-4061):
        rig.market("BUY", "0.01", position_side="BOTH")
    with refused(-1106):
        rig.market("SELL", "0.01", position_side="LONG", reduce_only=True)
    with refused(-1106):
        rig.market("SELL", "0.01", position_side="LONG", reduce_only=False)
    with refused(-2022):
        rig.market("SELL", "0.01", position_side="LONG")


def amend(rig: ExchangeRig, target: int, **more: object) -> None:
    terms = {"quantity": D("0.02"), "price": D("49000"), "order_id": target} | more
    rig.ex.amend("a", AmendRequest(SYMBOL, "BUY", **terms), rig.now)  # type: ignore[arg-type]  # a table of fields


AMENDMENTS: dict[str, tuple[dict[str, object], int]] = {
    "unknown order": ({"order_id": 1}, -2013),
    "no id": ({"order_id": None}, -1102),
    "no quantity": ({"quantity": None}, -1102),
    "no price": ({"price": None}, -1102),
    "nothing changes": ({"quantity": D("0.01")}, -5027),
    "tick": ({"price": D("49000.05")}, -4014),
    "decimals": ({"price": D("49000.055")}, -1111),
    "band": ({"price": D("52500.1")}, -4016),
    "notional": ({"quantity": D("0.001")}, -5029),
    "margin": ({"quantity": D(45)}, -2019),
    "reduce-only differs": ({"reduce_only": True}, -5047),
    "price match beyond the book": ({"price": None, "price_match": "QUEUE_20"}, -5041),
}


@pytest.mark.parametrize("row", AMENDMENTS, ids=list(AMENDMENTS))
def test_a_refused_modification_leaves_the_order_as_it_was(rig: ExchangeRig, row: str):
    order = rig.ex.submit("a", GOOD, rig.now)
    rig.heard.events.clear()
    more, code = AMENDMENTS[row]
    with refused(code):
        amend(rig, order.order_id, **more)
    assert order_queries.order(rig.state, "a", SYMBOL, order.order_id, None) == order
    assert rig.ex.book(SYMBOL).size_at("BUY", 490_000) == 10
    assert rig.heard.events == []


def test_modifications_are_counted_up_to_the_limit():
    rig = ExchangeRig(spec=replace(default_symbols()[SYMBOL], max_move_order_limit=2))
    order = rig.ex.submit("a", GOOD, rig.now)
    amend(rig, order.order_id)
    amend(rig, order.order_id, quantity=D("0.03"))
    with refused(-5026):
        amend(rig, order.order_id, quantity=D("0.04"))


CALLS: dict[str, tuple[Callable[[ExchangeRig], object], int]] = {
    "cancel unknown": (lambda d: d.ex.cancel("a", SYMBOL, 5, None, d.now), -2011),
    "cancel without id": (lambda d: d.ex.cancel("a", SYMBOL, None, None, d.now), -1102),
    "query unknown": (lambda d: order_queries.order(d.ex.state, "a", SYMBOL, 5, None), -2013),
    "open order unknown": (lambda d: order_queries.open_order(d.ex.state, "a", SYMBOL, None, "x"), -2013),
    "cancel all of an unknown symbol": (lambda d: d.ex.cancel_all("a", "X", d.now), -1121),
    "trades with id and time": (
        lambda d: history_queries.user_trades(d.ex.state, "a", SYMBOL, d.now, from_id=1, start_ms=1),
        -1128,
    ),
    "orders with start after end": (
        lambda d: history_queries.all_orders(d.ex.state, "a", SYMBOL, d.now, start_ms=2, end_ms=1),
        -1023,
    ),
    "orders over eight days": (
        lambda d: history_queries.all_orders(
            d.ex.state, "a", SYMBOL, d.now, start_ms=0, end_ms=8 * 86_400_000
        ),
        -1127,
    ),
}


@pytest.mark.parametrize("row", CALLS, ids=list(CALLS))
def test_a_call_is_refused_with_the_documented_code(rig: ExchangeRig, row: str):
    call, code = CALLS[row]
    with refused(code):
        call(rig)


@pytest.mark.parametrize("code", list(MESSAGES))
def test_every_fixed_sentence_belongs_to_its_code(code: int):
    error = refusal(code)
    assert (error.code, error.http_status) == (code, 400)
    assert error.message


def test_infinite_numbers_are_malformed(rig: ExchangeRig):
    with refused(-1102):
        rig.ex.submit("a", replace(GOOD, quantity=Decimal("NaN")), rig.now)
    with refused(-1102):
        rig.ex.submit("a", replace(GOOD, price=Decimal("Infinity")), rig.now)

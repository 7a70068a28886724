"""What the simulator prints has exactly the documented fields, and prints numbers as the exchange does."""

from decimal import Decimal

import pytest

from gateways.simulator.api.access.rate_limits import RateLimitSettings
from gateways.simulator.api.formats import account as format_account
from gateways.simulator.api.formats import events as format_events
from gateways.simulator.api.formats import numbers as format_numbers
from gateways.simulator.api.formats import orders as format_orders
from gateways.simulator.api.formats.exchange_info import exchange_info
from gateways.simulator.exchange.model.accounts import AccountSummary, AssetRow, PositionRow
from gateways.simulator.exchange.model.events import (
    AccountConfigEvent,
    AccountEvent,
    AlgoEvent,
    BalanceChange,
    Fill,
    MarginCallEvent,
    MarginCallPosition,
    OrderEvent,
    PositionChange,
)
from gateways.simulator.exchange.model.orders import AlgoOrder, Order
from gateways.simulator.exchange.model.symbols import default_symbols

SPECS = default_symbols()
BTC = SPECS["BTCUSDT"]
D = Decimal


def fields(text: str) -> set[str]:
    return set(text.split())


def an_order(**changes: object) -> Order:
    values = {
        "order_id": 8,
        "account_id": "1",
        "symbol": "BTCUSDT",
        "client_order_id": "mine",
        "side": "BUY",
        "position_side": "BOTH",
        "type": "LIMIT",
        "orig_type": "LIMIT",
        "time_in_force": "GTC",
        "price": D("64000.1"),
        "orig_qty": D("0.030"),
        "status": "PARTIALLY_FILLED",
        "time_ms": 1,
        "update_time_ms": 2,
        "executed_lots": 3,
        "executed_qty": D("0.003"),
        "cum_quote": D("192.0001"),
    }
    return Order(**values | changes)


def an_algo_order(**changes: object) -> AlgoOrder:
    values = {
        "algo_id": 1_000_000_000_000_001,
        "account_id": "1",
        "client_algo_id": "guard",
        "algo_type": "CONDITIONAL",
        "order_type": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "position_side": "BOTH",
        "time_in_force": "GTC",
        "quantity": D("0.010"),
        "algo_status": "NEW",
        "create_time_ms": 1,
        "update_time_ms": 1,
        "trigger_price": D(60_000),
    }
    return AlgoOrder(**values | changes)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (D("0"), "0.00000000"),
        (D("-0.000000001"), "0.00000000"),
        (D("1E-8"), "0.00000001"),
        (D("-2.5"), "-2.50000000"),
        (D("1E+3"), "1000.00000000"),
    ],
)
def test_money_has_eight_decimals_and_no_exponent(value: Decimal, printed: str):
    assert format_numbers.money(value) == printed


@pytest.mark.parametrize(
    ("value", "printed"), [(D("0"), "0"), (D("-0"), "0"), (D("1E+3"), "1000"), (D("0.050"), "0.05")]
)
def test_plain_numbers_have_no_trailing_zeros(value: Decimal, printed: str):
    assert format_numbers.plain(value) == printed


def test_fill_event_has_all_fields():
    fill = Fill(77, D("64000.1"), D("0.001"), D("0.0320"), "USDT", D("-1.5"), False)
    event = format_events.order_trade_update(BTC, OrderEvent(an_order(), "TRADE", 5, D(0), D(0), fill), 6)
    assert (event["e"], event["E"], event["T"]) == ("ORDER_TRADE_UPDATE", 6, 5)
    assert set(event["o"]) == fields(
        "s c S o f q p ap sp x X i l z L N n T t b a m R wt ot ps cp rp pP si ss V pm gtd er"
    )
    assert (
        event["o"] | {"ap": "64000.03333", "l": "0.001", "L": "64000.10", "rp": "-1.50000000"} == event["o"]
    )


def test_event_without_fill_has_neither_fee_nor_trade():
    event = format_events.order_trade_update(
        BTC, OrderEvent(an_order(), "AMENDMENT", 5, D("5.5"), D(0), modify_id=9), 6
    )
    assert not {"N", "n"} & set(event["o"])
    assert (event["o"]["t"], event["o"]["M"], event["o"]["b"]) == (0, 9, "5.5")


def test_account_update_lists_only_changes():
    balance = BalanceChange("USDT", D("100.5"), D("100.5"), D(0))
    position = PositionChange(
        "BTCUSDT", "BOTH", D("0.01"), D("64000.1"), D("64032.1"), D(0), D("-1"), "cross", D(0)
    )
    event = format_events.account_update(SPECS, AccountEvent("ORDER", 5, (balance,), (position,)), 6)
    assert event["a"]["B"] == [{"a": "USDT", "wb": "100.50000000", "cw": "100.50000000", "bc": "0"}]
    assert set(event["a"]["P"][0]) == fields("s pa ep bep cr up mt iw ps")
    assert "S" not in event["a"]
    funding = format_events.account_update(
        SPECS, AccountEvent("FUNDING_FEE", 5, (balance,), (), "BTCUSDT"), 6
    )
    assert (funding["a"]["S"], funding["a"]["P"]) == ("BTCUSDT", [])


def test_conditional_order_event_before_and_after_its_trigger():
    waiting = format_events.algo_update(BTC, AlgoEvent(an_algo_order(), 5), 6)["o"]
    assert set(waiting) == fields("caid aid at o s S ps f q X ai ap aq act tp p V wt pm cp pP R tt gtd")
    assert (waiting["ai"], waiting["act"], waiting["ap"], waiting["aq"]) == ("", "0", "0", "0")
    child = an_algo_order(algo_status="TRIGGERED", actual_order_id=88, actual_type="MARKET")
    triggered = format_events.algo_update(BTC, AlgoEvent(child, 5), 6)["o"]
    assert (triggered["ai"], triggered["act"]) == ("88", "MARKET")
    refused = format_events.algo_update(
        BTC, AlgoEvent(an_algo_order(algo_status="REJECTED", reject_reason="no margin"), 5), 6
    )["o"]
    assert refused["rm"] == "no margin"


def test_margin_call_and_settings_events():
    row = MarginCallPosition("BTCUSDT", "BOTH", D("0.01"), "CROSSED", D(0), D(60_000), D(-40), D(3))
    call = format_events.margin_call(SPECS, MarginCallEvent(5, D(50), (row,)), 6)
    assert call["cw"] == "50.00000000"
    assert set(call["p"][0]) == fields("s ps pa mt iw mp up mm")
    assert "cw" not in format_events.margin_call(SPECS, MarginCallEvent(5, None, (row,)), 6)
    leverage = format_events.account_config_update(AccountConfigEvent(5, "BTCUSDT", 7), 6)
    assert leverage["ac"] == {"s": "BTCUSDT", "l": 7}
    mode = format_events.account_config_update(AccountConfigEvent(5, multi_assets_mode=True), 6)
    assert mode["ai"] == {"j": True}


def test_acknowledgement_shows_the_order_as_it_arrived():
    answer = format_orders.order_answer(BTC, an_order(), legacy_avg_price=True)
    assert (answer["avgPrice"], answer["cumQuote"], answer["executedQty"]) == (
        "64000.03333",
        "192.00010",
        "0.003",
    )
    arrived = format_orders.as_acknowledged(answer, BTC)
    assert (arrived["status"], arrived["executedQty"], arrived["avgPrice"]) == ("NEW", "0.000", "0.00000")
    assert list(arrived) == list(answer)


def test_every_symbol_carries_what_clients_need():
    info = exchange_info(SPECS, RateLimitSettings(), 1)
    assert {row["asset"] for row in info["assets"]} == {"USDT"}
    for symbol in info["symbols"]:
        kinds = {row["filterType"] for row in symbol["filters"]}
        assert kinds == {
            "PRICE_FILTER",
            "LOT_SIZE",
            "MARKET_LOT_SIZE",
            "MAX_NUM_ORDERS",
            "MIN_NOTIONAL",
            "PERCENT_PRICE",
            "POSITION_RISK_CONTROL",
        }
        for field in ["deliveryDate", "onboardDate", "triggerProtect", "liquidationFee", "marketTakeBound"]:
            assert symbol[field] not in {"", None}
    limits = {
        (row["rateLimitType"], row["interval"], row["intervalNum"]): row["limit"]
        for row in info["rateLimits"]
    }
    assert limits == {
        ("REQUEST_WEIGHT", "MINUTE", 1): 2400,
        ("ORDERS", "MINUTE", 1): 1200,
        ("ORDERS", "SECOND", 10): 300,
    }


def test_v3_leaves_out_flags_and_idle_positions():
    flat = PositionRow(
        "BTCUSDT", "BOTH", *[D(0)] * 6, False, D(0), D(0), D(0), 20, D(1), *[D(0)] * 6, 0, 0, False
    )
    held = PositionRow(
        "ETHUSDT", "BOTH", D(1), *[D(2)] * 5, False, D(0), D(0), D(3), 20, D(1), *[D(0)] * 6, 0, 0, False
    )
    total = AssetRow("USDT", *[D(1)] * 11, 0)
    summary = AccountSummary("1", False, False, False, 0, total, [total], [flat, held])
    assert [row["symbol"] for row in format_account.account_v3(SPECS, summary)["positions"]] == ["ETHUSDT"]
    assert "canTrade" not in format_account.account_v3(SPECS, summary)
    old = format_account.account_v2(SPECS, summary)
    assert old["canTrade"] is True
    assert [row["leverage"] for row in old["positions"]] == ["20", "20"]
    risk = format_account.position_risk_v2(BTC, flat)
    assert (risk["marginType"], risk["entryPrice"], risk["liquidationPrice"]) == ("cross", "0.0", "0")
    assert "leverage" not in format_account.position_risk_v3(SPECS["ETHUSDT"], held)

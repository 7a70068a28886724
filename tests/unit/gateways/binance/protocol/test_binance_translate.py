"""Private events and REST rows into wire messages."""

from decimal import Decimal

import pytest

from gateways.binance.protocol import translate
from gateways.wire.words import AccountChange, ForcedClose

ORDER = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 1000,
    "T": 999,
    "o": {
        "s": "BTCUSDT",
        "c": "nb-1",
        "S": "SELL",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.010",
        "p": "50000.10",
        "ap": "0",
        "sp": "0",
        "x": "NEW",
        "X": "NEW",
        "i": 8886774,
        "l": "0",
        "z": "0",
        "L": "0",
        "T": 998,
        "t": 0,
        "R": True,
        "er": "0",
    },
}
TRIGGERED = {
    "e": "ALGO_UPDATE",
    "T": 1765431097030,
    "E": 1765431097037,
    "o": {
        "caid": "O-2025",
        "aid": 1000000033225453,
        "at": "CONDITIONAL",
        "o": "STOP_MARKET",
        "s": "DOGEUSDT",
        "S": "BUY",
        "f": "GTC",
        "q": "38",
        "X": "TRIGGERED",
        "ai": "88937381063",
        "ap": "0",
        "aq": "0",
        "tp": "0.13855",
        "p": "0",
        "R": False,
    },
}


def with_order(**fields: object) -> dict:
    return ORDER | {"o": ORDER["o"] | fields}  # type: ignore[operator]  # a dict of the constant above


def test_a_new_order_without_fee_fields_is_understood():
    update = translate.order_event(ORDER)
    assert (update.client_order_id, update.exchange_order_id, update.side) == ("nb-1", 8886774, "SELL")
    assert (update.price, update.qty_base, update.fee) == (Decimal("50000.10"), Decimal("0.010"), Decimal(0))
    assert (update.event_time_ns, update.transaction_time_ns) == (1_000_000_000, 998_000_000)
    assert (update.reason, update.reduce_only) == ("", True)


@pytest.mark.parametrize("is_maker", [True, False])
def test_a_fill_keeps_its_maker_flag_and_the_sign_of_a_rebate(is_maker: bool):
    fill = {"t": 3, "l": "0.01", "L": "50000.1", "n": "-0.05", "N": "USDT", "m": is_maker}
    update = translate.order_event(with_order(x="TRADE", X="FILLED", z="0.01", **fill))
    assert (update.trade_id, update.is_maker, update.fee) == (3, is_maker, Decimal("-0.05"))


def test_unknown_words_and_fields_are_passed_on_or_skipped():
    update = translate.order_event(with_order(X="NEW_INSURANCE", x="SOMETHING", er="8", brand_new={"a": 1}))
    assert (update.status, update.execution, update.reason) == ("NEW_INSURANCE", "SOMETHING", "8")


@pytest.mark.parametrize("field", ["s", "i", "S"])
def test_an_event_that_does_not_say_what_it_is_about_is_not_dropped_silently(field: str):
    body = {name: value for name, value in with_order()["o"].items() if name != field}
    with pytest.raises(translate.Untranslatable):
        translate.order_event({"e": "ORDER_TRADE_UPDATE", "o": body})


def test_a_triggered_conditional_order_names_its_child_and_tells_no_fill():
    update = translate.algo_event(TRIGGERED)
    assert (update.is_conditional, update.exchange_order_id, update.child_order_id) == (
        True,
        1000000033225453,
        88937381063,
    )
    assert (update.status, update.stop_price, update.filled_base) == (
        "TRIGGERED",
        Decimal("0.13855"),
        Decimal(0),
    )


def test_an_empty_child_id_is_none_yet():
    body = dict(TRIGGERED["o"]) | {"ai": "", "X": "NEW"}  # type: ignore[call-overload]  # a dict
    assert translate.algo_event(TRIGGERED | {"o": body}).child_order_id == 0


def test_account_events_carry_changed_rows_only():
    update = translate.account_event(
        {
            "e": "ACCOUNT_UPDATE",
            "E": 2,
            "T": 1,
            "a": {
                "m": "FUNDING_FEE",
                "B": [{"a": "USDT", "wb": "99.5", "cw": "99.5", "bc": "-0.5"}],
                "P": [
                    {"s": "X", "pa": "-1", "ep": "2", "up": "0.1", "mt": "isolated", "iw": "3", "ps": "BOTH"}
                ],
                "S": "X",
            },
        }
    )
    assert (update.reason, update.balances[0].wallet) == ("FUNDING_FEE", Decimal("99.5"))
    assert update.balances[0].available is None
    assert (update.positions[0].qty_base, update.positions[0].margin_type) == (Decimal(-1), "isolated")


@pytest.mark.parametrize(
    ("event", "foreign"),
    [
        ({"st": 2}, True),
        ({"o": {"st": 2}}, True),
        ({"st": 1}, False),
        ({}, False),
        ({"o": 5}, False),
        ({"o": {"st": "X"}}, False),
    ],
)
def test_coin_margined_events_are_told_apart(event: dict, foreign: bool):
    assert translate.is_foreign(event) is foreign


@pytest.mark.parametrize("value", [None, "", "abc", "NaN", "Infinity", [], {}])
def test_a_number_that_is_none_is_zero(value: object):
    assert translate.decimal(value) == Decimal(0)


def test_an_account_update_says_what_was_added_beside_profit_and_commission() -> None:
    event = {
        "e": "ACCOUNT_UPDATE", "E": 2, "T": 1,
        "a": {"m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "99.5", "cw": "99.5", "bc": "-0.5"}]},
    }  # fmt: skip
    (balance,) = translate.account_event(event).balances
    assert (balance.wallet, balance.change) == (Decimal("99.5"), Decimal("-0.5"))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("ORDER", AccountChange.TRADE),
        ("FUNDING_FEE", AccountChange.FUNDING),
        ("INSURANCE_CLEAR", AccountChange.INSURANCE),
        ("DEPOSIT", AccountChange.TRANSFER),
        ("AUTO_EXCHANGE", AccountChange.TRANSFER),
        ("ADJUSTMENT", AccountChange.OTHER),
        ("SOMETHING_NEW", AccountChange.OTHER),
    ],
)
def test_an_account_event_says_what_changed_the_account(reason: str, change: AccountChange):
    update = translate.account_event({"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": reason}})
    assert (update.change, update.reason) == (change, reason)


def test_a_margin_call_is_an_account_change_of_its_own():
    assert translate.margin_call({"e": "MARGIN_CALL", "E": 1}).change is AccountChange.MARGIN_CALL


@pytest.mark.parametrize(
    ("client_id", "order_type", "forced"),
    [
        ("autoclose-1709", "LIMIT", ForcedClose.LIQUIDATION),
        ("x", "LIQUIDATION", ForcedClose.LIQUIDATION),
        ("adl_autoclose", "MARKET", ForcedClose.DELEVERAGING),
        ("settlement_autoclose-1", "MARKET", ForcedClose.SETTLEMENT),
        ("delivery_autoclose-1", "MARKET", ForcedClose.DELIVERY),
        ("nb-autoclose-1", "MARKET", ForcedClose.NONE),
    ],
)
def test_the_exchanges_own_orders_say_what_they_are(client_id: str, order_type: str, forced: ForcedClose):
    assert translate.order_event(with_order(c=client_id, o=order_type)).forced is forced

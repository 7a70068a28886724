"""The bytes of order requests."""

from decimal import Decimal

import pytest

from gateways.binance.orders.requests import BadOrder, OrderRequests, plain
from gateways.binance.protocol.requests import Requests
from gateways.binance.protocol.signing import Signer
from gateways.wire.messages import AmendOrder, CancelOrder, QueryOrder, SubmitOrder


def requests() -> OrderRequests:
    return OrderRequests(Requests("http://127.0.0.1:8080", Signer("the-key", "s"), lambda: 1234, 5000))


def first_line(data: bytes) -> str:
    """Without the signature."""
    line = data.split(b"\r\n", 1)[0].decode()
    head, _, rest = line.partition("&recvWindow=5000&timestamp=1234&signature=")
    signature, _, version = rest.partition(" ")
    assert (len(signature), version) == (64, "HTTP/1.1")
    return head


def order(**fields: object) -> SubmitOrder:
    base: dict = {
        "request_id": 1,
        "symbol": "BTCUSDT",
        "client_order_id": "nb-1",
        "side": "BUY",
        "order_type": "MARKET",
        "qty_base": Decimal("1E-3"),
    }
    return SubmitOrder(**(base | fields))


ROWS = [
    ({}, "POST /fapi/v1/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newClientOrderId=nb-1"),
    (
        {"reduce_only": True, "side": "SELL"},
        (
            "POST /fapi/v1/order?symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.001&newClientOrderId=nb-1"
            "&reduceOnly=true"
        ),
    ),
    (
        {"order_type": "LIMIT", "price": Decimal("5E+4"), "time_in_force": "GTX"},
        (
            "POST /fapi/v1/order?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.001&newClientOrderId=nb-1"
            "&price=50000&timeInForce=GTX"
        ),
    ),
    (
        {"order_type": "STOP_MARKET", "stop_price": Decimal("1.10"), "reduce_only": True},
        (
            "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=BTCUSDT&side=BUY&type=STOP_MARKET"
            "&triggerPrice=1.10&clientAlgoId=nb-1&selfTradePreventionMode=EXPIRE_MAKER&quantity=0.001&reduceOnly=true"
        ),
    ),
]


@pytest.mark.parametrize(("fields", "line"), ROWS)
def test_an_order_is_written_down_plainly(fields: dict[str, object], line: str):
    data = requests().submit(order(**fields))
    assert first_line(data) == line
    head = data.decode()
    assert "\r\nHost: 127.0.0.1:8080\r\n" in head
    assert "\r\nX-MBX-APIKEY: the-key\r\n" in head
    assert head.endswith("\r\n\r\n")


def test_cancel_amend_and_query_name_the_client_id():
    made = requests()
    assert first_line(made.cancel(CancelOrder(1, "BTCUSDT", "a"))) == (
        "DELETE /fapi/v1/order?symbol=BTCUSDT&origClientOrderId=a"
    )
    assert first_line(made.cancel(CancelOrder(1, "BTCUSDT", "a", is_conditional=True))) == (
        "DELETE /fapi/v1/algoOrder?symbol=BTCUSDT&clientAlgoId=a"
    )
    assert first_line(made.query(QueryOrder(1, "BTCUSDT", "a"))) == (
        "GET /fapi/v1/order?symbol=BTCUSDT&origClientOrderId=a"
    )
    assert first_line(made.amend(AmendOrder(1, "BTCUSDT", "a", "SELL", Decimal(2), Decimal("3.5")))) == (
        "PUT /fapi/v1/order?symbol=BTCUSDT&side=SELL&origClientOrderId=a&quantity=2&price=3.5"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"client_order_id": "a&side=SELL"},
        {"client_order_id": "a\r\nX: y"},
        {"client_order_id": "x" * 37},
        {"client_order_id": ""},
        {"order_type": "LIMIT"},
        {"order_type": "STOP_MARKET"},
        {"order_type": "TRAILING_STOP_MARKET"},
        {"order_type": "TAKE_PROFIT_MARKET", "stop_price": Decimal(2)},
        {"order_type": "LIMIT", "price": Decimal("NaN")},
        {"qty_base": Decimal("Infinity")},
        {"order_type": "LIMIT", "price": Decimal(1), "time_in_force": "GTC&x=1"},
    ],
)
def test_what_cannot_be_written_down_is_refused(fields: dict[str, object]):
    with pytest.raises(BadOrder):
        requests().submit(order(**fields))


@pytest.mark.parametrize(("number", "text"), [("1E-8", "0.00000001"), ("1E+3", "1000"), ("0.10", "0.10")])
def test_numbers_have_no_exponent(number: str, text: str):
    assert plain(Decimal(number)) == text

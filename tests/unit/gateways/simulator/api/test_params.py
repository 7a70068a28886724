from collections.abc import Callable
from decimal import Decimal

import pytest

from gateways.simulator.api.requests.params import Params
from gateways.simulator.exchange.model.errors import ApiError


def code_of(action: Callable[..., object], *args: object):
    with pytest.raises(ApiError) as caught:
        action(*args)
    return caught.value.code


def test_names_are_case_insensitive_and_the_query_wins():
    params = Params.of_http("orderidlist=%5B1%2C2%5D&Side=BUY", "side=SELL&quantity=1")
    assert params.json_list("orderIdList") == [1, 2]
    assert params.text("side") == "BUY"
    assert params.decimal("QUANTITY") == Decimal(1)


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_booleans_in_any_case(text: str):
    assert Params({"reduceOnly": text}).boolean("reduceOnly") is True
    assert Params({"reduceOnly": "False"}).boolean("reduceOnly") is False


@pytest.mark.parametrize("text", ["50000", "50000.0", "50000.00", "5E4"])
def test_numbers_in_any_notation(text: str):
    assert Params({"price": text}).decimal("price") == 50_000
    assert Params({"orderId": text}).integer("orderId") == 50_000


@pytest.mark.parametrize("text", ["abc", "1e999", "NaN", "Infinity", "1_000", "--1", "0x10", "1" * 400])
def test_what_is_no_number_is_refused(text: str):
    assert code_of(Params({"price": text}).decimal, "price") == -1102


def test_half_an_order_id_is_refused():
    assert code_of(Params({"orderId": "1.5"}).integer, "orderId") == -1130


def test_empty_mandatory_parameter_is_1102():
    assert code_of(Params.of_http("symbol=", "").require, "symbol") == -1102


def test_json_values_read_as_their_text():
    params = Params.of_json({"reduceOnly": True, "price": "1.50", "quantity": 2, "orderId": None})
    assert params.boolean("reduceOnly") is True
    assert params.text("price") == "1.50"
    assert params.integer("quantity") == 2
    assert not params.has("orderId")


def test_more_than_a_hundred_parameters_are_refused():
    assert code_of(Params.of_http, "&".join(f"p{n}=1" for n in range(101)), "") == -1101


@pytest.mark.parametrize("text", ["[1,", "5", '{"a":1}'])
def test_a_list_that_is_none_is_refused(text: str):
    assert code_of(Params({"batchOrders": text}).json_list, "batchOrders") == -1130

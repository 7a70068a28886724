import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.cause import Cause
from engine.model.leg import ENTRY, Leg
from engine.model.lots import decimal_of, from_lots, plain, quantity_down, to_lots
from engine.model.positions import Position
from engine.orders.client_ids import (
    client_id_prefix,
    client_order_id,
    engine_id_from,
)
from gateways.wire.messages import Side

D = Decimal
texts = st.text(max_size=40)
parts = st.tuples(texts, texts, texts, texts, st.integers(0, 10**6))
steps = st.sampled_from([D("0.001"), D("0.1"), D(1), D("1E-8"), D("0.5"), D("25"), D("0.00000100")])
numbers = st.decimals(D("-1e9"), D("1e9"), places=10)


def order_id(engine_id: str, values: tuple[str, str, str, str, int]) -> str:
    strategy, symbol, cause, leg, attempt = values
    return client_order_id(
        engine_id,
        strategy=strategy,
        symbol=symbol,
        cause=Cause.parse(cause),
        leg=Leg.parse(leg),
        attempt=attempt,
    )


@given(st.binary(min_size=4, max_size=32), parts)
def test_a_client_id_is_what_binance_takes_and_names_its_engine(
    entropy: bytes, values: tuple[str, str, str, str, int]
):
    engine_id = engine_id_from(entropy)
    found = order_id(engine_id, values)
    assert re.fullmatch(r"^[.A-Z:/a-z0-9_-]{1,36}$", found)
    assert len(found) == 36
    assert found.startswith(client_id_prefix(engine_id))
    assert found == order_id(engine_id, values)


@given(st.lists(parts, min_size=2, max_size=20, unique=True))
def test_different_orders_have_different_ids(many: list[tuple[str, str, str, str, int]]):
    assert len({order_id("abcdef", values) for values in many}) == len(many)


def test_the_border_between_parts_is_part_of_the_id():
    assert order_id("abcdef", ("ab", "c", "", "", 0)) != order_id("abcdef", ("a", "bc", "", "", 0))
    assert order_id("abcdef", ("a", "b", "c", "d", 1)) != order_id("abcdef", ("a", "b", "c", "d", 11))


def test_an_id_never_changes_between_versions():
    found = client_order_id(
        "abcdef", strategy="sma:s1", symbol="BTCUSDT", cause=Cause.bar(10**9, 5 * 10**9), leg=ENTRY
    )
    assert found == "nbabcdef--i6O3K7tzDNgvDz2Vinsjm5lvlc"
    assert Cause.command("c1").text == "command:c1"
    assert Cause.fill("BTCUSDT", 5).text == "fill:BTCUSDT:5"


@pytest.mark.parametrize("bad", ["", "abcde", "abcdefg", "ABCDEF", "abc-ef", "abcde1"])
def test_a_malformed_engine_identity_is_refused(bad: str):
    with pytest.raises(ValueError, match="6 characters"):
        client_id_prefix(bad)


@given(numbers, steps)
def test_quantities_round_down_onto_the_grid(value: Decimal, step: Decimal):
    found = quantity_down(value, step)
    assert found >= 0
    assert Fraction(found) / Fraction(step) == to_lots(found, step)
    if value >= 0:
        assert found <= value < found + step


@given(st.integers(-(10**15), 10**15), steps)
def test_lots_come_back_exactly(lots: int, step: Decimal):
    assert to_lots(from_lots(lots, step), step) == lots


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_the_decimal_that_reads_back_as_it(value: float):
    assert float(decimal_of(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_plain_text_has_no_exponent_and_the_same_value(value: Decimal):
    if abs(value.adjusted()) > 400:
        return
    text = plain(value)
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]*[1-9])?", text)
    assert D(text) == value


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_never_become_a_price(bad: float):
    with pytest.raises(ValueError, match="finite"):
        decimal_of(bad)
    with pytest.raises(ValueError, match="finite"):
        plain(D(str(bad)))


fills = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.decimals(D("0.001"), D(10), places=3),
        st.decimals(D(100), D(90_000), places=1),
    ),
    max_size=40,
)


@given(fills, st.decimals(D(100), D(90_000), places=1))
def test_money_in_equals_money_out(trades: list[tuple[Side, Decimal, Decimal]], mark: Decimal):
    """Realised plus open profit is what cash and holdings say, whatever way the position went."""
    position = Position("BTCUSDT")
    cash = quantity = D(0)
    for side, qty, price in trades:
        position.trade(side, qty, price)
        signed = qty if side == "BUY" else -qty
        quantity += signed
        cash -= signed * price
    assert position.qty_base == quantity
    assert (position.entry_price == 0) == (quantity == 0)
    difference = position.realised_pnl + position.unrealised(mark) - (cash + quantity * mark)
    assert abs(difference) < D("1e-15")


@given(
    st.sampled_from([1, -1]), st.decimals(D("0.001"), D(10), places=3), st.decimals(D(1), D(9_999), places=1)
)
def test_a_flip_realises_the_old_side_and_enters_the_new_at_its_price(
    side: int, qty: Decimal, price: Decimal
):
    first, second = ("BUY", "SELL") if side > 0 else ("SELL", "BUY")
    position = Position("BTCUSDT")
    position.trade(first, qty, price)  # type: ignore[arg-type]
    assert position.trade(second, qty * 3, price + 1) == side * qty  # type: ignore[arg-type]
    assert (position.qty_base, position.entry_price) == (-side * 2 * qty, price + 1)

from decimal import Decimal

import pytest

from engine.account.margin import HeldPosition, MarginCalculator, OpenSides, liquidation_price
from gateways.wire.messages import Bracket, Instrument

D = Decimal

BRACKETS = (
    Bracket(D(0), D(50_000), 125, D("0.004"), D(0)),
    Bracket(D(50_000), D(600_000), 100, D("0.005"), D(50)),
    Bracket(D(600_000), D(3_000_000), 75, D("0.0065"), D(950)),
)


def instrument(symbol: str = "BTCUSDT", leverage: int = 20) -> Instrument:
    return Instrument(
        symbol=symbol,
        base_asset=symbol[:-4],
        quote_asset="USDT",
        status="TRADING",
        price_tick=D("0.1"),
        min_price=D("0.1"),
        max_price=D(1_000_000),
        qty_step_base=D("0.001"),
        min_qty_base=D("0.001"),
        max_qty_base=D(1000),
        market_max_qty_base=D(120),
        min_notional_quote=D(50),
        price_band_up=D("1.05"),
        price_band_down=D("0.95"),
        max_open_orders=200,
        maker_fee=D("0.0002"),
        taker_fee=D("0.0005"),
        liquidation_fee=D("0.0125"),
        leverage=leverage,
        brackets=BRACKETS,
    )


def calculator() -> MarginCalculator:
    result = MarginCalculator()
    result.on_instrument(instrument())
    result.on_instrument(instrument("ETHUSDT", leverage=10))
    return result


def test_a_bracket_holds_its_floor_and_not_its_cap():
    margin = calculator()
    assert margin.bracket("BTCUSDT", D("49999.99")).cum_quote == 0
    assert margin.bracket("BTCUSDT", D(50_000)).cum_quote == 50
    assert margin.bracket("BTCUSDT", D(99_000_000)).cum_quote == 950


def test_maintenance_is_continuous_where_brackets_meet():
    margin = calculator()
    assert margin.maintenance("BTCUSDT", D(50_000)) == D(200) == D(50_000) * D("0.004")
    assert margin.maintenance("BTCUSDT", D(600_000)) == D(2950)


def test_margin_of_a_long_by_hand():
    # 2 BTC bought at 50,000, mark 51,000: notional 102,000, bracket 2: 102,000 x 0.005 - 50 = 460
    one = calculator().of_symbol(HeldPosition("BTCUSDT", D(2), D(50_000), D(51_000)))
    assert one.notional == 102_000
    assert one.unrealised_pnl == 2_000
    assert one.position_initial == 5_100
    assert one.maintenance == 460
    assert one.open_order_initial == 0


def test_open_orders_reserve_what_the_worse_side_adds():
    margin = calculator()
    position = HeldPosition("BTCUSDT", D(1), D(50_000), D(50_000))
    assert margin.of_symbol(position, OpenSides(buy_quote=D(10_000))).open_order_initial == 500
    assert margin.of_symbol(position, OpenSides(sell_quote=D(100_000))).open_order_initial == 0
    assert margin.of_symbol(position, OpenSides(sell_quote=D(110_000))).open_order_initial == 500


def test_account_adds_symbols_and_never_offers_a_negative_balance():
    margin = calculator()
    positions = (
        HeldPosition("BTCUSDT", D(2), D(50_000), D(51_000)),
        HeldPosition("ETHUSDT", D(-10), D(3_000), D(3_100)),
    )
    account = margin.of_account(D(10_000), positions)
    assert account.margin_balance == 10_000 + 2_000 - 1_000
    assert account.initial == 5_100 + 3_100
    assert account.maintenance == 460 + D(31_000) * D("0.004")
    assert account.available == 11_000 - 8_200
    assert margin.of_account(D(100), positions).available == 0


def test_liquidation_price_of_a_long_by_hand():
    # (5,000 + 50 - 2 x 50,000) / (2 x 0.005 - 2) = 94,950 / 1.99, notional 95,427 is in bracket 2
    price = liquidation_price(BRACKETS, D(2), D(50_000), D(5_000))
    assert price == D(94_950) / D("1.99")


def test_liquidation_price_of_a_short_by_hand():
    # (5,000 + 50 + 2 x 50,000) / (2 x 0.005 + 2) = 105,050 / 2.01
    assert liquidation_price(BRACKETS, D(-2), D(50_000), D(5_000)) == D(105_050) / D("2.01")


def test_the_bracket_is_the_one_valid_at_the_liquidation_price():
    # 1 BTC bought at 60,000 (bracket 2) with 15,000 behind it liquidates at 45,180.7 (bracket 1)
    assert liquidation_price(BRACKETS, D(1), D(60_000), D(15_000)) == D(-45_000) / D("-0.996")


def test_an_unlevered_long_has_no_liquidation_price():
    assert liquidation_price(BRACKETS, D(1), D(50_000), D(50_001)) == 0


def test_other_positions_back_the_liquidation_price_and_a_flat_one_has_none():
    margin = calculator()
    positions = (
        HeldPosition("BTCUSDT", D(2), D(50_000), D(51_000)),
        HeldPosition("ETHUSDT", D(-10), D(3_000), D(3_100)),
    )
    backing = D(5_000) - 1_000 - D(31_000) * D("0.004")
    assert margin.liquidation_price("BTCUSDT", D(5_000), positions) == liquidation_price(
        BRACKETS, D(2), D(50_000), backing
    )
    assert margin.liquidation_price("XRPUSDT", D(5_000), positions) is None


def test_what_may_be_opened_follows_the_leverage():
    margin = calculator()
    assert margin.max_notional("BTCUSDT") == 3_000_000
    margin.on_instrument(instrument(leverage=110))
    assert margin.max_notional("BTCUSDT") == 50_000


def test_an_unknown_symbol_is_named():
    with pytest.raises(ValueError, match="DOGEUSDT"):
        calculator().of_symbol(HeldPosition("DOGEUSDT", D(1), D(1), D(1)))

"""What the live engine says of margin: the liquidation price, and a warning before it."""

from decimal import Decimal

import msgspec

from engine.model.audit import Notice, PositionChanged
from engine.model.records import EquityMark
from gateways.wire import messages as wire
from runtime.control.shown import as_it_is
from tests.support.engine_rig import START_NS, Rig, instrument

UP = (100, 99, 98, 100, 101)
BRACKETS = (wire.Bracket(Decimal(0), Decimal(50_000), 20, Decimal("0.05"), Decimal(0)),)


def held_with(wallet: str) -> Rig:
    """Long 0.1 at 101.2 in an account with that wallet."""
    rig = Rig()
    rig.exchange.wallet = Decimal(wallet)
    rig.up()
    rig.feed(msgspec.structs.replace(instrument(), brackets=BRACKETS))
    mark(rig, "100")
    return rig.prices(*UP)


def mark(rig: Rig, price: str) -> None:
    at = Decimal(price)
    rig.feed(wire.MarkPrice("BTCUSDT", at, at, Decimal(0), 0, START_NS, START_NS))


def test_a_position_is_told_with_its_liquidation_price() -> None:
    rig = held_with("5")
    changed = rig.notices(PositionChanged)[-1]
    # wallet + 0.1 (P - entry) = 0.05 * 0.1 P; the fee is in the wallet only with the account event behind.
    entry, wallet = changed.entry_price, Decimal(5)
    expected = (wallet - Decimal("0.1") * entry) / (Decimal("0.1") * Decimal("0.05") - Decimal("0.1"))
    assert changed.liquidation_price == expected
    assert "liquidation" in changed.line(as_it_is)


def test_a_mark_price_that_brings_liquidation_near_is_told_once_each_way() -> None:
    rig = held_with("5")
    for price in ("100", "56", "55", "54", "53.9", "100", "54"):
        mark(rig, price)
    told = [one.level for one in rig.notices(Notice) if "maintenance margin" in one.text]
    assert told == ["warning", "critical", "critical"]


def test_nothing_is_said_of_margin_while_brackets_are_not_known() -> None:
    rig = Rig().up().prices(*UP)
    mark(rig, "1")
    assert rig.notices(PositionChanged)[-1].liquidation_price is None
    assert not [one for one in rig.notices(Notice) if "margin" in one.text]


def test_the_equity_curve_gets_a_point_a_minute() -> None:
    rig = held_with("5")
    for price in ("100", "101"):
        mark(rig, price)
    rig.wait(60)
    mark(rig, "102")
    points = rig.records(EquityMark)
    assert len(points) == 2
    assert points[1].unrealised_pnl == (102 - rig.exchange.entry_price) * Decimal("0.1")
    assert points[1].wallet_balance == rig.exchange.wallet

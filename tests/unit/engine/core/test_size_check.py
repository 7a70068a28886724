"""A size below what the exchange takes is told at the start, with numbers."""

from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.execution.entries.sizing import least_notional
from engine.model.audit import Notice
from engine.model.broker_settings import Sizing
from tests.support.engine_rig import Rig, config, instrument, spec


def warnings(sizing: Sizing) -> list[str]:
    rig = Rig(Engine(config(spec(sizing=sizing)))).up().mark().mark()
    told = [one for one in rig.notices(Notice) if isinstance(one, Notice)]
    return [one.text for one in told if one.level == "warning" and "too small" in one.text]


def test_a_size_too_small_to_trade_is_told_once_with_the_least_size():
    [said] = warnings(Sizing("cash", 1.0))
    assert said == (
        "strategy sma_crossover_inflection:s1 cannot enter BTCUSDT: its size, cash 1, is too small: 1.00 is"
        " below the smallest notional, 5; the smallest order at 100 is 5.00 USDT (notional at least 5,"
        " step 0.001)"
    )
    [said] = warnings(Sizing("fixed", 0.0001))
    assert "its size, fixed 0.0001, is too small: 0.00010000 BTC is less than the smallest order" in said


@pytest.mark.parametrize(
    "sizing", [Sizing("cash", 5.0), Sizing("fixed", 0.1), Sizing("risk_percent", 0.0001)]
)
def test_a_size_that_can_trade_or_depends_on_the_signal_is_not_told(sizing: Sizing):
    assert warnings(sizing) == []


@pytest.mark.parametrize(
    ("price", "step", "least"),
    [(100.0, "0.001", "5.000"), (60_000.0, "0.001", "60"), (7.0, "0.3", "6.3"), (0.01, "1", "5")],
)
def test_the_smallest_order_is_on_the_step_and_above_the_notional(price: float, step: str, least: str):
    rules = msgspec.structs.replace(
        instrument(), qty_step_base=Decimal(step), min_qty_base=Decimal(step), price_tick=Decimal("0.01")
    )
    assert least_notional(price, rules) == Decimal(least)

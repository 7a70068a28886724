"""Live entries are of the size that the backtest gives them."""

from decimal import Decimal
from math import nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.pine_settings import pine_settings
from engine.execution.entries.sizing import TooSmall, entry_qty
from engine.execution.scripts.exit_legs import ExitLegs
from engine.execution.scripts.orders import Exit, level_of
from engine.model.broker_settings import Sizing
from gateways.wire import messages as wire
from tests.support.engine_rig import instrument
from tests.support.script_rig import LiveScript

D = Decimal
FLAT = (100.0, 100.0, 100.0, 100.0)


@given(st.floats(1.0, 10_000.0), st.sampled_from(["0.1", "0.01", "0.5", "0.0001"]), st.sampled_from([1, -1]))
def test_a_close_between_two_ticks_is_rounded_first_as_in_the_backtest(
    close: float, tick: str, direction: int
) -> None:
    market = msgspec.structs.replace(
        instrument(), price_tick=D(tick), qty_step_base=D("0.0001"), min_qty_base=D("0.0001")
    )
    settings = pine_settings(
        default_qty_type="cash", default_qty_value=10_007, mintick=float(tick), mincontract=0.0001
    )
    broker = BacktestBroker("BTCUSDT", settings)
    broker.settle(close)
    live = entry_qty(Sizing("cash", 10_007.0), price=close, equity=D(0), risk_distance=1.0, instrument=market)
    cap = market.market_max_qty_base
    assert float(live) == min(broker.default_qty(direction), float(cap))


def test_a_price_that_is_nothing_on_the_grid_buys_nothing() -> None:
    with pytest.raises(TooSmall, match="0 on the exchange's grid"):
        entry_qty(Sizing("cash", 200.0), price=0.04, equity=D(0), risk_distance=1.0, instrument=instrument())


def test_a_resting_entry_is_sized_at_its_level_and_keeps_its_size() -> None:
    acts = {2: lambda _, broker: broker.entry("L", "long", limit=50.0)}
    live = LiveScript(acts, sizing=Sizing("percent_of_equity", 10.0))
    for bar in range(4):
        live.bar(bar, FLAT)
    live.market.wallet = D(20_000)
    live.rig.feed(live.market.account("DEPOSIT"))
    for bar in range(4, 7):
        live.bar(bar, FLAT)
    (entry,) = live.rig.sent(wire.SubmitOrder)
    assert (entry.qty_base, entry.price) == (D(20), D(50))
    assert not live.rig.sent(wire.AmendOrder)


def test_distances_of_an_exit_count_from_the_price_of_each_entry() -> None:
    legs = ExitLegs()
    for entry_id, price in (("A", 100), ("B", 96)):
        for part in (0, 2):
            entry = legs.open(entry_id, entry_id, D("0.2"), D(price + part))
        legs.share_out(entry, D("0.001"))
    legs.place("X", Exit("", None, 50.0, None, None, 10.0, 20.0, "X"), {}, D("0.001"))
    found = [
        (leg.name, order.qty_base, level_of(order)) for leg, order in legs.orders(D("0.8"), instrument())
    ]
    assert found == [
        ("exit:X:limit", D("0.2"), D("102.0")),
        ("exit:X:stop", D("0.2"), D("99.0")),
        ("exit:X:limit2", D("0.2"), D("98.0")),
        ("exit:X:stop2", D("0.2"), D("95.0")),
    ]


@pytest.mark.parametrize(("strength", "qty"), [(0.5, "0.05"), (2.0, "0.1"), (nan, "0.1")])
def test_a_size_by_strength_is_that_part_of_the_size(strength: float, qty: str) -> None:
    def sized(by_strength: bool) -> Decimal:
        return entry_qty(
            Sizing("fixed", 0.1, by_strength),
            price=100.0,
            equity=D(0),
            risk_distance=nan,
            instrument=instrument(),
            strength=strength,
        )

    assert (sized(True), sized(False)) == (D(qty), D("0.1"))


def test_a_signal_without_any_strength_enters_nothing() -> None:
    with pytest.raises(TooSmall):
        entry_qty(
            Sizing("fixed", 0.1, True),
            price=100.0,
            equity=D(0),
            risk_distance=nan,
            instrument=instrument(),
            strength=0.0,
        )

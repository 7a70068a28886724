"""A level of one kind of order lies on one tick, whoever places it: either backtest engine or live."""

from decimal import Decimal
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.emulator import grid
from engine.backtest.kernel import grid as kernel_grid
from engine.core.engine import Engine
from engine.execution.scripts.orders import Exit, RestingEntry, level_of
from engine.model.exit_rules import ExitRules
from engine.model.levels import level_ticks
from engine.model.lots import level_to_tick
from gateways.wire.messages import Side
from tests.support.engine_rig import Rig, config, instrument, spec

D = Decimal
Kind = Literal["stop", "limit"]
sides = st.sampled_from(["BUY", "SELL"])
kinds = st.sampled_from(["stop", "limit"])
ticks = st.sampled_from(
    [D(one) for one in ("0.1", "0.10", "0.01", "0.001", "0.00001", "0.0000001", "0.05", "0.25", "1", "5")]
)


def rounds_up(side: Side, kind: Kind) -> bool:
    return (side, kind) in {("BUY", "stop"), ("SELL", "limit")}


@st.composite
def levels(draw: st.DrawFn) -> tuple[float, Decimal]:
    """A level and a tick: anywhere, on the grid with the noise of a few operations, or at the tolerance."""
    tick = draw(ticks)
    whole = draw(st.integers(1, 10**7))
    part = draw(st.sampled_from([0.0, 1e-4, -1e-4, 0.5, -0.5]) | st.floats(-1.0, 1.0))
    factor = draw(st.floats(0.5, 2.0))
    return (whole + part) * float(tick) * factor / factor, tick


@settings(deadline=None)  # the first example compiles the kernel's function
@given(levels(), sides, kinds)
def test_both_engines_and_live_place_a_level_at_the_same_tick(
    case: tuple[float, Decimal], side: Side, kind: Kind
) -> None:
    level, tick = case
    upwards = rounds_up(side, kind)
    live = level_to_tick(level, tick, side, is_stop=kind == "stop")
    broker = (grid.round_level_up if upwards else grid.round_level_down)(level, float(tick))
    assert level_ticks(level, float(tick), upwards=upwards) == live / tick
    assert kernel_grid.level_ticks(level, float(tick), upwards) == float(live / tick)
    assert broker == pytest.approx(float(live), rel=1e-15, abs=0.0)
    assert abs(D(level) - live) < tick * D("1.0001")
    assert (live >= D(level) - tick * D("0.000101")) if upwards else (live <= D(level) + tick * D("0.000101"))


@given(st.integers(1, 10**7), ticks, st.floats(0.5, 2.0), sides, kinds)
def test_a_level_on_a_tick_stays_there_whatever_the_noise_of_its_float(
    whole: int, tick: Decimal, factor: float, side: Side, kind: Kind
) -> None:
    level = float(whole * tick) * factor / factor
    assert level_to_tick(level, tick, side, is_stop=kind == "stop") == whole * tick


@given(levels(), sides, kinds)
def test_entries_and_exits_of_scripts_lie_where_the_rule_says(
    case: tuple[float, Decimal], side: Side, kind: Kind
) -> None:
    level, tick = case
    market = msgspec.structs.replace(instrument(), price_tick=tick)
    rule = level_to_tick(level, tick, side, is_stop=kind == "stop")
    limit, stop = (level, None) if kind == "limit" else (None, level)
    entry = RestingEntry(1 if side == "BUY" else -1, None, limit, stop, "").order(D(1), market)
    assert (entry.side, level_of(entry)) == (side, rule)
    leaving = Exit("", None, 100.0, limit, stop, None, None, "")
    (leg,) = leaving.orders(1 if side == "SELL" else -1, D(1), 1.0, market).values()
    assert (leg.side, level_of(leg)) == (side, rule)


@pytest.mark.parametrize(
    ("level", "side", "kind", "expected"),
    [
        (63342.378, "SELL", "stop", "63342.3"),
        (63352.179, "SELL", "stop", "63352.1"),
        (63029.559, "SELL", "stop", "63029.5"),
        (63346.437, "BUY", "limit", "63346.4"),
        (63346.437, "SELL", "limit", "63346.5"),
        (63346.437, "BUY", "stop", "63346.5"),
        (100.1, "SELL", "stop", "100.1"),
        (100.1, "BUY", "stop", "100.1"),
        (100.1 * 3 / 3, "SELL", "limit", "100.1"),
        (0.1 + 0.2, "BUY", "stop", "0.3"),
        (0.3 - 0.1 - 0.1, "SELL", "stop", "0.1"),
    ],
)
def test_levels_of_a_symbol_with_a_tick_of_a_tenth(
    level: float, side: Side, kind: Kind, expected: str
) -> None:
    assert level_to_tick(level, D("0.1"), side, is_stop=kind == "stop") == D(expected)


@pytest.mark.parametrize("level", [float("nan"), float("inf")])
def test_what_is_no_level_is_refused(level: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        level_to_tick(level, D("0.1"), "SELL", is_stop=True)


@pytest.mark.parametrize(
    ("limit", "profit", "expected"), [(110.0, 50.0, "105"), (103.0, 50.0, "103"), (None, 50.0, "105")]
)
def test_of_a_target_price_and_a_distance_the_nearer_counts(
    limit: float | None, profit: float, expected: str
) -> None:
    legs = Exit("", None, 100.0, limit, None, profit, None, "").orders(1, D(1), 100.0, instrument())
    assert level_of(legs["limit"]) == D(expected)


@pytest.mark.parametrize(("stop", "loss", "expected"), [(90.0, 50.0, "95"), (97.0, 50.0, "97")])
def test_of_a_stop_price_and_a_distance_the_nearer_counts(stop: float, loss: float, expected: str) -> None:
    legs = Exit("", None, 100.0, None, stop, None, loss, "").orders(1, D(1), 100.0, instrument())
    assert level_of(legs["stop"]) == D(expected)


percents = st.floats(0.5, 40.0)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([1, -1]), percents, percents, percents)
def test_resting_exits_of_live_positions_lie_where_the_backtest_puts_them(
    direction: int, stop_percent: float, trailing_percent: float, target_percent: float
) -> None:
    rules = ExitRules(
        stop_kind="resting",
        stop_loss_percent=stop_percent,
        trailing_percent=trailing_percent,
        take_profit_percent=target_percent,
    )
    path = (100, 99, 98, 100, 101, 101.3) if direction > 0 else (100, 101, 102, 100, 99, 98.7)
    rig = Rig(Engine(config(spec(exit_rules=rules)))).up().prices(*path)
    (trader,) = rig.engine.trades.traders.values()
    levels = trader.protection.plan.exits.levels()
    assert levels.stop is not None
    assert levels.target is not None
    stop_side, target_side = (
        (grid.round_level_down, grid.round_level_up)
        if direction > 0
        else (grid.round_level_up, grid.round_level_down)
    )
    at = {
        one.order_type: float(level)
        for one in rig.exchange.orders.values()
        if (level := one.stop_price or one.price)
    }
    assert at == {"STOP_MARKET": stop_side(levels.stop, 0.1), "LIMIT": target_side(levels.target, 0.1)}

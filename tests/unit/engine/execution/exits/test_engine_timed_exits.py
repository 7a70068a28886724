"""Exit rules that move with each bar or with the clock, live. Bars are of a second from 22:13:20 UTC on."""

from decimal import Decimal

import pytest

from engine.core.engine import Engine
from engine.model.bars import Bar
from engine.model.exit_rules import ExitRules, RoiStep
from engine.model.signals import Signals
from engine.strategies.base import SignalStrategy, StrategyParams, registry
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, spec

ZERO = Decimal(0)


@registry.register
class _EntersFirst(SignalStrategy):
    """Long on its first bar; stop and R follow the number of the bar."""

    name = "enters_first_for_tests"

    def __init__(self, params: StrategyParams) -> None:
        self.params = params
        self.reset()

    @property
    def warmup_bars(self) -> int:
        return 0

    def reset(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar) -> Signals:
        self.bars += 1
        risk, stop = 4.0 - self.bars / 2, 90.0 + self.bars
        return Signals(self.bars == 1, False, False, False, risk_distance=risk, stop_long=stop)

    def batch(self, bars: object) -> object:  # type: ignore[override]
        raise NotImplementedError


def entered(**rules: object) -> Rig:
    """Long 0.1 at 100.2 after the close of the first bar."""
    chosen = ExitRules(**rules)  # type: ignore[arg-type]
    strategy = spec("enters_first_for_tests", params={}, exit_rules=chosen)
    rig = Rig(Engine(config(strategy))).up().prices(100, 100)
    assert rig.exchange.position == Decimal("0.1")
    return rig


def levels(rig: Rig, kind: str) -> list[Decimal]:
    return [one.price or one.stop_price for one in rig.exchange.orders.values() if one.order_type == kind]


def test_the_target_of_the_roi_table_moves_as_the_position_grows_old() -> None:
    rig = entered(stop_kind="resting", minimal_roi=(RoiStep(0, 4.0), RoiStep(0.05, 1.0)))
    assert levels(rig, "LIMIT") == [Decimal("104.3")]  # 100.2 * 1.04, up to the tick
    rig.prices(100, 100, start=2)
    assert levels(rig, "LIMIT") == [Decimal("104.3")]
    rig.prices(100, start=4)  # three seconds from the open of the first bar that saw the position
    assert levels(rig, "LIMIT") == [Decimal("101.3")]
    placed = [one for one in rig.sent(wire.SubmitOrder) if one.order_type == "LIMIT"]
    assert len(placed) == 2


def test_each_bars_signal_tightens_the_stop() -> None:
    rig = entered(stop_kind="resting", signal_levels="bar")
    assert levels(rig, "STOP_MARKET") == [Decimal("91.0")]
    rig.prices(100, start=2)
    assert levels(rig, "STOP_MARKET") == [Decimal("92.0")]


def test_a_chandelier_exit_follows_the_volatility_of_each_bar() -> None:
    rig = entered(stop_kind="resting", trailing_r=2.0, trailing_r_of="bar")
    assert levels(rig, "STOP_MARKET") == [Decimal("93.2")]  # 100.2 - 2 * 3.5
    rig.prices(100, start=2)
    assert levels(rig, "STOP_MARKET") == [Decimal("94.2")]


@pytest.mark.parametrize(("timezone", "at"), [("UTC", "22:14"), ("Asia/Kolkata", "03:44")])
def test_a_position_is_left_at_the_first_close_at_a_time_of_day(timezone: str, at: str) -> None:
    rig = entered(exit_time=at, exit_timezone=timezone)
    rig.prices(*[100] * 38, start=2)
    assert rig.exchange.position == Decimal("0.1")
    rig.prices(100, start=40)  # the bar that closes at 22:14:00
    assert rig.exchange.position == ZERO
    assert rig.sent(wire.SubmitOrder)[-1].reduce_only

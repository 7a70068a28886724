"""A hole in the data of any timeframe a strategy is fed with gives no entries, and takes away no exit."""

from decimal import Decimal

from engine.core.engine import Engine
from engine.model.bars import Bar, Bars
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.signals import SignalArrays, Signals
from engine.strategies.base import Inputs, SignalStrategy, StrategyParams, registry
from tests.support.engine_rig import START_NS, Rig, config, spec

SECOND_NS = 1_000_000_000
OWN = "the bar has a hole in its data"
LONGER = "the newest 4s bar has a hole in its data"
LEAVES_AT = 6
"""From this second on the strategies want to leave."""


class _Always(SignalStrategy):
    """Wants in on every bar it decides on."""

    Params = StrategyParams
    lengths: tuple[str, ...]

    def __init__(self, params: StrategyParams) -> None:
        self.params = params

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.lengths)

    @property
    def warmup_bars(self) -> int:
        return 0

    def on_bar(self, bar: Bar) -> Signals:
        return Signals(True, False, False, False)

    def batch(self, bars: Bars) -> SignalArrays:
        raise NotImplementedError

    def reset(self) -> None:
        pass


@registry.register
class _OnShort(_Always):
    name = "on_short_for_tests"
    lengths = ("1s", "4s")


@registry.register
class _OnLong(_Always):
    name = "on_long_for_tests"
    lengths = ("4s", "1s")


@registry.register
class _InAndOut(_Always):
    name = "in_and_out_for_tests"
    lengths = ("1s", "4s")

    def on_bar(self, bar: Bar) -> Signals:
        leaves = bar.open_time_ns >= START_NS + LEAVES_AT * SECOND_NS
        return Signals(not leaves, False, leaves, False)


def fed(name: str, limits: RiskLimits | None = None, *, hole_at: float = 5.25, until: int = 20) -> Rig:
    """A tick each half second; the book loses its way for a moment."""
    settings = config(spec(name, params={}), **({} if limits is None else {"limits": limits}))
    rig = Rig(Engine(settings)).up()
    for half in range(2 * until + 1):
        if half / 2 > hole_at > (half - 1) / 2:
            rig.status(fresh=()).status()
        rig.tick(half / 2, 100.0)
    return rig


def fates(rig: Rig) -> dict[int, str]:
    """By the second in which the bar opened; "" where nothing blocked the entry."""
    signals = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    return {
        (one.bar_open_time_ns - START_NS) // SECOND_NS: one.detail if one.fate == "suspect" else ""
        for one in signals
    }


NONE_MAY_ENTER = RiskLimits(max_order_notional_quote=Decimal(1))


def test_a_hole_in_the_longer_bar_blocks_the_shorter_until_a_whole_one_has_closed() -> None:
    found = fates(fed("on_short_for_tests", NONE_MAY_ENTER))
    assert found == {
        second: OWN if second == 5 else LONGER if 7 <= second <= 10 else "" for second in range(20)
    }


def test_a_hole_in_a_shorter_bar_lies_in_the_longer_one_too() -> None:
    found = fates(fed("on_long_for_tests", NONE_MAY_ENTER))
    assert found == {0: "", 4: OWN, 8: "", 12: "", 16: ""}


def test_a_position_is_left_on_suspect_bars() -> None:
    rig = fed("in_and_out_for_tests", hole_at=6.25, until=8)
    first = next(one for one in rig.records(Signal) if isinstance(one, Signal) and one.exit_long)
    assert (first.bar_open_time_ns, first.fate) == (START_NS + LEAVES_AT * SECOND_NS, "traded")
    assert rig.exchange.position == 0

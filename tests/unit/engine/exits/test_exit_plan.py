"""Each step of the exit rules, on bars small enough to follow by eye."""

from math import nan

import pytest

from engine.exits.exit_plan import ExitPlan, ExitPlanState, Planned
from engine.exits.layout import EARLIER_STATE_SIZE
from engine.model.exit_rules import ExitRules, PartialExit, RoiStep
from engine.model.signals import Signals

LONG = Signals(enter_long=True, enter_short=False, exit_long=False, exit_short=False, risk_distance=2.0)
SHORT = Signals(enter_long=False, enter_short=True, exit_long=False, exit_short=False)
BOTH = Signals(enter_long=True, enter_short=True, exit_long=False, exit_short=False)
EXIT_LONG = Signals(enter_long=False, enter_short=False, exit_long=True, exit_short=False)
NONE = Signals(enter_long=False, enter_short=False, exit_long=False, exit_short=False)
NOTHING = Planned()


def _flat(plan: ExitPlan, bar: int, signals: Signals) -> Planned:
    return plan.on_bar(bar, 101.0, 99.0, signals, 0.0, nan)


def _long(
    plan: ExitPlan, bar: int, signals: Signals = NONE, low: float = 99.0, high: float = 101.0
) -> Planned:
    return plan.on_bar(bar, high, low, signals, 1.0, 100.0)


def test_while_flat_the_long_flag_goes_first():
    assert _flat(ExitPlan(ExitRules()), 0, BOTH) == Planned(enter_direction=1, enter_text="Long Entry")
    assert _flat(ExitPlan(ExitRules()), 0, SHORT) == Planned(enter_direction=-1, enter_text="Short Entry")
    assert _flat(ExitPlan(ExitRules()), 0, EXIT_LONG) == NOTHING


def test_the_stop_wins_over_everything_and_begins_the_cooldown():
    plan = ExitPlan(
        ExitRules(stop_loss_percent=5, take_profit_percent=1, max_holding_bars=0, cooldown_bars=2)
    )
    assert _long(plan, 0, SHORT, low=95.0) == Planned(close="SL")
    assert _flat(plan, 1, LONG) == NOTHING
    assert _flat(plan, 2, LONG).enter_text == "Long Entry"


def test_a_low_one_tick_above_the_stop_does_not_leave():
    plan = ExitPlan(ExitRules(stop_loss_percent=5))
    assert _long(plan, 0, low=95.01) == NOTHING


def test_target_exit_flag_flip_and_max_holding_follow_in_this_order():
    rules = ExitRules(take_profit_percent=2, max_holding_bars=0)
    assert _long(ExitPlan(rules), 0, EXIT_LONG, high=102.0) == Planned(close="TP")
    both = Signals(enter_long=False, enter_short=True, exit_long=True, exit_short=False)
    assert _long(ExitPlan(rules), 0, both) == Planned(close="Mid Exit")
    flip = Planned(close="Flip", enter_direction=-1, enter_text="Flip to Short")
    assert _long(ExitPlan(rules), 0, SHORT) == flip
    assert _long(ExitPlan(rules), 0) == Planned(close="Max Hold")


def test_exit_flags_and_flips_can_be_turned_off():
    assert _long(ExitPlan(ExitRules(signal_exits=False)), 0, EXIT_LONG) == NOTHING
    assert _long(ExitPlan(ExitRules(allow_flip=False)), 0, SHORT) == NOTHING


@pytest.mark.parametrize(("strict", "leaves_on"), [(False, 3), (True, 4)])
def test_holding_counts_from_the_bar_that_first_sees_the_position(strict: bool, leaves_on: int):
    plan = ExitPlan(ExitRules(max_holding_bars=3, max_holding_strict=strict))
    _flat(plan, 9, LONG)
    closes = [_long(plan, 10 + k).close for k in range(leaves_on + 1)]
    assert closes == [""] * leaves_on + ["Max Hold"]


@pytest.mark.parametrize(
    ("entry_bar", "held_by_the_new_trade"), [("keep", 1), ("signal_bar", 2), ("fill_bar", 3)]
)
def test_a_flip_moves_the_holding_count_as_entry_bar_says(entry_bar: str, held_by_the_new_trade: int):
    plan = ExitPlan(ExitRules(max_holding_bars=3, entry_bar=entry_bar))
    _long(plan, 0)
    assert _long(plan, 1, SHORT).close == "Flip"
    bar = 2
    while plan.on_bar(bar, 101.0, 99.0, NONE, -1.0, 100.0) == NOTHING:
        bar += 1
    assert bar - 2 == held_by_the_new_trade


def test_pending_moves_the_count_by_one_bar_when_the_size_differs_from_the_previous_trade():
    plan = ExitPlan(ExitRules(max_holding_bars=2, entry_bar="pending"))

    def bars_held(start: int, size: float) -> int:
        _flat(plan, start, LONG)
        bar = start + 1
        while plan.on_bar(bar, 101.0, 99.0, NONE, size, 100.0) == NOTHING:
            bar += 1
        return bar - start - 1

    assert bars_held(0, 1.0) == 2  # the first evaluation has nothing to compare with
    assert bars_held(10, 1.0) == 2  # equal size
    assert bars_held(20, 1.5) == 3  # another size moves it
    assert bars_held(30, 1.0) == 3


def test_a_tag_is_entered_once_and_the_empty_tag_always():
    tagged = Signals(enter_long=True, enter_short=False, exit_long=False, exit_short=False, tag="gap")
    plan = ExitPlan(ExitRules(dedupe_tags=True))
    assert _flat(plan, 0, tagged).enter_direction == 1
    assert _flat(plan, 1, tagged) == NOTHING
    assert _flat(plan, 2, LONG).enter_direction == 1
    assert _flat(plan, 3, LONG).enter_direction == 1
    assert _flat(ExitPlan(ExitRules()), 1, tagged).enter_direction == 1


def test_resting_levels_exist_from_the_fill_on_and_tighten_at_each_close():
    rules = ExitRules(
        stop_kind="resting",
        stop_r=1,
        take_profit_r=3,
        break_even_at_r=1,
        partial_exits=(PartialExit(2.0, 0.25), PartialExit(1.0, 0.5)),
        protective_stop_percent=10,
    )
    plan = ExitPlan(rules)
    _flat(plan, 0, LONG)
    plan.opened(1, 100.0)
    levels = plan.levels()
    assert (levels.stop, levels.stop_text, levels.target) == (98.0, "SL", 106.0)
    assert levels.partial_exits == ((102.0, 0.5), (104.0, 0.25))
    assert _long(plan, 1, high=101.9) == NOTHING
    assert plan.levels().stop == 98.0
    plan.partial_filled()
    assert _long(plan, 2, high=102.0) == NOTHING
    assert plan.levels().stop == 100.0
    assert plan.levels().partial_exits == ((104.0, 0.25),)


def test_the_protective_stop_rests_beside_a_bar_close_stop():
    plan = ExitPlan(ExitRules(stop_loss_percent=5, protective_stop_percent=10))
    plan.opened(-1, 100.0)
    assert plan.levels().stop == pytest.approx(110.0)
    assert plan.levels().stop_text == "Protective Stop"
    assert plan.levels().target is None


def test_a_trailing_stop_is_tested_against_the_level_of_the_bar_before():
    plan = ExitPlan(ExitRules(trailing_percent=1))
    assert _long(plan, 0, high=110.0, low=99.5) == NOTHING
    assert _long(plan, 1, high=109.0, low=108.9) == Planned(close="SL")


def test_bar_close_partial_exits_leave_once_each():
    plan = ExitPlan(ExitRules(partial_exits=(PartialExit(1.0, 0.5), PartialExit(2.0, 0.25))))
    _flat(plan, 0, LONG)
    assert _long(plan, 1, high=104.0) == Planned(partial_fraction=0.75)
    assert _long(plan, 2, high=104.0) == NOTHING


def test_pyramiding_enters_once_more_on_the_same_side():
    plan = ExitPlan(ExitRules())
    assert _long(plan, 0, LONG) == NOTHING
    added = plan.on_bar(1, 101.0, 99.0, LONG, 1.0, 100.0, may_add=True)
    assert added == Planned(enter_direction=1, enter_text="Long Entry")


def test_a_state_of_another_length_is_refused_with_one_sentence():
    with pytest.raises(ValueError, match="has 18 values, the saved one 2"):
        ExitPlan(ExitRules()).restore(ExitPlanState(values=(0.0, 1.0)))


def test_a_state_of_an_earlier_version_goes_on_as_it_was():
    rules = ExitRules(stop_r=1, trailing_percent=1, max_holding_bars=4, cooldown_bars=2)
    plan, later = ExitPlan(rules), ExitPlan(rules)
    _flat(plan, 0, LONG)
    assert _long(plan, 1, low=99.5, high=104.0) == NOTHING
    saved = plan.snapshot()
    later.restore(ExitPlanState(saved.values[:EARLIER_STATE_SIZE], saved.tags))
    assert len(later.snapshot().values) == len(saved.values)
    assert later.levels() == plan.levels()
    assert _long(later, 2, low=103.0, high=104.0) == _long(plan, 2, low=103.0, high=104.0) == NOTHING
    assert _long(later, 3, low=102.9) == _long(plan, 3, low=102.9) == Planned(close="SL")


def test_an_entry_at_a_price_is_told_with_it_and_its_tag_counts_once_it_fills():
    waits = Signals(True, False, False, False, "gap", 2.0, limit_long=98.5, limit_short=7.0)
    plan = ExitPlan(ExitRules(dedupe_tags=True))
    first = Planned(enter_direction=1, enter_text="Long Entry", enter_limit=98.5)
    assert _flat(plan, 0, waits) == first
    again = ExitPlan(plan.rules)
    again.restore(plan.snapshot())
    assert _flat(again, 1, waits) == _flat(plan, 1, waits) == first
    plan.opened(1, 98.5)
    assert _flat(plan, 2, waits) == NOTHING


def test_holding_time_and_time_of_day_need_the_times_of_bars():
    rules = ExitRules(minimal_roi=(RoiStep(0, 5.0), RoiStep(2, 0.5)), exit_time="00:04")
    plan = ExitPlan(rules)
    minute = 60_000_000_000

    def close(bar: int, high: float) -> str:
        times_ns = (bar * minute, (bar + 1) * minute)
        return plan.on_bar(bar, high, 99.0, NONE, 1.0, 100.0, times_ns=times_ns).close

    assert [close(1, 104.9), close(2, 100.4), close(3, 100.4)] == ["", "", "Time Exit"]
    plan = ExitPlan(rules)
    assert [close(1, 104.9), close(2, 100.5)] == ["", "ROI"]
    plan = ExitPlan(rules)
    assert [_long(plan, bar, high=101.0) for bar in range(1, 9)] == [NOTHING] * 8

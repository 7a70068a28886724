"""The compiled plan and the event-driven engine's readable rules decide alike on random markets."""

from math import isnan, nan

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.emulator.signal_rules import SignalRow, SignalRules
from engine.exits.exit_plan import ExitPlan
from engine.exits.layout import S_STOP
from engine.model.exit_rules import ExitRules
from engine.model.signals import SIGNAL_LEVELS, Signals
from tests.support.engine_cases import HOUR_NS, exit_rules


def _same(a: float | None, b: float) -> bool:
    return ((a is None or isnan(a)) and isnan(b)) or a == b


@settings(max_examples=300, deadline=None)
@given(
    rules=exit_rules, seed=st.integers(0, 2**32 - 1), pyramiding=st.integers(1, 2), resting_fill=st.booleans()
)
def test_decisions_and_levels_are_the_same(
    rules: ExitRules, seed: int, pyramiding: int, resting_fill: bool
) -> None:
    random = np.random.default_rng(seed)
    plan, readable = ExitPlan(rules), SignalRules(rules, pyramiding)
    size, price, lots = 0.0, nan, 0
    pending = None
    for bar in range(120):
        open_ = 100 + float(random.normal())
        high, low = open_ + float(random.uniform(0, 1)), open_ - float(random.uniform(0, 1))
        if pending is not None:
            if pending.close or pending.partial_fraction >= 1:
                size, price, lots = 0.0, nan, 0
            elif pending.partial_fraction:
                size *= 1 - pending.partial_fraction
            if pending.enter_direction:
                if size == 0.0:
                    price = open_
                    plan.opened(pending.enter_direction, price)
                    readable.opened(pending.enter_direction, price)
                size += pending.enter_direction * float(random.integers(1, 4))
                lots += 1
        if size != 0.0 and resting_fill and random.random() < 0.1:
            size, price, lots = 0.0, nan, 0
            plan.stopped()
            readable.stopped()
        flags = [bool(x) for x in random.random(4) < 0.15]
        tag = str(random.choice(["", "a", "b", "c", "d", "e"]))
        r = float(random.choice([nan, 0.0, 0.4, 1.0]))
        levels_said = [
            nan if name.startswith("limit") or random.random() < 0.3 else float(100 + random.normal())
            for name in SIGNAL_LEVELS  # where entries wait is the caller's affair
        ]
        signals = Signals(*flags, tag, r, (), nan, *levels_said)
        times_ns = (bar * HOUR_NS, (bar + 1) * HOUR_NS)
        pending = plan.on_bar(bar, high, low, signals, size, price, lots < pyramiding, times_ns)
        row = SignalRow(*flags, tag, r, *levels_said)
        decided = readable.decide(bar, high, low, row, size, lots, times_ns)
        assert (pending.close, pending.enter_text, pending.enter_direction, pending.partial_fraction) == (
            decided.close,
            decided.enter,
            decided.direction,
            decided.partial,
        )
        if size != 0.0:
            assert readable.levels is not None
            levels = plan.levels()
            assert _same(plan.snapshot().values[S_STOP], readable.levels.stop)
            if rules.stop_kind == "resting":
                target, text = readable.levels.resting_target
                assert _same(levels.target, target)
                assert levels.target is None or levels.target_text == text
            else:
                assert _same(levels.stop, readable.levels.protective)
        else:
            assert plan.levels().stop is None


@settings(max_examples=50, deadline=None)
@given(rules=exit_rules, seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 59))
def test_a_restored_plan_goes_on_as_if_nothing_had_happened(rules: ExitRules, seed: int, cut: int) -> None:
    random = np.random.default_rng(seed)
    one, other = ExitPlan(rules), ExitPlan(rules)
    size, price = 0.0, nan
    for bar in range(60):
        flags = [bool(x) for x in random.random(4) < 0.2]
        signals = Signals(*flags, tag=str(random.choice(["", "a", "b", "c"])), risk_distance=1.0)
        args = (bar, 101.0 + bar % 3, 99.0 - bar % 2, signals, size, price)
        planned = one.on_bar(*args)
        assert other.on_bar(*args) == planned
        if bar == cut:
            other = ExitPlan(rules)
            other.restore(one.snapshot())
        if planned.close:
            size, price = 0.0, nan
        if planned.enter_direction:
            size, price = float(planned.enter_direction), 100.0

"""The compiled plan and the event-driven engine's readable rules decide alike on random markets."""

from math import isnan, nan

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.emulator.signal_rules import SignalRow, SignalRules
from engine.exits.plan import ExitPlan
from engine.model.exit_rules import ExitRules, PartialExit
from engine.model.signals import Signals

_percent = st.one_of(st.none(), st.sampled_from([0.2, 0.5, 1.0, 3.0]))
_multiple = st.one_of(st.none(), st.sampled_from([0.5, 1.0, 2.0]))

_rules = st.builds(
    ExitRules,
    stop_loss_percent=_percent,
    take_profit_percent=_percent,
    stop_kind=st.sampled_from(["bar_close", "resting"]),
    stop_r=_multiple,
    take_profit_r=_multiple,
    break_even_at_r=_multiple,
    trailing_percent=_percent,
    partial_exits=st.lists(
        st.builds(PartialExit, at_r=st.sampled_from([0.5, 1.0, 1.5]), fraction=st.sampled_from([0.25, 0.5])),
        max_size=2,
        unique_by=lambda partial: partial.at_r,
    ).map(tuple),
    signal_exits=st.booleans(),
    max_holding_bars=st.one_of(st.none(), st.integers(0, 6)),
    max_holding_strict=st.booleans(),
    cooldown_bars=st.integers(0, 3),
    allow_flip=st.booleans(),
    flip_needs_cooldown=st.booleans(),
    entry_bar=st.sampled_from(["keep", "signal_bar", "fill_bar", "pending"]),
    dedupe_tags=st.booleans(),
    protective_stop_percent=_percent,
)


def _same(a: float | None, b: float) -> bool:
    return (a is None and isnan(b)) or a == b


@settings(max_examples=300, deadline=None)
@given(rules=_rules, seed=st.integers(0, 2**32 - 1), pyramiding=st.integers(1, 2), resting_fill=st.booleans())
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
            if pending.close:
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
        r = float(random.choice([nan, 0.4, 1.0]))
        pending = plan.on_bar(
            bar, high, low, Signals(*flags, tag=tag, risk_distance=r), size, price, lots < pyramiding
        )
        decided = readable.decide(bar, high, low, SignalRow(*flags, tag, r), size, lots)
        assert (pending.close, pending.enter_text, pending.enter_direction, pending.partial_fraction) == (
            decided.close,
            decided.enter,
            decided.direction,
            decided.partial,
        )
        if size != 0.0:
            assert readable.levels is not None
            levels = plan.levels()
            if rules.stop_kind == "resting":
                assert _same(levels.target, readable.levels.target)
            else:
                assert _same(levels.stop, readable.levels.protective)
        else:
            assert plan.levels().stop is None


@settings(max_examples=50, deadline=None)
@given(rules=_rules, seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 59))
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

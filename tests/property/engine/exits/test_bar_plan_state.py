"""What goes into the journal is the state of now, though it is encoded only when something has changed."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exits.bar_plan import BarPlan
from engine.model.bars import Bar
from engine.model.exit_rules import ExitRules
from engine.model.signals import Signals

D = Decimal
RULES = ExitRules(
    stop_loss_percent=2.0, trailing_percent=3.0, dedupe_tags=True, stop_kind="resting", cooldown_bars=2
)
PRICES = st.sampled_from([95.0, 99.0, 100.0, 101.0, 106.0])
STEPS = st.one_of(
    st.tuples(st.just("bar"), PRICES, st.sampled_from(["", "a", "b"]), st.sampled_from([-1, 0, 1])),
    st.tuples(st.just("position"), st.sampled_from([D(0), D(1), D(2), D(-1)])),
    st.tuples(st.just("stopped")),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_the_state_for_the_journal_holds_every_change(steps: list[tuple[object, ...]]) -> None:
    plan, held = BarPlan(RULES), D(0)
    for number, (what, *how) in enumerate(steps):
        if what == "bar":
            price, tag, side = how
            bar = Bar("BTCUSDT", 60, number * 60, price, price, price, price)
            plan.on_bar(bar, Signals(side > 0, side < 0, False, False, tag), held, D(100))
        elif what == "position":
            held = how[0]
            plan.on_position(held)
            if held:
                plan.exits.opened(1 if held > 0 else -1, 100.0)
        else:
            plan.exits.stopped()
        again = BarPlan(RULES)
        again.restore(plan.state())
        assert again.exits.state.tobytes() == plan.exits.state.tobytes()
        assert again.exits.snapshot().tags == plan.exits.snapshot().tags
        assert again.seen_of(held) == plan.seen_of(held)

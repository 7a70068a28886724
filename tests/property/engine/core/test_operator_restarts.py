"""A restart, from the journal's records or its snapshot, keeps what the operator has said."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.engine import Engine
from engine.model.events import Command
from runtime.control.commands import CommandName
from tests.support.engine_rig import Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, restarted

FIRST, SECOND = "sma_crossover_inflection:s1", "ema_cross:s1"
SETTINGS = config(
    spec(netting=True),
    spec("ema_cross", owner=SECOND, params={"fast": 2, "slow": 3}, netting=True),
)
words = st.tuples(
    st.sampled_from([name for name in get_args(CommandName) if name != "why"]),
    st.sampled_from(["", FIRST, SECOND, "ema_cross"]),
    st.sampled_from(["", "BTCUSDT"]),
)
steps = st.lists(st.tuples(words, st.booleans()), min_size=1, max_size=6)


@pytest.mark.parametrize("by_snapshot", [False, True])
@settings(max_examples=25, deadline=None)
@given(steps=steps)
def test_a_restart_keeps_what_the_operator_has_said(
    by_snapshot: bool, steps: list[tuple[tuple[CommandName, str, str], bool]]
) -> None:
    rig = Rig(Engine(SETTINGS)).up().prices(*UP)
    for number, ((name, strategy, symbol), is_cut) in enumerate(steps):
        if is_cut:
            rig.down()
        rig.feed(Command(rig.now_ns, str(number), name, strategy, symbol))
        again = restarted(rig, SETTINGS, by_snapshot=by_snapshot).engine
        assert msgspec.to_builtins(again.operator.saved()) == msgspec.to_builtins(rig.engine.operator.saved())
        assert [(one.paused, one.leaving) for one in again.strategies.slots] == [
            (one.paused, one.leaving) for one in rig.engine.strategies.slots
        ]
        if is_cut:
            rig.up()
        rig.wait(1)

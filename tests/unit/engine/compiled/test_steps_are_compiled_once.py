"""What `ready` compiles, and the loops over steps."""

from pathlib import Path

import numba
import numpy as np
import pytest

from engine.compiled.functions import Rows, State, ready
from engine.compiled.loops import kept_text, loop_of
from engine.indicators.catalog import INDICATORS


def returns_nothing_to_say(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = rows[i, 0]
    return 0


def returns_a_flag(s: State, rows: Rows, i: int, outs: Rows) -> int:
    outs[i, 0] = rows[i, 0]
    return 1 if rows[i, 0] > 0.0 else int(s[0])


@pytest.mark.parametrize("function", [returns_nothing_to_say, returns_a_flag])
def test_a_step_is_compiled_once_and_stays_itself(function: object):
    step = numba.njit(_nrt=False)(function)
    assert ready(step) is step
    assert ready(step) is step
    assert len(step.signatures) == 1


def test_a_loop_gives_the_bits_of_its_step_and_advances_a_bar_as_a_history_of_one_row() -> None:
    indicator = INDICATORS["rsi"](3)
    rows = np.random.default_rng(1).normal(size=(200, 1))
    stepped, whole, single = np.empty((200, 1)), np.empty((200, 1)), np.empty((200, 1))
    state, step = indicator.initial_state.copy(), ready(type(indicator).step)
    for i in range(200):
        step(state, rows, i, stepped)
    loop_of(type(indicator).step)(indicator.initial_state.copy(), rows, whole)
    state = indicator.initial_state.copy()
    for i in range(200):
        indicator.loop(state, rows[i : i + 1], single[i : i + 1])
    assert stepped.tobytes() == whole.tobytes() == single.tobytes()


def test_the_text_of_a_loop_keeps_its_time_whoever_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "texts" / "a.py"
    assert kept_text(path, "x") == path
    path.unlink()
    assert kept_text(path, "x") == path
    assert path.stat().st_mtime == 0
    (tmp_path / "file").write_text("no folder")
    assert kept_text(tmp_path / "file" / "a.py", "x") is None

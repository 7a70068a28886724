"""What `ready` compiles."""

import numba
import pytest

from engine.compiled.functions import Rows, State, ready


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

"""`Signals` of one bar and of a history are the same thing."""

from math import nan

import msgspec
import numpy as np
import pandas as pd
import pytest

from engine.model.signals import SIGNAL_NUMBERS, SignalArrays, Signals
from engine.strategies.calls import StrategyFault
from engine.strategies.faults import signals_of
from model_integration.frame import arrays_of
from model_integration.vectorized import VectorizedStrategy
from tests.support.engine_cases import make_bars

BARS = make_bars("A", "odd", 1, 5, 100.0)
N = len(BARS)
NEVER = np.zeros(N, dtype=np.bool_)


def arrays(**more: np.ndarray | None) -> SignalArrays:
    long = np.array([True, *[False] * (N - 1)])
    tag = np.array([1, *[0] * (N - 1)], dtype=np.int32)
    given = {"enter_long": long, "risk_distance": np.full(N, 2.0), **more}
    rest = dict.fromkeys(("enter_short", "exit_long", "exit_short"), NEVER)
    return SignalArrays(
        **(rest | given), tag=tag, tags=("", "setup"), values=np.arange(2.0 * N).reshape(2, N)
    )


def said_by(found: SignalArrays) -> SignalArrays:
    strategy = VectorizedStrategy(lambda _frame, _params: pd.DataFrame(), 1)
    strategy.batch = lambda _bars: found  # type: ignore[method-assign]
    return signals_of(strategy, BARS)


def same(one: Signals, other: Signals) -> bool:
    """nan equals nan: two encodings are the same."""
    return msgspec.msgpack.encode(one) == msgspec.msgpack.encode(other)


def test_one_bar_of_a_history_is_what_a_strategy_says_on_that_bar() -> None:
    plain = arrays()
    assert same(plain.at(0), Signals(True, False, False, False, "setup", 2.0, (0.0, float(N))))
    strength, limit = np.linspace(0.0, 1.0, N), np.array([99.5, *[nan] * (N - 1)])
    more = arrays(strength=strength, limit_long=limit)
    expected = Signals(True, False, False, False, "setup", 2.0, (0.0, float(N)), 0.0, 99.5)
    assert same(more.at(0), expected)
    assert same(more.at(-1), Signals(False, False, False, False, "", 2.0, (N - 1.0, 2.0 * N - 1), 1.0))


def test_a_frame_may_have_each_number_of_a_signal() -> None:
    columns = {name: np.arange(3.0) + k for k, name in enumerate(SIGNAL_NUMBERS)}
    found = arrays_of(pd.DataFrame({"enter_long": [True, False, True], **columns}), ())
    for name, column in columns.items():
        np.testing.assert_array_equal(getattr(found, name), column)
    bare = arrays_of(pd.DataFrame({"enter_long": [True, False, True]}), ())
    assert all(getattr(bare, name) is None for name in SIGNAL_NUMBERS)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {"exit_long": NEVER[:-1]},
            f"exit_long of the shape ({N - 1},), one element for each",
        ),
        ({"risk_distance": np.zeros((N, 1))}, f"risk_distance of the shape ({N}, 1), one element for each"),
        ({"stop_long": np.zeros(N + 1)}, f"stop_long of the shape ({N + 1},), ({N},) or None was expected"),
        (
            {"limit_short": np.array([*[1.0] * (N - 1), np.inf])},
            "a limit_short that is no price, at bar",
        ),
    ],
)
def test_arrays_that_no_engine_could_run_are_refused(more: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(StrategyFault) as refused:
        said_by(arrays(**more))
    assert sentence in str(refused.value)


def test_arrays_as_they_should_be_are_taken() -> None:
    assert said_by(arrays(stop_long=np.full(N, nan))).stop_long is not None

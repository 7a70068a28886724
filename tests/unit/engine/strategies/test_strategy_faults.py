"""What a strategy does wrong is its own: named with file, line and bar, shut out, its position kept."""

import asyncio
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.engine import Engine
from engine.model.audit import Answer, StrategyChanged
from engine.model.bars import Bar
from engine.model.events import Command, StrategyEnded
from engine.model.signals import Signals
from engine.series.bar import BarSeries
from engine.shell.log_lines import line_of
from engine.strategies.base import SignalStrategy, StrategyParams, registry
from engine.strategies.calls import LONGEST_TEXT
from engine.strategies.slot import SlotState, StrategyRefused
from runtime.control.commands import CommandName
from runtime.control.shown import as_it_is
from tests.support.engine_rig import Rig, config, spec

UP = (100, 99, 98, 100, 101)
NOTHING = Signals(False, False, False, False)


class _Params(StrategyParams):
    """None."""


@registry.register
class _Odd(SignalStrategy):
    name = "odd_for_tests"
    Params = _Params
    act: Callable[[], object] = staticmethod(lambda: NOTHING)
    make: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, params: StrategyParams) -> None:
        type(self).make()
        self.params = params
        self.bars = 0

    @property
    def warmup_bars(self) -> int:
        return 0

    def on_bar(self, bar: Bar) -> Signals:
        self.bars += 1
        return type(self).act() if self.bars == 3 else NOTHING  # type: ignore[return-value]  # wrong on purpose

    def batch(self, bars: object) -> object:  # type: ignore[override]
        raise NotImplementedError

    def reset(self) -> None:
        self.bars = 0


def raises(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def forks() -> object:
    return os.fork()


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (raises(ZeroDivisionError("a bug")), "ZeroDivisionError: a bug (test_strategy_faults.py line "),
        (raises(SystemExit(3)), "SystemExit: 3 (test_strategy_faults.py line "),
        (raises(KeyboardInterrupt()), "KeyboardInterrupt (test_strategy_faults.py line "),
        (raises(asyncio.CancelledError()), "CancelledError (test_strategy_faults.py line "),
        (raises(ValueError("x" * 10_000)), f"ValueError: {'x' * LONGEST_TEXT} ... (test_strategy"),
        (lambda: None, "_Odd.on_bar returned NoneType, Signals was expected (bar "),
        (lambda: (True, False, False, False), "_Odd.on_bar returned tuple, Signals was expected (bar "),
        (lambda: Signals(1, False, False, False), "returned enter_long of type int, bool was expected"),
        (lambda: Signals(True, False, False, False, tag="x" * 20_000_000), "a tag that is no text of at"),
        (lambda: Signals(True, False, False, False, tag=b"x"), "a tag that is no text of at most"),
        (lambda: Signals(True, False, False, False, risk_distance="far"), "a risk_distance that is no"),
        (lambda: Signals(True, False, False, False, values=(1.0,) * 101), "values that are no tuple of at"),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence_and_that_strategys_alone(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], sentence: str
) -> None:
    monkeypatch.setattr(_Odd, "act", staticmethod(act))
    both = config(spec("odd_for_tests", params={}, netting=True), spec(netting=True))
    rig = Rig(Engine(both)).up().prices(*UP)
    odd, sound = rig.engine.strategies.slots
    assert odd.state is SlotState.FAILED
    assert sentence in odd.reason
    assert odd.reason.endswith(" UTC)")
    assert len(odd.reason) < LONGEST_TEXT + 200
    assert any(one.severity == "critical" for one in rig.notices(StrategyChanged))
    assert sound.state is SlotState.RUNNING
    assert rig.exchange.position == Decimal("0.1")


def test_the_log_gets_the_traceback_and_people_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Odd, "act", staticmethod(raises(ZeroDivisionError("a bug"))))
    rig = Rig(Engine(config(spec("odd_for_tests", params={})))).up().prices(*UP)
    (told,) = [one for one in rig.notices(StrategyChanged) if isinstance(one, StrategyChanged) and one.trace]
    line = line_of(told, as_it_is)
    assert line is not None
    assert "\n" not in line[2]
    assert told.trace.startswith("Traceback")
    assert f'File "{Path(__file__)}"' in told.trace
    assert told.trace.endswith("ZeroDivisionError: a bug")


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), SystemExit(0)])
def test_one_that_cannot_be_made_is_refused_whatever_it_raises(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(_Odd, "make", staticmethod(raises(error)))
    with pytest.raises(StrategyRefused, match=f"cannot be made: {type(error).__name__}"):
        Engine(config(spec("odd_for_tests", params={})))


def test_a_mistake_in_define_is_told_with_the_line_and_is_none_of_its_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make() -> object:
        return BarSeries().close[-1]

    monkeypatch.setattr(_Odd, "make", staticmethod(make))
    told = rf"^strategy odd_for_tests cannot be made: x\[-1\] would look into .* line {line_after(make)}\)$"
    with pytest.raises(StrategyRefused, match=told):
        Engine(config(spec("odd_for_tests", params={})))


def line_after(function: object) -> int:
    return function.__code__.co_firstlineno + 1  # type: ignore[attr-defined, no-any-return]


def test_one_that_ended_the_process_is_left_out_and_its_exit_rules_go_on() -> None:
    rig = Rig().up()
    (slot,) = rig.engine.strategies.slots
    rig.feed(StrategyEnded(rig.engine.clock.now_ns, slot.owner, slot.symbol, "it blocked the engine"))
    rig.prices(*UP)
    assert slot.state is SlotState.FAILED
    assert slot.reason == "it blocked the engine"
    assert rig.exchange.position == 0


def told(rig: Rig, name: CommandName, **narrow: str) -> str:
    rig.feed(Command(rig.now_ns, f"{name}-{len(rig.notices(Answer))}", name, **narrow))
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    return answer.text


def test_resume_and_why_name_the_failed_strategy_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Odd, "act", staticmethod(raises(ZeroDivisionError("a bug"))))
    both = config(spec("odd_for_tests", params={}, netting=True), spec(netting=True))
    rig = Rig(Engine(both)).up().prices(*UP)
    odd, sound = (slot.owner for slot in rig.engine.strategies.slots)
    to_mend = (
        f"{odd} on BTCUSDT has failed and does not run; fix its file and restart "
        "(flatten closes its position)"
    )
    assert told(rig, "resume") == f"everything else is running again; {to_mend}"
    assert told(rig, "resume", strategy=odd) == f"no strategy is running again; {to_mend}"
    assert told(rig, "resume", symbol="BTCUSDT") == f"1 strategy is running again; {to_mend}"
    assert told(rig, "resume", strategy=sound) == "1 strategy is running again"
    assert to_mend in told(rig, "why").splitlines()
    assert to_mend not in told(rig, "why", strategy=sound)


def test_resume_does_not_say_that_anything_runs_where_every_strategy_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Odd, "act", staticmethod(raises(ZeroDivisionError("a bug"))))
    rig = Rig(Engine(config(spec("odd_for_tests", params={})))).up().prices(*UP)
    assert told(rig, "resume").startswith("entries are on again; odd_for_tests:s1 on BTCUSDT has failed")

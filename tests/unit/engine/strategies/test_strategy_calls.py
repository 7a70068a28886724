"""What strategies hand over is checked in one place: live, in the journal and in backtests."""

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.backtest import cli
from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.script_runner import run_script
from engine.core.engine import Engine
from engine.model.bars import Bar
from engine.model.broker_settings import BrokerSettings, Market
from engine.model.records import JournalRecord, Signal
from engine.model.signals import Signals
from engine.strategies.base import Broker, ScriptStrategy, SignalStrategy, StrategyParams, registry
from engine.strategies.calls import LARGEST, LONGEST_TEXT, MOST_ORDERS, StrategyFault
from engine.strategies.slot import SlotState
from tests.support.engine_cases import make_bars
from tests.support.engine_rig import Rig, config, spec

UP = (100, 99, 98, 100, 101)
TOO_LONG = "x" * (LONGEST_TEXT + 1)
HALF = "\ud800"
"""Half of a character: no encoding has it."""
BARS = make_bars("A", "odd", 1, 5, 100.0)
Verb = Callable[[Broker], None]


class _Params(StrategyParams):
    """None."""


@registry.register
class _Says(SignalStrategy):
    name = "says_for_tests"
    Params = _Params
    said: Signals

    def __init__(self, params: StrategyParams) -> None:
        self.params = params

    @property
    def warmup_bars(self) -> int:
        return 0

    def on_bar(self, bar: Bar) -> Signals:
        return self.said

    def batch(self, bars: object) -> object:  # type: ignore[override]
        raise NotImplementedError

    def reset(self) -> None:
        """Nothing is remembered."""


def after(monkeypatch: pytest.MonkeyPatch, said: Signals) -> Rig:
    monkeypatch.setattr(_Says, "said", said, raising=False)
    return Rig(Engine(config(spec("says_for_tests", params={})))).up().prices(*UP)


@pytest.mark.parametrize(
    "said",
    [
        Signals(np.True_, np.False_, np.False_, np.False_),  # type: ignore[arg-type]
        Signals(True, False, False, False, np.str_("setup")),
        Signals(True, False, False, False, "", np.float64(3.5), (np.float64(1), np.float32(2), np.int64(7))),
        Signals(True, False, False, False, "", 4, (1, True, nan, inf)),
        Signals(True, False, False, False, strength=np.float64(0.5), stop_long=np.float32(90)),
    ],
)  # fmt: skip
def test_what_numpy_makes_is_taken_and_can_be_written_down(
    monkeypatch: pytest.MonkeyPatch, said: Signals
) -> None:
    rig = after(monkeypatch, said)
    (slot,) = rig.engine.strategies.slots
    assert slot.state is SlotState.RUNNING
    assert rig.exchange.position == Decimal("0.1")
    for record in rig.records(Signal):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=JournalRecord) == record


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (Signals(True, False, False, False, values=(None,)), "values that are no tuple of at most"),
        (Signals(True, False, False, False, values=("x",)), "values that are no tuple of at most"),
        (Signals(True, False, False, False, values=(Decimal(1),)), "values that are no tuple of at most 100"),
        (Signals(True, False, False, False, values=(10**400,)), "values that are no tuple of at most 100 nu"),
        (Signals(True, False, False, False, risk_distance=10**400), "a risk_distance that is no number"),
        (Signals(True, False, False, False, strength="much"), "a strength that is no number"),
        (Signals(True, False, False, False, limit_long=None), "a limit_long that is no price"),
        (Signals(True, False, False, False, stop_short=inf), "a stop_short that is no price"),
        (Signals(True, False, False, False, tag=HALF), "a tag that is no text of at most 200 characters"),
    ],
)  # fmt: skip
def test_what_no_journal_could_hold_is_the_strategys_own_fault(
    monkeypatch: pytest.MonkeyPatch, said: Signals, sentence: str
) -> None:
    (slot,) = after(monkeypatch, said).engine.strategies.slots
    assert slot.state is SlotState.FAILED
    assert sentence in slot.reason


WRONG: list[tuple[Verb, str]] = [
    (lambda b: b.entry("a", "Long"), 'entry: direction is \'Long\', it should be "long" or "short"'),
    (lambda b: b.entry("a", 1), 'entry: direction is 1, it should be "long" or "short"'),
    (lambda b: b.entry(None, "long"), "entry: id is None of type NoneType, it should be text of at most 200"),
    (lambda b: b.entry(TOO_LONG, "long"), "entry: id is 'xxxxx"),
    (lambda b: b.entry("a", "long", comment=HALF), "entry: comment is '\\ud800', it should be text of at"),
    (lambda b: b.entry("a\0", "long"), "entry: id is 'a\\x00', it should be text of at most 200"),
    (lambda b: b.entry("a", "long", "2"), "entry: qty is '2', it should be a number or None"),
    (
        lambda b: b.entry("a", "long", Decimal(2)),
        "entry: qty is Decimal('2') of type Decimal, it should be a",
    ),
    (lambda b: b.entry("a", "long", inf), "entry: qty is inf, it should be below 1e+15"),
    (lambda b: b.entry("a", "long", limit=-inf), "entry: limit is -inf, it should be above -1e+15"),
    (lambda b: b.entry("a", "long", stop=LARGEST), "entry: stop is 1000000000000000.0, it should be below"),
    (lambda b: b.entry("a", "long", 10**400), "entry: qty is 1000"),
    (lambda b: b.close("a", qty_percent="50"), "close: qty_percent is '50', it should be a number or None"),
    (lambda b: b.cancel(5), "cancel: id is 5, it should be text of at most 200 characters"),
    (lambda b: b.exit("x", stop=[1.0]), "exit: stop is [1.0] of type list, it should be a number or None"),
]  # type: ignore[arg-type,list-item]  # wrong on purpose


@registry.register
class _Calls(ScriptStrategy):
    """Calls one verb on its second bar, in a position where the verb needs one."""

    name = "calls_for_tests"
    act: Verb

    def __init__(self) -> None:
        self.bars = 0

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset({"entry", "close", "entry.limit", "exit"})

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        self.bars += 1
        if self.bars == 1:
            broker.entry("a", "long", 0.1)
        if self.bars == 3:
            type(self).act(broker)


def at_fault(monkeypatch: pytest.MonkeyPatch, act: Verb, sentence: str) -> Rig:
    """A live run in which the script is shut out for that call, with that sentence."""
    monkeypatch.setattr(_Calls, "act", staticmethod(act), raising=False)
    rig = Rig(Engine(config(spec("calls_for_tests", params={})))).up().prices(*UP)
    (slot,) = rig.engine.strategies.slots
    assert slot.state is SlotState.FAILED
    assert slot.reason.startswith(sentence)
    assert "(test_strategy_calls.py line " in slot.reason
    return rig


MANY = range(MOST_ORDERS + 1)
TOO_MANY: list[tuple[Verb, str]] = [
    (lambda b: [b.entry("a", "long", 0.1) for _ in MANY], "entry: more than 100 orders at once"),
    (lambda b: [b.entry(str(at), "short", 0.1, limit=500.0) for at in MANY], "entry: more than 100 orders"),
    (lambda b: [b.exit(str(at), "a", stop=50.0) for at in MANY], "exit: more than 100 orders at once"),
    (lambda b: [b.close("a") for _ in MANY], "close: more than 100 orders at once"),
]  # type: ignore[list-item]  # what it returns is not looked at


@pytest.mark.parametrize(("act", "sentence"), TOO_MANY)
def test_a_script_that_asks_for_orders_without_end_is_at_fault(
    monkeypatch: pytest.MonkeyPatch, act: Verb, sentence: str
) -> None:
    at_fault(monkeypatch, act, sentence)


@pytest.mark.parametrize(("act", "sentence"), WRONG)
def test_a_wrong_argument_is_one_sentence_live_and_in_a_backtest(
    monkeypatch: pytest.MonkeyPatch, act: Verb, sentence: str
) -> None:
    rig = at_fault(monkeypatch, act, sentence)
    assert rig.exchange.position == Decimal("0.1")
    with pytest.raises(StrategyFault) as fault:
        run_script(_Calls(), BARS, BrokerSettings())
    assert str(fault.value).startswith(sentence)
    assert str(fault.value).endswith(" UTC)")


def test_numbers_that_are_not_given_or_are_numpys_are_taken() -> None:
    broker = BacktestBroker("BTCUSDT", BrokerSettings(market=Market(tick=0.1, qty_step=0.1)))
    broker.entry("a", "long", np.float64(1), limit=nan, stop=None)
    broker.entry("b", "short", np.int32(2), limit=Fraction(1, 3))
    broker.exit("x", "a", qty_percent=np.float32(50), stop=nan, limit=np.float64(7))


def test_a_strategy_that_breaks_in_a_backtest_ends_in_its_own_lines_and_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_Calls, "act", staticmethod(lambda _: {}["missing"]), raising=False)
    with pytest.raises(SystemExit) as end:
        cli.main(["--strategy", "calls_for_tests", "--data", "sample-1h"])
    said = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert said[-1].startswith(
        "backtest: strategy calls_for_tests: KeyError: 'missing' (test_strategy_calls.py"
    )
    assert said[-1].endswith(" UTC)")
    assert said[0].startswith("Traceback")
    assert len(said) < 15


def test_a_strategy_that_breaks_leaves_the_results_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(_Calls, "act", staticmethod(lambda _: {}["missing"]), raising=False)
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        cli.main(
            ["--strategy", "calls_for_tests", "rsi", "--data", "sample-1h", "--no-page", "--out", str(out)]
        )
    said = capsys.readouterr()
    assert end.value.code == 2
    assert "KeyError: 'missing'" in said.err.splitlines()[-1]
    assert f"written to {out}" in said.out
    assert sorted(path.name for path in out.iterdir()) == ["report.txt", "rsi", "summary.json"]
    assert len(json.loads((out / "summary.json").read_text())["runs"]) == 1

"""A strategy's fault in a backtest is one sentence with file, line and bar, not pages of the framework."""

import sys
from pathlib import Path

import pytest

from engine.backtest.cli import main
from tests.support.places import ROOT

NEGATIVE = "entry: qty is -1, it should be a number of 0 or more"
NO_ATTRIBUTE = "AttributeError: 'Unmakeable' object has no attribute 'nothing'"
FILE = """
from engine.strategies.base import ScriptStrategy, SignalStrategy, StrategyParams

class Raises(ScriptStrategy):
    name = "raises"
    bars = 0
    def on_bar(self, bar, broker):
        self.bars += 1
        if self.bars == 4:
            self.help()
    def help(self):
        return {}["missing"]

class Ends(Raises):
    def help(self):
        raise SystemExit(3)

class Orders(Raises):
    def help(self):
        broker = self.broker
    def on_bar(self, bar, broker):
        broker.entry("L", "long", qty=-1)

class Unmakeable(Raises):
    def __init__(self):
        self.nothing.at_all

class Batch(SignalStrategy):
    name = "batch"
    Params = StrategyParams
    warmup_bars = 0
    def on_bar(self, bar): ...
    def reset(self): ...
    def batch(self, bars):
        return 1 / 0

class Wrong(Batch):
    def batch(self, bars):
        return [True]
"""


STEP = (ROOT / "tests" / "support" / "breakaway_step.py").read_text("utf-8")


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "faulty.py").write_text(FILE.removeprefix("\n"), "utf-8")
    (tmp_path / "unloadable.py").write_text('raise RuntimeError("boom")\n', "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "faulty", raising=False)
    return "faulty"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--data", "sample-1h", "--end", "2023-01-02"])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Raises", "KeyError: 'missing' (faulty.py line 11, bar 2023-01-01 03:00:00 UTC)"),
        ("Ends", "SystemExit: 3 (faulty.py line 15, bar 2023-01-01 03:00:00 UTC)"),
        (
            "Orders",
            f"{NEGATIVE} (faulty.py line 21, bar 2023-01-01 00:00:00 UTC)",
        ),
        ("Batch", "ZeroDivisionError: division by zero (faulty.py line 34)"),
    ],
)
@pytest.mark.usefixtures("user_module")
def test_what_a_strategy_raises_is_told_with_its_place(
    capsys: pytest.CaptureFixture[str], name: str, sentence: str
) -> None:
    lines = said(capsys, "--strategy", f"faulty:{name}").splitlines()
    assert lines[-1] == f"backtest: strategy {name}: {sentence}"
    assert not any("script_runner" in line or "typer" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "faulty:Wrong",
            "strategy Wrong: Wrong.batch returned list, SignalArrays was expected (faulty.py line 37)",
        ),
        (
            "faulty:Unmakeable",
            f"Unmakeable cannot be made: {NO_ATTRIBUTE} (faulty.py line 25)",
        ),
        (
            "unloadable:Any",
            "strategy unloadable:Any cannot be imported: RuntimeError: boom (unloadable.py line 1)",
        ),
    ],
)
@pytest.mark.usefixtures("user_module")
def test_what_a_strategy_returns_or_cannot_be_made_of_is_told(
    capsys: pytest.CaptureFixture[str], name: str, sentence: str
) -> None:
    assert said(capsys, "--strategy", name).splitlines()[-1] == f"backtest: {sentence}"


@pytest.mark.usefixtures("user_module")
def test_the_traceback_begins_in_the_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "--strategy", "faulty:Raises").splitlines()
    at = lines.index("Traceback (most recent call last):")
    assert lines[at + 1].endswith('faulty.py", line 9, in on_bar')
    assert lines[-2] == "KeyError: 'missing'"


INTEGER = "expected an integer of flag bits"
RETURN, FIRST = "    return flags\n", "def step("
BREAKS = {
    "a_float": (RETURN, "    return 1.5\n", f"step returns a float64, {INTEGER}", "return 1.5"),
    "a_bool": (RETURN, "    return close > average\n", f"step returns a bool, {INTEGER}", "return close"),
    "a_text": (RETURN, '    return "long"\n', f"step returns text, {INTEGER}", 'return "long"'),
    "a_float_on_some_bars": (
        "    flags = 0\n",
        "    if close > 1:\n        return 0.5\n    flags = 0\n",
        f"step returns a float64, {INTEGER}",
        "return 0.5",
    ),
    "a_name": (
        "|= ENTER_SHORT",
        "|= flagz",
        "step cannot be compiled: NameError: name 'flagz' is not defined",
        "flagz",
    ),
    "an_argument": (
        "ema(s, _EMA, close)",
        "ema(s, _EMA, close, 3)",
        "step cannot be compiled: TypeError: too many positional arguments",
        "close, 3",
    ),
    "a_list": (
        RETURN,
        "    return [flags]\n",
        "step cannot be compiled: it makes an array, a list or a text, expected numbers only",
        "return [flags]",
    ),
    "undecorated": (
        "@compiled\n",
        "",
        "step is not compiled, put @compiled above its def",
        FIRST,
    ),
}


@pytest.mark.parametrize("module", BREAKS)
def test_a_step_that_cannot_be_compiled_is_refused_with_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    old, new, sentence, marked = BREAKS[module]
    assert STEP.count(old) == 1
    source = STEP.replace(old, new)
    (tmp_path / f"{module}.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    line = 1 + next(k for k, text in enumerate(source.splitlines()) if marked in text)
    for _ in range(2):  # what was compiled before it was refused is refused again
        told = said(capsys, "--strategy", f"{module}:BreakawayStrategy").splitlines()
        told = [line for line in told if not line.startswith("compiling")]
        assert told == [f"backtest: breakaway cannot be made: {sentence} ({module}.py line {line})"]


def test_a_step_that_returns_a_smaller_integer_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = STEP.replace(RETURN, "    return np.uint8(flags)\n")
    (tmp_path / "small.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(["--strategy", "small:BreakawayStrategy", "--data", "sample-1h", "--end", "2023-02-01"])
    assert ended.value.code == 0
    assert "profit factor" in capsys.readouterr().out

"""The project's strategies are imported when they are asked for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.engine import Engine
from engine.model.bars import Bar
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams, StrategyRegistry, registry
from engine.strategies.slot import SlotState, StrategyRefused, build_strategy
from tests.support.engine_rig import Rig, config, spec
from tests.support.places import ROOT

ASK_FOR_ONE = """
import sys
from engine.strategies.base import registry
before = [name for name in sys.modules if name.startswith("engine.strategies.")]
cls = registry.get("rsi")
print(before, cls.__module__, "engine.strategies.library.cci" in sys.modules)
"""


def test_only_the_strategy_asked_for_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_ONE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['engine.strategies.base'] engine.strategies.library.rsi False"


@pytest.mark.parametrize("name", ["nothing", "base", "my.module:Class", "", "../rsi"])
def test_what_is_no_strategy_is_a_key_error(name: str):
    with pytest.raises(KeyError):
        registry.get(name)


def test_a_registry_of_ones_own_knows_only_what_was_registered():
    own = StrategyRegistry()
    assert own.names() == ()
    with pytest.raises(KeyError):
        own.get("rsi")


class _Length(StrategyParams):
    length: int = 3


def configured(
    monkeypatch: pytest.MonkeyPatch, cls: type[ScriptStrategy], **params: object
) -> ScriptStrategy:
    monkeypatch.setitem(registry._by_name, "for_tests", cls)
    built = build_strategy(spec("for_tests", params=params, key="strategies[0]"))
    assert isinstance(built, ScriptStrategy)
    return built


def said_of(monkeypatch: pytest.MonkeyPatch, cls: type[ScriptStrategy], **params: object) -> str:
    with pytest.raises(StrategyRefused) as refusal:
        configured(monkeypatch, cls, **params)
    return str(refusal.value)


class _Plain(ScriptStrategy):
    name = "for_tests"

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        """Nothing."""


class _WithLength(_Plain):
    Params = _Length

    def __init__(self, params: _Length) -> None:
        self.length = params.length


class _ByKeyword(_Plain):
    def __init__(self, length: int = 5) -> None:
        self.length = length


class _ForgotToTakeThem(_Plain):
    Params = _Length


class _Broken(_Plain):
    def __init__(self) -> None:
        raise AttributeError("no such thing")


def test_a_script_without_parameters_needs_no_params(monkeypatch: pytest.MonkeyPatch):
    assert type(configured(monkeypatch, _Plain)) is _Plain
    assert configured(monkeypatch, _ByKeyword).length == 5
    assert configured(monkeypatch, _WithLength, length=4).length == 4


def test_what_is_wrong_with_a_class_is_one_sentence_with_its_key(monkeypatch: pytest.MonkeyPatch):
    no_such = "strategy for_tests has no parameter length; allowed: none"
    assert said_of(monkeypatch, _Plain, length=4) == f"strategies[0].params.length: {no_such}"
    assert "its __init__ must take them" in said_of(monkeypatch, _ForgotToTakeThem)
    broken = "strategies[0].name: strategy for_tests cannot be made: AttributeError: no such thing ("
    assert said_of(monkeypatch, _Broken).startswith(f"{broken}test_strategy_registry.py line ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A folder of strategies with a name of its own, in place of the project's."""
    name = f"strategies_of_{request.node.name}"
    (tmp_path / name).mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "package", name)
    monkeypatch.setattr(registry, "_by_name", {})
    return tmp_path / name


STREAK = """
from engine.strategies.base import ScriptStrategy, registry
@registry.register
class Streak(ScriptStrategy):
    name = "streak"
    def on_bar(self, bar, broker): ...
"""


def refusal(name: str) -> str:
    with pytest.raises(StrategyRefused) as refused:
        build_strategy(spec(name, params={}, key="strategies[0]"))
    return str(refused.value).removeprefix("strategies[0].name: ")


def test_a_strategy_file_that_cannot_be_imported_does_not_hide_the_others(folder: Path):
    (folder / "broken.py").write_text("raise SystemExit(1)", "utf-8")
    (folder / "streak.py").write_text(STREAK, "utf-8")
    assert registry.names() == ("streak",)
    assert registry.broken() == (
        f"{folder.name}/broken.py cannot be imported: SystemExit: 1 (broken.py line 1)",
    )


def test_a_strategy_file_that_cannot_be_imported_is_one_sentence(folder: Path):
    (folder / "broken.py").write_text("\ndef (", "utf-8")
    why = f"{folder.name}/broken.py cannot be imported: SyntaxError: invalid syntax (broken.py, line 2)"
    assert refusal("broken") == why
    (folder / "streak.py").write_text(STREAK, "utf-8")
    said = refusal("steak")
    assert said.startswith("there is no strategy 'steak' (did you mean streak?); allowed: streak, or a class")
    assert said.endswith(f"; {why}")


def test_a_strategy_must_have_the_name_of_its_file(folder: Path):
    (folder / "streek.py").write_text(STREAK, "utf-8")
    why = (
        f"{folder.name}/streek.py cannot be imported: Streak is named 'streak', so its file must be streak.py"
        " (streek.py line 3)"
    )
    assert refusal("streek") == why
    assert refusal("streak").startswith("there is no strategy 'streak'; allowed: none, or a class")
    assert refusal("streak").endswith(f"; {why}")
    assert registry.names() == ()


def test_a_file_without_a_registered_strategy_says_so(folder: Path):
    (folder / "streak.py").write_text(STREAK.replace("@registry.register\n", ""), "utf-8")
    why = f"{folder.name}/streak.py registers no strategy: @registry.register is missing"
    assert refusal("streak").endswith(f"; {why}")


class _Other(_Plain):
    name = "for_tests"


def test_two_classes_of_one_name_are_refused():
    own = StrategyRegistry()
    own.register(_Plain)
    assert own.register(_Plain) is _Plain
    with pytest.raises(ValueError, match=r"named .for_tests. is registered already, by .*:_Plain"):
        own.register(_Other)


def test_the_script_on_the_porting_page_runs_live(monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "docs" / "porting_from_pine.md").read_text("utf-8")
    page: dict[str, object] = {"__name__": "porting_page"}
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], page)
    monkeypatch.setitem(registry._by_name, "for_tests", page["CrossingWithBracket"])
    rig = Rig(Engine(config(spec("for_tests", params={})))).up()
    rig.prices(*[100] * 20, 101, 102, 103, 104)
    assert rig.engine.strategies.slots[0].state is SlotState.RUNNING
    assert rig.exchange.position > 0
    assert len(rig.exchange.orders) == 2

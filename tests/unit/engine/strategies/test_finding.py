"""A strategy's class is found by name, by file, by module and by entry point; an edited file as it is now."""

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.backtest.data.samples import dataset
from engine.backtest.run import backtest
from engine.backtest.runs.config import build_config
from engine.compiled import functions
from engine.model.owners import short_name
from engine.strategies.base import ScriptStrategy, registry
from engine.strategies.finding import StrategyNotFound, find_strategy, place_of, strategy_names
from engine.strategies.own_files import file_of
from engine.strategies.slot import StrategyRefused, StrategySlot, build_strategy
from runtime.settings.environment import HOME_VARIABLE
from tests.support.engine_rig import spec

SCRIPT = """
from engine.strategies.base import ScriptStrategy

class {name}(ScriptStrategy):
    value = {value}

    def on_bar(self, bar, broker):
        broker.entry("L", "long")
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder; what is loaded from it is forgotten."""
    for folder in ("strategies", "configs", "elsewhere"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path / "elsewhere")
    registry.names()  # the project's own stay registered
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(file: Path, name: str = "Mine", value: object = 1, more: str = "") -> Path:
    file.write_text(more + SCRIPT.format(name=name, value=value), "utf-8")
    return file


def value_of(text: str) -> object:
    return vars(find_strategy(text))["value"]


def refusal(text: str) -> str:
    with pytest.raises(StrategyNotFound) as raised:
        find_strategy(text)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("configs", "own.py:Mine"),
        (".", "own.py:Mine"),
        (".", "./own.py:Mine"),
        ("elsewhere", "own.py:Mine"),
        ("strategies", "own.py:Mine"),
        ("strategies", "strategies/own.py:Mine"),
        ("strategies", "strategies/own.py"),
        ("strategies", "own"),
        ("strategies", "Mine"),
    ],
)
def test_a_file_is_found_from_each_of_the_usual_folders(home: Path, folder: str, text: str):
    write(home / folder / "own.py")
    assert value_of(text) == 1


def test_a_file_is_found_by_its_whole_path_and_by_the_folders_given(
    home: Path, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("Käufe und mehr")
    file = write(folder / "own.py")
    assert value_of(f"{file}:Mine") == 1
    assert find_strategy("own.py:Mine", [folder]) is find_strategy(f"{file}:Mine")


def test_an_edited_file_is_loaded_as_it_is_now_and_an_unchanged_one_once(home: Path):
    file = write(home / "strategies" / "own.py", value=1)
    first = find_strategy("own")
    assert find_strategy("own") is first
    write(file, value=2)
    assert value_of("own") == 2
    assert vars(first)["value"] == 1
    write(file, value=1)
    assert find_strategy("own") is first


def test_an_edit_of_a_module_beside_it_counts_as_an_edit(home: Path):
    write(home / "strategies" / "own.py", value="helpers.deeper.VALUE", more="import helpers")
    (home / "strategies" / "helpers").mkdir()
    (home / "strategies" / "helpers" / "__init__.py").write_text("from helpers import deeper\n", "utf-8")
    (home / "strategies" / "helpers" / "deeper.py").write_text("VALUE = 3\n", "utf-8")
    assert value_of("own") == 3
    (home / "strategies" / "helpers" / "deeper.py").write_text("VALUE = 4\n", "utf-8")
    assert value_of("own") == 4
    assert not list(home.rglob("__pycache__"))


def test_files_and_helpers_of_one_name_in_two_folders_do_not_clash(home: Path):
    for folder in ("configs", "elsewhere"):
        (home / folder / "helpers.py").write_text(f"VALUE = '{folder}'\n", "utf-8")
        write(home / folder / "own.py", value="helpers.VALUE", more="import helpers")
    found = [value_of(f"{home / folder / 'own.py'}:Mine") for folder in ("configs", "elsewhere", "configs")]
    assert found == ["configs", "elsewhere", "configs"]


def test_a_module_beside_it_does_not_replace_one_of_the_same_name_for_others(home: Path):
    (home / "strategies" / "json.py").write_text("VALUE = 5\n", "utf-8")
    import json  # noqa: PLC0415  # the one that is there before

    write(home / "strategies" / "own.py", value="json.VALUE", more="import json")
    assert value_of("own") == 5
    assert sys.modules["json"] is json


def test_a_registered_class_of_a_file_may_be_edited(home: Path):
    text = SCRIPT.replace("class", "from engine.strategies.base import registry\n\n@registry.register\nclass")
    file = home / "strategies" / "own.py"
    for value in (1, 2):
        file.write_text(text.format(name="Mine", value=value), "utf-8")
        assert value_of("own") == value_of("Mine") == value
    assert place_of(find_strategy("Mine")) == f"{file}:Mine"
    (home / "strategies" / "other.py").write_text(text.format(name="Mine", value=3), "utf-8")
    assert "a strategy named 'Mine' is registered already" in refusal("other")


def test_of_several_in_a_file_the_one_of_the_files_name_is_meant(home: Path):
    file = write(home / "strategies" / "own.py", name="First", value=1)
    file.write_text(
        file.read_text("utf-8") + SCRIPT.format(name="Second", value=2) + '    name = "own"\n', "utf-8"
    )
    assert value_of("own") == 2
    assert value_of("First") == 1
    assert "own.py has several strategies, name one: First, Second" in refusal("own.py")


def test_names_that_stand_alone_are_listed(home: Path):
    write(home / "strategies" / "own.py")
    (home / "strategies" / "helpers.py").write_text("VALUE = 1\n", "utf-8")
    (home / "strategies" / "broken.py").write_text("def (\n", "utf-8")
    listed = strategy_names()
    assert {"own", "broken", "rsi"} <= set(listed)
    assert "helpers" not in listed


def test_an_installed_package_offers_strategies_by_entry_points(home: Path, monkeypatch: pytest.MonkeyPatch):
    packages = home / "packages"
    (packages / "offers-1.0.dist-info").mkdir(parents=True)
    (packages / "offers-1.0.dist-info" / "METADATA").write_text("Name: offers\nVersion: 1.0\n", "utf-8")
    (packages / "offers-1.0.dist-info" / "entry_points.txt").write_text(
        "[nextbar.strategies]\noffered = offers:Offered\ngone = offers:Gone\n", "utf-8"
    )
    write(packages / "offers.py", name="Offered", value=7)
    monkeypatch.syspath_prepend(packages)
    assert value_of("offered") == 7
    assert "strategy gone cannot be imported from offers:Gone: AttributeError" in refusal("gone")
    assert {"offered", "gone"} <= set(strategy_names())


def test_what_is_wrong_is_one_sentence(home: Path):
    file = write(home / "strategies" / "breakaway.py", name="Breakaway")
    assert "there is no file breakawy.py (did you mean breakaway.py?), looked for in" in refusal(
        "breakawy.py:B"
    )
    assert refusal(f"{file}:Breakawy").endswith(
        "breakaway.py has no class Breakawy (did you mean Breakaway?); there are Breakaway"
    )
    assert "(did you mean breakaway?); allowed: bband, " in refusal("braekaway")
    (home / "strategies" / "broken.py").write_text("x = 1\ny = (\n", "utf-8")
    assert "SyntaxError: '(' was never closed (broken.py, line 2)" in refusal("broken")
    (home / "strategies" / "falls.py").write_text("x = 1\ny = 1 / 0\n", "utf-8")
    assert "ZeroDivisionError: division by zero (falls.py line 2)" in refusal("falls.py:Any")
    (home / "strategies" / "other.py").write_text("class Other: pass\n", "utf-8")
    assert "other.py: Other is no strategy, expected a subclass of" in refusal("other.py:Other")
    assert "other.py has no class of a strategy" in refusal("other.py")
    assert "No module named 'nowhere'" in refusal("nowhere:Any")
    write(home / "strategies" / "rsi.py")
    assert "nextbar has one of that name; rename" in refusal("rsi")


def test_the_configuration_names_a_file_and_the_key_is_in_what_is_said(home: Path):
    write(home / "strategies" / "own.py")
    text = "strategies/own.py:Mine"
    assert isinstance(build_strategy(spec(text, params={})), ScriptStrategy)
    with pytest.raises(
        StrategyRefused, match=r"^strategies\[0\].name: strategy own.py:Nime: own.py has no class"
    ):
        build_strategy(spec("own.py:Nime", params={}, key="strategies[0]"))


def test_a_file_edited_while_it_trades_is_not_traded_unseen(home: Path):
    file = write(home / "strategies" / "own.py", value=1)
    slot = StrategySlot(spec("own", params={}), "BTCUSDT")
    write(file, value=2)
    slot.begin_again()
    assert vars(type(slot.strategy))["value"] == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rsi", "rsi"),
        ("strategies/breakaway.py:Breakaway", "Breakaway"),
        (r"C:\own\breakaway.py:Breakaway", "Breakaway"),
        ("strategies/breakaway.py", "breakaway"),
        ("strategies/breakaway.toml", "breakaway"),
        ("package.module:Class", "Class"),
    ],
)
def test_the_short_name_of_a_strategy(text: str, name: str):
    assert short_name(text) == name


STEP = """
import numpy as np
from engine.compiled.functions import compiled
from engine.strategies.base import StrategyParams
from engine.strategies.kernel import KernelStrategy
from levels import level

@compiled
def step(s, rows, i, outs):
    return 1 if rows[i, 3] > level(rows[i, 0]) else 4

class Above(KernelStrategy):
    value_names = ()
    step = step
    warmup_bars = 0

    def initial_state(self):
        return np.zeros(1)
"""


def test_compiled_code_follows_an_edit_in_a_file_that_it_calls(home: Path):
    levels = "from engine.compiled.functions import compiled\n\n@compiled\ndef level(x):\n    return x + {}\n"
    (home / "strategies" / "above.py").write_text(STEP, "utf-8")
    bars = dataset("sample-1h")
    said = []
    for add in ("0.0", "9e9", "0.0"):
        (home / "strategies" / "levels.py").write_text(levels.format(add), "utf-8")
        [signals] = backtest("above", bars).signals.values()
        said.append(np.count_nonzero(signals.enter_long))
    assert said[0] == said[2] > 0
    assert said[1] == 0
    assert not [one for one in home.rglob("*") if one.suffix in {".nbi", ".nbc"}]
    assert str(functions.CACHE_FOLDER) == functions.numba.config.CACHE_DIR


def test_a_file_beside_a_backtests_configuration_is_found_from_anywhere(home: Path):
    write(home / "own.py")
    asked = {"strategies": [{"strategy": "own.py:Mine"}, {"strategy": "rsi"}], "data": ["sample-1h"]}
    (home / "runs.json").write_text(json.dumps(asked), "utf-8")
    config = build_config(home / "runs.json", {})
    assert [one.strategy for one in config.strategies] == [f"{home / 'own.py'}:Mine", "rsi"]
    assert [one.title for one in config.strategies] == ["Mine", "rsi"]


def test_a_result_of_a_files_strategy_can_be_sent_between_processes(home: Path):
    write(home / "strategies" / "own.py")
    result = backtest("own.py:Mine", dataset("sample-1h"))
    assert result.title == "Mine"
    assert pickle.loads(pickle.dumps(result.for_a_report())).summary == result.summary
    assert (
        backtest(find_strategy("own"), dataset("sample-1h")).choice.strategy
        == f"{file_of(find_strategy('own'))}:Mine"
    )

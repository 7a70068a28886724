"""The folder of a user's own: made once, found from inside it, filled with strategies to start from."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nextbar as nb
from engine.compiled import functions
from engine.strategies.finding import StrategyNotFound, find_strategy
from nextbar import cli, compiling
from nextbar.authoring import AuthoringError, write_new
from nextbar.folder import FOLDERS, FolderError, make_folder
from runtime.process import interpreter
from runtime.settings import Home, SettingsError, load_settings
from runtime.settings import environment as places
from runtime.settings.environment import HOME_VARIABLE
from runtime.settings.load import parse_settings
from tests.support.places import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A folder with a space and an umlaut, and a current folder inside it."""
    folder = tmp_path / "Käufe und mehr"
    make_folder(folder)
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    (folder / "notebooks" / "old").mkdir()
    monkeypatch.chdir(folder / "notebooks" / "old")
    return Home(folder)


def test_a_new_folder_has_what_the_environments_need(home: Home):
    assert {one.name for one in home.root.iterdir() if one.is_dir()} == set(FOLDERS)
    assert load_settings("demo").home == home.root
    assert (home.root / "vault" / "binance_keys.example").is_file()
    assert (home.root / "configs" / "demo.toml").read_bytes() == (ROOT / "configs" / "demo.toml").read_bytes()


def test_what_is_in_the_folder_stays(home: Home):
    demo = home.config("demo")
    demo.write_text("mine", "utf-8")
    home.config("paper").unlink()
    assert make_folder(home.root)[1:] == ["  configs/paper.toml"]
    assert demo.read_text("utf-8") == "mine"
    assert make_folder(home.root) == [f"{home.root} has everything already"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be made: "):
        make_folder(tmp_path / "file" / "inside")


def test_the_folder_is_found_from_anywhere_inside_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert Home.find() == home
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert Home.find() == Home(tmp_path)


def test_without_a_folder_it_is_the_checkout_or_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert Home.find() == Home(ROOT)
    monkeypatch.setattr(places, "is_checkout", lambda: False)
    assert Home.find() == Home(tmp_path)
    assert not Home.find().is_made
    monkeypatch.setattr("runtime.settings.load.is_checkout", lambda: False)
    with pytest.raises(SettingsError, match=r"demo.toml does not exist; nextbar init makes a folder"):
        load_settings("demo")
    with pytest.raises(AuthoringError, match="is no folder of nextbar: nextbar init makes one"):
        write_new("any", "signal")
    with pytest.raises(StrategyNotFound, match=r"not inside a folder of nextbar.*NEXTBAR_HOME.*nextbar init"):
        find_strategy("my_donchian")
    monkeypatch.setenv(HOME_VARIABLE, str(ROOT))
    with pytest.raises(StrategyNotFound) as refused:
        find_strategy("my_donchian")
    assert "nextbar init" not in str(refused.value)


def test_a_second_folder_compiles_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(functions, "CACHE_FOLDER", tmp_path)
    monkeypatch.setattr(compiling, "all_parts", lambda: ["indicator ema"])
    monkeypatch.setattr(compiling, "ProcessPoolExecutor", lambda workers, **_: ThreadPoolExecutor(workers))
    monkeypatch.setattr(compiling, "compile_part", lambda _: None)
    first, second = (CliRunner().invoke(cli.app, ["init", str(tmp_path / name)]) for name in ("a", "b"))
    assert "  [1/1] indicator ema" in first.stdout
    assert "Compiling" not in second.stdout
    assert "are compiled already" in second.stdout


def test_an_installed_package_keeps_compiled_code_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert next(functions._cache_roots(ROOT)) == ROOT / "data" / "numba"
    monkeypatch.setattr(interpreter, "ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    assert not next(functions._cache_roots(tmp_path)).is_relative_to(tmp_path / "data")


def test_a_file_of_ones_own_lies_over_a_configuration(home: Home):
    path = home.config("demo")
    before = parse_settings(path, "demo")
    overlay = home.root / "configs" / "demo.local.toml"
    overlay.write_text("[risk]\nmax_open_orders = 7\n", "utf-8")
    after = parse_settings(path, "demo")
    assert after.risk.max_open_orders == 7
    assert after == before.model_copy(update={"risk": before.risk.model_copy(update={"max_open_orders": 7})})
    overlay.write_text("[risk]\nmax_opne_orders = 7\n", "utf-8")
    with pytest.raises(SettingsError, match=r"demo.toml with demo.local.toml: risk.max_opne_orders is not a"):
        parse_settings(path, "demo")
    overlay.write_text("[risk", "utf-8")
    with pytest.raises(SettingsError, match=r"demo.local.toml is not TOML"):
        parse_settings(path, "demo")


def test_git_ignores_what_is_the_users_own():
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {"/configs/*.local.toml", "/strategies/", "/notebooks/", "/data/", "/vault/*"} <= set(ignored)


@pytest.mark.parametrize("kind", ["signal", "script", "toml"])
def test_a_new_strategy_trades_and_passes_its_own_test(home: Home, kind: str):
    strategy, test, notebook = write_new("two_words", kind)
    suffix = ".toml" if kind == "toml" else ".py"
    assert [one.relative_to(home.root).as_posix() for one in (strategy, test, notebook)] == [
        *(f"strategies/two_words{suffix}", "strategies/test_two_words.py", "notebooks/two_words.ipynb")
    ]
    texts = "".join(one.read_text("utf-8") for one in (strategy, test, notebook))
    assert not re.search(r"CLASS|NAME|FILE", texts)
    own: dict[str, object] = {"__file__": str(test), "__name__": "own"}
    exec(test.read_text("utf-8"), own)
    for name, function in own.items():
        if name.startswith("test_"):
            function()  # type: ignore[operator]
    cells = [cell for cell in json.loads(notebook.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    shown: dict[str, object] = {}
    exec("".join(cells[0]["source"]), shown)
    assert isinstance(shown["result"], nb.Result)


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("rsi", "signal", "nextbar has a strategy 'rsi' already"),
        ("Two Words", "signal", "'Two Words' cannot be the name of a strategy"),
        ("class", "signal", "'class' cannot be the name of a strategy"),
        ("test_it", "signal", "would be taken for a test"),
        ("there", "signal", "exists already; choose another name"),
        ("fine", "scrpt", "there is no kind 'scrpt' (did you mean script?); allowed: signal, script, toml"),
    ],
)
def test_a_name_or_kind_that_will_not_do_is_one_sentence_and_writes_nothing(
    home: Home, name: str, kind: str, says: str
):
    (home.strategies / "there.py").write_text("", "utf-8")
    before = sorted(home.root.rglob("*"))
    with pytest.raises(AuthoringError, match=re.escape(says)):
        write_new(name, kind)
    assert sorted(home.root.rglob("*")) == before


def test_what_can_be_compiled_is_listed_and_compiled_by_name():
    parts = compiling.all_parts()
    assert len(parts) == len(set(parts))
    assert {"the backtester", "the live engine", "indicator ema"} <= set(parts)
    compiling.compile_part("indicator ema")

"""A market that the simulator cannot play is found before anything starts."""

import shutil
from pathlib import Path

import pytest

from runtime.settings import Settings, load_settings
from runtime.settings.environment import HOME_VARIABLE
from runtime.supervisor import precheck
from tests.support.places import ROOT


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's configuration with a file of klines as its market, in a folder of its own."""
    (tmp_path / "configs").mkdir()
    path = tmp_path / "configs" / "demo.toml"
    shutil.copy(ROOT / "configs" / "demo.toml", path)
    market = f"market = 'klines:{tmp_path / 'bars.csv'}'"
    path.write_text(path.read_text().replace('market = "synthetic"', market))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return path


def refusal(settings: Settings) -> str:
    return precheck.refusal(settings, symbol=None, accept_real_orders=False, say=lambda _: None)


def test_a_market_that_cannot_be_played_is_refused_with_its_key(config: Path, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    settings = load_settings("demo")
    assert refusal(settings) == f"{config}: simulator.market: {bars}: no such file of klines"
    bars.write_text("open,close\n1,2\n")
    assert refusal(settings).startswith(f"{config}: simulator.market: {bars}: expected the columns open_time")


def test_a_market_file_is_checked_again_once_it_has_changed(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text("")
    asked: list[list[str]] = []

    def answer(_process: str, given: list[str]) -> str:
        asked.append(given)
        return "BTCUSDT ETHUSDT"

    monkeypatch.setattr(precheck, "_answer_of", answer)
    settings = load_settings("demo")
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    def is_checked() -> bool:
        asked.clear()
        assert refusal(settings) == ""
        return any("--market" in given for given in asked)

    assert [is_checked(), is_checked()] == [True, False]
    bars.write_text("longer")
    assert [is_checked(), is_checked()] == [True, False]
    bars.unlink()
    assert [is_checked(), is_checked()] == [True, True]

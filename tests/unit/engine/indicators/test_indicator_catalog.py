"""The catalog finds indicators by their files."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine.indicators
from engine.indicators import catalog
from engine.series import ta
from engine.series.nodes import SeriesError


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The sentence about an indicator file with a mistake, while the catalog was made anew beside it."""
    (tmp_path / "wobble.py").write_text("x = 1\nclass Wobble(:\n", "utf-8")
    monkeypatch.setattr(engine.indicators, "__path__", [*engine.indicators.__path__, str(tmp_path)])
    before = dict(vars(catalog))
    importlib.reload(catalog)
    for name in ("INDICATORS", "BROKEN"):
        monkeypatch.setattr(ta, name, getattr(catalog, name))
    yield catalog.BROKEN[0]
    vars(catalog).update(before)
    sys.modules.pop("engine.indicators.wobble", None)


def test_an_indicator_file_with_a_mistake_leaves_the_others_and_is_named(broken: str):
    assert broken.startswith("engine/indicators/wobble.py cannot be imported: SyntaxError: ")
    assert broken.endswith("(wobble.py, line 2)")
    assert "ema" in catalog.INDICATORS
    with pytest.raises(SeriesError) as raised:
        ta.wobble(1.0, 3)
    assert str(raised.value) == f"ta has no wobble, docs/indicators.md has all; {broken}"


def test_a_mistyped_indicator_is_suggested():
    with pytest.raises(
        SeriesError, match=r"^ta has no emaa \(did you mean ema\?\), docs/indicators.md has all$"
    ):
        ta.emaa(1.0, 3)

"""The project's strategies are imported when they are asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.strategies.base import StrategyRegistry, registry

ROOT = Path(__file__).resolve().parents[2]
ASK_FOR_ONE = """
import sys
from engine.strategies.base import registry
before = [name for name in sys.modules if name.startswith("engine.strategies.")]
cls = registry.get("rsi")
print(before, cls.__module__, "engine.strategies.cci" in sys.modules)
"""


def test_only_the_strategy_asked_for_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_ONE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['engine.strategies.base'] engine.strategies.rsi False"


@pytest.mark.parametrize("name", ["nothing", "base", "my.module:Class", "", "../rsi"])
def test_what_is_no_strategy_is_a_key_error(name: str):
    with pytest.raises(KeyError):
        registry.get(name)


def test_a_registry_of_ones_own_knows_only_what_was_registered():
    own = StrategyRegistry()
    assert own.names() == ()
    with pytest.raises(KeyError):
        own.get("rsi")

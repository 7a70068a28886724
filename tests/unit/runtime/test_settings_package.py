"""Names of the package come when they are used: what wants a small module of it does not load the models."""

import subprocess
import sys

import pytest

from runtime import settings


def test_every_public_name_is_there():
    assert all(getattr(settings, name) is not None for name in settings.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = settings.nothing  # type: ignore[attr-defined]


def test_a_backtest_does_not_load_the_models():
    words = "import sys, engine.backtest.run; print('runtime.settings.models' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

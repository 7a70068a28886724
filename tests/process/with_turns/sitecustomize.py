"""In PYTHONPATH of processes under test: the strategy `turns` is found beside the project's own."""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

MODULE = "engine.strategies.turns"


class _Finder:
    """Knows one module."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != MODULE:
            return None
        return importlib.util.spec_from_file_location(name, Path(__file__).with_name("turns.py"))


sys.meta_path.append(_Finder)

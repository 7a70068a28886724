"""In PYTHONPATH of processes under test: strategies beside this file are found beside the project's own."""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parent
MODULES = {
    f"engine.strategies.library.{name}": FOLDER / f"{name}.py"
    for name in ("fault_script", "turns", "ends_all", "laddered")
}


class _Finder:
    """Knows these modules."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = MODULES.get(name)
        return None if file is None else importlib.util.spec_from_file_location(name, file)


sys.meta_path.append(_Finder)

"""The project's Python files, read and parsed once for all rules about them."""

import ast
import gc
from dataclasses import dataclass
from functools import cache

from tests.support.places import ROOT

CODE_FOLDERS = (
    "runtime", "gateways", "engine", "nextbar", "model_integration", "benchmarks", "research", "tests",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A file by its path inside the project."""

    name: str
    text: str
    tree: ast.Module


@cache
def sources() -> tuple[Source, ...]:
    """Every file of Python."""
    paths = [ROOT / "run.py"]
    for folder in CODE_FOLDERS:
        paths += sorted((ROOT / folder).rglob("*.py"))
    gc.disable()  # or it looks again and again for garbage among a million nodes that all stay
    try:
        return tuple(_read(path.relative_to(ROOT).as_posix()) for path in paths)
    finally:
        gc.enable()


def _read(name: str) -> Source:
    text = (ROOT / name).read_text("utf-8")
    return Source(name, text, ast.parse(text))

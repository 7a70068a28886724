"""Loads a user's file by its content: an edited file is loaded anew, an unchanged one is not.

The content of a file is its own text and that of every file beside it that it imports, however far. Each
content is a module of its own: two files of one name do not clash, and what was loaded before stays. So is a
TOML file, whose module has the class it describes.
"""

import ast
import hashlib
import importlib
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from engine.compiled.functions import compiled_code_in
from engine.strategies.toml_form import strategy_of_text

SUFFIXES = (".py", ".toml")
"""Of files that have strategies."""
_PREFIX = "strategy_file_"
_one_at_a_time = threading.RLock()
_helpers: set[str] = set()
"""Names of modules that were imported from beside a loaded file."""


def module_of(file: Path) -> ModuleType:
    """The module of a file. What the file raises is raised, `TomlStrategyError` for a wrong TOML file.

    OSError where it cannot be read.
    """
    file = file.resolve()
    with _one_at_a_time:
        if file.suffix == ".toml":
            return _module_of_toml(file)
        helpers = local_imports(file)
        digest = _digest([file, *helpers.values()])
        name = f"{_PREFIX}{file.stem}_{digest}"
        return sys.modules.get(name) or _run(name, file, helpers, digest)


def file_of(cls: type) -> Path | None:
    """The file that `module_of` has loaded the class from; None for a class from anywhere else."""
    if not cls.__module__.startswith(_PREFIX):
        return None
    found = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return Path(found) if found else None


def local_imports(file: Path) -> dict[str, Path]:
    """Modules beside `file` that it imports, directly or through one another: files by the module's name."""
    found: dict[str, Path] = {}
    waiting = [file]
    while waiting:
        for name in _imported(waiting.pop()):
            beside = _beside(file.parent, name)
            if beside is not None and name not in found and beside != file:
                found[name] = beside
                waiting.append(beside)
    return found


def _imported(file: Path) -> Iterator[str]:
    """Names of modules in the import statements of a file; none of a broken file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # it will be told when the file is run
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _beside(folder: Path, name: str) -> Path | None:
    base = folder.joinpath(*name.split("."))
    return next((one for one in (base.with_suffix(".py"), base / "__init__.py") if one.is_file()), None)


def _digest(files: Iterable[Path]) -> str:
    sums = hashlib.sha256()
    for file in sorted(files):
        sums.update(f"{file}\0".encode("utf-8", "surrogatepass") + file.read_bytes() + b"\0")
    return sums.hexdigest()[:16]


def _module_of_toml(file: Path) -> ModuleType:
    content = file.read_bytes()
    name = f"{_PREFIX}{file.stem}_{_digest([file])}"
    found = sys.modules.get(name)
    if found is None:
        strategy = strategy_of_text(content, file)
        found = ModuleType(name)
        found.__file__ = str(file)
        strategy.__module__ = name
        setattr(found, strategy.__name__, strategy)
        sys.modules[name] = found
    return found


def _run(name: str, file: Path, helpers: dict[str, Path], digest: str) -> ModuleType:
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importing_beside(file.parent, helpers), compiled_code_in(f"own-{digest}"):
            # Not by the loader: it keeps byte code by the file's time and misses an edit within a second.
            code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102  # the user's own file, as `import` would
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importing_beside(folder: Path, helpers: dict[str, Path]) -> Iterator[None]:
    """Modules beside the file are imported from its folder, as they are now, and leave no byte code."""
    names = {part for name in helpers for part in _with_parents(name)}
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    foreign = {name: module for name, module in before.items() if name not in _helpers}
    writes_nothing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # for what is imported only later, inside a function
        sys.dont_write_bytecode = writes_nothing
        _helpers.update(names - foreign.keys())
        sys.modules.update(foreign)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: k + 1]) for k in range(len(parts)))

"""The one place that touches numba: typed decorators, the cache folder, and the loop over history.

Kernels are compiled without fastmath, so a result depends only on the order of operations written
down. numba's own cache notices an edited kernel but not an edited function that the kernel calls from
another file; therefore the cache folder is named by a hash of all kernel sources: every file of
`engine` that imports this module, and every file of `engine` those import.

A step advances one indicator or strategy by one bar. All steps have one signature, so one compiled
loop (`drive`) runs any of them over a history without being compiled again for each.
"""

import dis
import hashlib
import inspect
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType
from typing import ParamSpec, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from engine.compiled.faults import compile_error, not_compiled, wrong_return
from runtime.process.interpreter import is_checkout

P = ParamSpec("P")
R = TypeVar("R")

FloatArray = NDArray[np.float64]
FlagArray = NDArray[np.int64]


class State(Protocol):
    """A one-dimensional float64 array as kernels see it: elements in, elements out."""

    def __getitem__(self, index: int, /) -> float: ...
    def __setitem__(self, index: int, value: float, /) -> None: ...


class Rows(Protocol):
    """A two-dimensional float64 array as kernels see it."""

    def __getitem__(self, index: tuple[int, int], /) -> float: ...
    def __setitem__(self, index: tuple[int, int], value: float, /) -> None: ...


Step = Callable[[State, Rows, int, Rows], int]
"""`step(state, rows, i, outs) -> flags`: read `rows[i]`, advance `state`, write `outs[i]`.

`state` is one-dimensional; `rows` and `outs` have one row a bar; all are C-contiguous float64.
"""

_KEPT_FOLDERS, _KEPT_OWN_FOLDERS = 6, 50
_PREFIX = "nextbar-"
_IMPORT = re.compile(r"^(?:from|import) (engine[\w.]*)(?: import (\([^)]*\)|[^\n]*))?", re.MULTILINE)


def _module_files(root: Path, module: str, names: str) -> Iterator[Path]:
    base = root.joinpath(*module.split("."))
    yield base.with_suffix(".py")
    for name in re.findall(r"\w+", names):
        yield base / f"{name}.py"


def kernel_sources(root: Path) -> list[Path]:
    """All files below `root` (the folder that holds `engine`) on which compiled code may depend.

    A file that is no text, or an editor's dangling link, is for whoever imports it to complain about.
    """
    texts: dict[Path, str] = {}
    for path in sorted((root / "engine").rglob("*.py")):
        with suppress(OSError):
            texts[path] = path.read_text(encoding="utf-8", errors="replace")
    found: set[Path] = set()
    waiting = [path for path, text in texts.items() if "engine.compiled.functions import" in text]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module, names in _IMPORT.findall(texts[path]):
            waiting.extend(file for file in _module_files(root, module, names) if file in texts)
    return sorted(found)


def source_hash(root: Path) -> str:
    """Sixteen hex digits that change whenever any kernel source does."""
    digest = hashlib.sha256()
    for path in kernel_sources(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _cache_roots(root: Path) -> Iterator[Path]:
    told = os.environ.get("NUMBA_CACHE_DIR")
    if told:
        path = Path(told)
        # A parent process has set it to its own folder already: stay beside it.
        yield path.parent if path.name.startswith(_PREFIX) else path
    if is_checkout():  # else `root` is where packages are installed
        yield root / "data" / "numba"
    yield _user_cache()
    # Compiled code is unpickled when loaded, so never from a folder somebody else may have made.
    yield Path(tempfile.mkdtemp(prefix="compiled-"))


def _user_cache() -> Path:
    """The user's own folder for what can be made again, where the system wants it."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nextbar"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        folder = Path(local) / "nextbar" / "cache"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / "nextbar"
    return folder


def _drop_old(parent: Path, keep: Path, prefix: str = _PREFIX, most: int = _KEPT_FOLDERS) -> None:
    others = []
    for path in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # another process may be tidying up as well
            others.append((path.stat().st_mtime, path))
    for _, path in sorted(others, reverse=True)[most:]:
        if path != keep:
            shutil.rmtree(path, ignore_errors=True)


def _choose_cache_folder() -> Path:
    root = Path(__file__).resolve().parents[2]
    name = _PREFIX + source_hash(root)
    for parent in _cache_roots(root):
        folder = parent / name
        if _writable(folder):
            os.utime(folder)
            _drop_old(parent, folder)
            return folder
    raise OSError("no folder for compiled code can be written; set NUMBA_CACHE_DIR to one that can")


CACHE_FOLDER = _choose_cache_folder()
"""Where compiled code is kept between processes."""

os.environ["NUMBA_CACHE_DIR"] = str(CACHE_FOLDER)
if "numba" in sys.modules:
    sys.modules["numba"].config.CACHE_DIR = str(CACHE_FOLDER)

import numba  # noqa: E402  # numba reads the folder's name when it is first imported
import numba.core.event  # noqa: E402
import numba.extending  # noqa: E402

_STATE = numba.float64[::1]
_ROWS = numba.float64[:, ::1]
_STEP_ARGUMENTS = (_STATE, _ROWS, numba.int64, _ROWS)
_STEP_SIGNATURE = numba.int64(*_STEP_ARGUMENTS)
LOOP_SIGNATURE = numba.void(_STATE, _ROWS, _ROWS)
OPTIONS = {"cache": True, "error_model": "numpy", "_nrt": False}
_DRIVE_SIGNATURE = numba.void(
    numba.types.FunctionType(_STEP_SIGNATURE), _STATE, _ROWS, _ROWS, numba.int64[::1]
)
_ENGINE = Path(__file__).resolve().parents[1]
_own_folder: Path | None = None


@contextmanager
def compiled_code_in(name: str) -> Iterator[None]:
    """Functions outside `engine` that are decorated meanwhile keep compiled code in `CACHE_FOLDER/name`.

    The name of `CACHE_FOLDER` knows nothing of their sources, so this one must change with them.
    """
    global _own_folder  # one file is loaded at a time
    before, _own_folder = _own_folder, CACHE_FOLDER / name
    try:
        yield
    finally:
        folder, _own_folder = _own_folder, before
        if folder.is_dir():
            os.utime(folder)
            _drop_old(CACHE_FOLDER, folder, "own-", _KEPT_OWN_FOLDERS)


def cache_is_cold() -> bool:
    """True where nothing has been compiled from these sources yet, so that a first run may say so."""
    return next(CACHE_FOLDER.rglob("*.nbi"), None) is None


def before_compiling(tell: Callable[[], None]) -> None:
    """Call `tell` when something is about to be compiled that is not on disk, each time."""
    numba.core.event.register("numba:compile", _Teller(tell))


class _Teller(numba.core.event.Listener):  # type: ignore[misc]  # numba has no types
    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def on_start(self, event: object) -> None:  # noqa: ARG002  # the signature is numba's
        self._tell()

    def on_end(self, event: object) -> None:
        pass


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call; keep the result on disk. Division by zero gives inf or nan.

    What is compiled allocates nothing: arrays come from the caller. So reference counting is off; with it
    each call of a small function would cost several atomic operations (the exit plan 79 instead of 12 ns).
    """
    if _own_folder is None or Path(function.__code__.co_filename).is_relative_to(_ENGINE):
        return cast(Callable[P, R], numba.njit(**OPTIONS)(function))
    numba.config.CACHE_DIR = str(_own_folder)  # numba reads it when a function is decorated
    try:
        return cast(Callable[P, R], numba.njit(**OPTIONS)(function))
    finally:
        numba.config.CACHE_DIR = str(CACHE_FOLDER)


def shared(function: Callable[P, R]) -> Callable[P, R]:
    """Leave a small function plain Python, and let compiled code call it too."""
    return cast(Callable[P, R], numba.extending.register_jitable(function))


def compile_once(kernel: object, signature: object) -> None:
    """Compile a function for one signature, or load it, unless it has one."""
    dispatcher = cast(numba.core.dispatcher.Dispatcher, kernel)
    if not dispatcher.signatures:
        dispatcher.compile(signature)
        dispatcher.disable_compile()


def _returns_only_whole_constants(function: FunctionType) -> bool:
    """Whether each `return` is of a whole number written there, as in `return 0`."""
    lines = list(dis.get_instructions(function))
    returns = [k for k, line in enumerate(lines) if line.opname in {"RETURN_VALUE", "RETURN_CONST"}]
    given = [lines[k if lines[k].opname == "RETURN_CONST" else k - 1] for k in returns]
    return all(line.opname.endswith("CONST") and type(line.argval) is int for line in given)


_ready: "WeakKeyDictionary[object, Step]" = WeakKeyDictionary()


def ready(step: Step) -> Step:
    """A `compiled` step, compiled for the one step signature; `CompileError` where it cannot be.

    What it returns is found before the signature is imposed, which would turn 1.5 into the flag 1.
    """
    if not isinstance(step, numba.core.dispatcher.Dispatcher):
        raise not_compiled(step)
    if step in _ready:
        return _ready[step]
    is_clear = _returns_only_whole_constants(step.py_func)
    try:
        compile_once(step, _STEP_SIGNATURE if is_clear else _STEP_ARGUMENTS)
    except Exception as error:
        raise compile_error(inspect.unwrap(step.py_func), error) from error
    returned = step.nopython_signatures[0].return_type
    if not isinstance(returned, numba.types.Integer):
        raise wrong_return(step.py_func, returned)
    made = step
    if returned != numba.int64:
        made = compiled(step.py_func)
        compile_once(made, _STEP_SIGNATURE)
    _ready[step] = cast(Step, made)
    return _ready[step]


@compiled
def _drive(step: Step, state: State, rows: FloatArray, outs: FloatArray, flags: FlagArray) -> None:
    for i in range(rows.shape[0]):
        flags[i] = step(state, rows, i, outs)


def drive(step: Step, state: State, rows: FloatArray, outs: FloatArray, flags: FlagArray) -> None:
    """Run a step over all of `rows`, in order; `outs` and `flags` get one row a bar."""
    compile_once(_drive, _DRIVE_SIGNATURE)
    _drive(ready(step), state, rows, outs, flags)

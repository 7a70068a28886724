"""A compiled step written around a person's function of numbers, kept on disk until what it does changes.

The function takes its state, the inputs, then its settings; the step takes the settings from the front of
the state. The step's text lies in the cache folder under a name that is a digest of the function's own
instructions and of all it calls, so an edited helper in another file is noticed too.
"""

import hashlib
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

import numba
import numpy as np

from engine.compiled.faults import compile_error, wrong_values
from engine.compiled.functions import CACHE_FOLDER, LOOP_SIGNATURE, compile_once
from engine.compiled.loops import Loop, kept_text, loop_of_text

Kind = Literal["int", "float", "bool"]
"""What a setting is to the function."""

_FROM_STATE = {"int": "int(s[{k}])", "float": "s[{k}]", "bool": "s[{k}] != 0.0"}
_TYPES = {"int": numba.int64, "float": numba.float64, "bool": numba.boolean}


def loop_around(
    function: FunctionType, inputs: int, kinds: Sequence[Kind], outputs: int, conditions: bool
) -> Loop:
    """The loop that calls `function(state, *inputs, *settings)`; `CompileError` where it cannot be.

    An index beyond the state raises IndexError.
    """
    inner = numba.njit(boundscheck=True, error_model="numpy", _nrt=False)(_with_positions(function))
    text = _text(inputs, kinds, outputs, conditions)
    path = CACHE_FOLDER / "around" / f"{function.__name__}_{digest_of(function, text)}.py"
    if not path.exists():  # it is written only when the function has passed
        _check(function, inner, inputs, kinds, outputs)
    names = {"function": inner, "__name__": __name__}
    kept = kept_text(path, text)
    loop = loop_of_text(text, kept, names)
    try:
        compile_once(loop, LOOP_SIGNATURE)
    except Exception:
        if kept is None:
            raise
        loop = loop_of_text(text, None, names)  # the file may name a helper's module that is not found again
        compile_once(loop, LOOP_SIGNATURE)
    return loop


def _with_positions(function: FunctionType) -> FunctionType:
    """The function with its keyword-only parameters as positions, which is all the compiler knows.

    Its globals name this module, which can be imported when the step is loaded from disk; a strategy's file
    perhaps cannot.
    """
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    code = code.replace(co_argcount=count, co_kwonlyargcount=0)
    names = function.__globals__ | {"__name__": __name__}
    return FunctionType(code, names, function.__name__, None, function.__closure__)


def _text(inputs: int, kinds: Sequence[Kind], outputs: int, conditions: bool) -> str:
    given = [f"s[{len(kinds)}:]", *(f"rows[i, {k}]" for k in range(inputs))]
    given += [_FROM_STATE[kind].format(k=k) for k, kind in enumerate(kinds)]
    lines = [
        "def loop(s, rows, outs):",
        "    for i in range(rows.shape[0]):",
        f"        y = function({', '.join(given)})",
    ]
    for k in range(outputs):
        lines.append(f"        v{k} = 1.0 * {'y' if outputs == 1 else f'y[{k}]'}")
        yes_or_no = f"1.0 if v{k} == v{k} and v{k} != 0.0 else 0.0"
        lines.append(f"        outs[i, {k}] = {yes_or_no if conditions else f'v{k}'}")
    return "\n".join(lines) + "\n"


def _check(
    function: FunctionType,
    inner: Any,  # noqa: ANN401  # numba has no types
    inputs: int,
    kinds: Sequence[Kind],
    outputs: int,
) -> None:
    types = [numba.float64[::1], *[numba.float64] * inputs, *(_TYPES[kind] for kind in kinds)]
    try:
        inner.compile(tuple(types))
    except Exception as error:
        raise compile_error(function, error) from error
    returned = numba.types.unliteral(inner.nopython_signatures[0].return_type)
    parts = list(returned) if isinstance(returned, numba.types.BaseTuple) else [returned]
    is_tuple = isinstance(returned, numba.types.BaseTuple)
    numbers = all(isinstance(part, numba.types.Number | numba.types.Boolean) for part in parts)
    if not numbers or is_tuple != (outputs > 1) or len(parts) != outputs:
        raise wrong_values(function, returned, outputs)


def digest_of(made: FunctionType | type, text: str = "") -> str:
    """Sixteen hex digits that change whenever a function or class, or what it calls and uses by name, does.

    Numbers, texts, arrays and collections of them count by what they hold, other objects only by their type.
    """
    digest = hashlib.sha256(f"{sys.version_info[:2]} {text}".encode())
    parts = _parts_of_class(made, set()) if isinstance(made, type) else _parts_of_function(made, set())
    for part in parts:
        digest.update(part + b"\0")
    return digest.hexdigest()[:16]


def _parts_of_class(cls: type, seen: set[int]) -> Iterator[bytes]:
    """Methods and constants of a class and of those it is made of."""
    for base in cls.__mro__[:-1]:
        for name, value in sorted(vars(base).items()):
            if isinstance(value, FunctionType) or not name.startswith("__"):
                yield name.encode()
                yield from _parts_of_value(value, seen)


def _parts_of_function(function: FunctionType, seen: set[int]) -> Iterator[bytes]:
    """All that a function's compiled form depends on."""
    yield from _parts_of_code(function.__code__)
    yield from _parts_of_value(function.__defaults__, seen)
    yield from _parts_of_value(function.__kwdefaults__, seen)
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    used = {name: function.__globals__[name] for name in sorted(names & function.__globals__.keys())}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that is not filled yet
            used[name] = cell.cell_contents
    for name, value in used.items():
        yield name.encode()
        yield from _parts_of_value(value, seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _parts_of_code(code: CodeType) -> Iterator[bytes]:
    for one in _codes(code):
        yield one.co_code
        plain = [const for const in one.co_consts if not isinstance(const, CodeType)]
        yield repr((plain, one.co_names, one.co_varnames, one.co_freevars)).encode()


def _parts_of_value(value: object, seen: set[int]) -> Iterator[bytes]:
    function = _plain(value)
    module = str(getattr(value if isinstance(value, ModuleType) else function, "__module__", "") or "")
    if isinstance(function, FunctionType) and not module.startswith(("engine.", "numba.", "numpy.")):
        if id(function) not in seen:
            seen.add(id(function))
            yield from _parts_of_function(function, seen)
    elif isinstance(value, ModuleType):
        yield value.__name__.encode()
        yield from _parts_of_file(value)
    elif isinstance(value, np.ndarray):
        yield str(value.dtype).encode() + value.tobytes()
    elif isinstance(value, int | float | str | bytes | np.generic | None):
        yield repr(value).encode()
    elif isinstance(value, tuple | list | dict | set | frozenset):
        yield from _parts_of_collection(value, seen)
    else:
        yield f"{module}.{getattr(function, '__qualname__', type(value).__qualname__)}".encode()


def _plain(value: object) -> object:
    """The function that a decorator has wrapped."""
    if isinstance(value, numba.core.dispatcher.Dispatcher):
        return value.py_func
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _parts_of_collection(value: Collection[object], seen: set[int]) -> Iterator[bytes]:
    if id(value) in seen:  # it may hold itself
        return
    seen.add(id(value))
    yield f"{type(value).__name__} {len(value)}".encode()
    if isinstance(value, set | frozenset):
        yield from sorted(b" ".join(_parts_of_value(one, seen)) for one in value)
        return
    for one in value:
        yield from _parts_of_value(one, seen)
        if isinstance(value, dict):
            yield from _parts_of_value(value[one], seen)


def _parts_of_file(module: ModuleType) -> Iterator[bytes]:
    """A module's text where it is neither installed nor of this program, whose texts name the folder."""
    name = module.__name__.split(".")[0]
    file = getattr(module, "__file__", None)
    if file and name not in {*sys.stdlib_module_names, "engine", "numba", "numpy", "nextbar"}:
        with suppress(OSError):
            yield Path(file).read_bytes()

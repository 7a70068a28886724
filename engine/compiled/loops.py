"""A step over all of its rows as one compiled piece: the loop holds the step's own code, so a bar is no call.

The same piece advances a live bar, as a history of one row. Compiled code is kept on disk under the name of
a file, so each loop's text lies in one of its own in the cache folder.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from uuid import uuid4
from weakref import WeakKeyDictionary

import numba

from engine.compiled.faults import compile_error
from engine.compiled.functions import CACHE_FOLDER, LOOP_SIGNATURE, OPTIONS, Rows, State, Step, compile_once

Loop = Callable[[State, Rows, Rows], None]
"""`loop(state, rows, outs)`: advance by each of the rows in order; `outs` get one row each."""

_TEXT = """def loop(s, rows, outs):
    for i in range(rows.shape[0]):
        step(s, rows, i, outs)
"""
_loops: "WeakKeyDictionary[object, Loop]" = WeakKeyDictionary()


def loop_of(step: Step) -> Loop:
    """The loop over a `compiled` step of this program; `CompileError` where it cannot be compiled."""
    if step not in _loops:
        function = cast(Any, step).py_func
        inner = numba.njit(inline="always", error_model="numpy", _nrt=False)(function)
        path = kept_text(CACHE_FOLDER / "loops" / f"{function.__module__}.{function.__name__}.py", _TEXT)
        loop = loop_of_text(_TEXT, path, {"step": inner, "__name__": __name__})
        try:
            compile_once(loop, LOOP_SIGNATURE)
        except Exception as error:
            raise compile_error(function, error) from error
        _loops[step] = loop
    return _loops[step]


def loop_of_text(text: str, path: Path | None, names: dict[str, Any]) -> Loop:
    """The function `loop` of a text, to be compiled; with a path its compiled code is kept on disk."""
    exec(compile(text, str(path or "<loop>"), "exec"), names)  # noqa: S102  # text written by this program
    options = OPTIONS | {"cache": path is not None}
    return cast(Loop, numba.njit(**options)(names["loop"]))


def kept_text(path: Path, text: str) -> Path | None:
    """The file with that text, written if it is not there; None where it cannot be.

    Its time is always the same: the compiler takes code for outdated when the time of its file has changed,
    as it would when two processes write it.
    """
    if path.exists():
        return path
    part = path.with_suffix(f".{uuid4().hex}")
    try:
        path.parent.mkdir(exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.utime(part, (0, 0))
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return None
    return path

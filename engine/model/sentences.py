"""Sentences for a person: about errors, and about what is wrong in code of their own, with file and line."""

import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from engine.compiled.faults import CompileError

LONGEST_ERROR = 200
"""Characters of an exception's own text that are shown."""
_IN_TEXT = re.compile(r'File "([^"]+)", line (\d+)')
"""As compilers name a place in their messages."""


class NextbarError(Exception):
    """What every error of nextbar is, with one sentence for a person: `ConfigError`, `DataError`,
    `StrategyFault`, and what is said about a strategy's class, its parameters and its series.
    """


class SentenceError(NextbarError, ValueError):
    """An error whose text is a whole sentence for a person."""


def what_and_where(error: BaseException, blamed: type | str | None = None) -> str:
    """What was raised in one line, with the file and line where: for code that cannot be imported or made.

    `blamed` is the file to look for the line in, or the class whose file it is.
    """
    if isinstance(error, SyntaxError):
        return what(error)  # it names the place itself
    file = file_of(blamed) if isinstance(blamed, type) else blamed
    where = place(error, file, traceback.extract_tb(error.__traceback__))
    return f"{what(error)} ({where})" if where else what(error)


def what(error: BaseException) -> str:
    """The exception's own text with its kind, in one line; a `SentenceError` needs no kind."""
    name, said = type(error).__name__, " ".join(printable(str(error)).split())
    said = said if len(said) <= LONGEST_ERROR else said[:LONGEST_ERROR].rsplit(" ", 1)[0] + " ..."
    return said if isinstance(error, SentenceError | CompileError) else f"{name}: {said}" if said else name


def file_of(cls: type) -> str | None:
    """The file that defines a class."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None)


def place(error: BaseException, file: str | None, frames: Sequence[traceback.FrameSummary]) -> str:
    """File and line in `file` where it failed, else the last line of all; none of a `SentenceError` from
    elsewhere, which says by itself what is meant.
    """
    if isinstance(error, CompileError):
        return error.place
    own = [(one.filename, one.lineno) for one in frames if one.filename == file]
    own = own or [(name, int(line)) for name, line in _IN_TEXT.findall(str(error)) if _is_same(name, file)]
    if not own and (not frames or (file is not None and isinstance(error, SentenceError))):
        return ""
    name, line = own[-1] if own else (frames[-1].filename, frames[-1].lineno)
    return f"{Path(name).name} line {line}"


def printable(text: str) -> str:
    """Without halves of characters, which no file takes."""
    return text.encode("utf-8", "replace").decode()


def _is_same(name: str, file: str | None) -> bool:
    return file is not None and Path(name).name == Path(file).name

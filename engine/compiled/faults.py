"""What is wrong with a person's function that cannot be compiled, as a sentence and a place in their file."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

_AT = re.compile(r"(?: at |File \")([^\n\"]+?\.py)(?:\"?,? line |:| \()(\d+)")
"""A place as the compiler names it in its messages."""
_STAGES = ("Failed in", "During: ")
_CALL = re.compile(r"Cannot bind 'args=.*' due to \"(.*)\"")
_MAKES = ("NRT required but not enabled", "it makes an array, a list or a text, expected numbers only")
_UNTYPED = re.compile(r"Untyped global name '(\w+)': Cannot determine Numba type of <class 'function'>.*")
_NO_FORM = re.compile(r"No implementation of function Function\(<.*?function (\w+)\b.*")
_ANALYSIS = "The compiler failed to analyze the bytecode. "
_WORDS = {"bool": "a bool", "none": "nothing", "unicode_type": "text", "void": "nothing"}


class CompileError(Exception):
    """A function cannot be compiled or returns the wrong type. `place` is "file.py line 12"."""

    def __init__(self, sentence: str, place: str) -> None:
        super().__init__(sentence)
        self.place = place


def compile_error(function: Callable[..., object], error: Exception) -> CompileError:
    """What the compiler raised for `function`, without its own stages, at the line of the function."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = next((text for line in lines if (text := _without_stage(line))), type(error).__name__)
    return CompileError(f"{function.__name__} cannot be compiled: {said}", _place(function, error))


def wrong_return(function: Callable[..., object], returned: object) -> CompileError:
    """`function` returns the compiler's type `returned`, which is no integer."""
    sentence = f"{function.__name__} returns {_in_words(str(returned))}, expected an integer of flag bits"
    return CompileError(
        sentence, _named(function.__code__.co_filename, _return_line(function, _may_be_integer))
    )


def wrong_values(function: Callable[..., object], returned: object, outputs: int) -> CompileError:
    """`function` returns the compiler's type `returned`, which is not that many numbers."""
    expected = "a number" if outputs == 1 else f"a tuple of {outputs} numbers"
    sentence = f"{function.__name__} returns {_in_words(str(returned))}, expected {expected}"
    line = _return_line(function, lambda value: _may_be_numbers(value, outputs))
    return CompileError(sentence, _named(function.__code__.co_filename, line))


def not_compiled(function: object) -> CompileError:
    """`function` lacks its decorator."""
    name = getattr(function, "__name__", type(function).__name__)
    code = getattr(function, "__code__", None)
    place = _named(code.co_filename, code.co_firstlineno) if code else ""
    return CompileError(f"{name} is not compiled, put @compiled above its def", place)


def _without_stage(line: str) -> str:
    if line.startswith(_STAGES):
        return ""
    line = _UNTYPED.sub(r"\1 is not compiled, put @compiled above its def", line)
    line = _NO_FORM.sub(r"\1 cannot be used there, or not with what it is given", line)
    return _CALL.sub(r"\1", line.removeprefix(_ANALYSIS)).replace(*_MAKES).rstrip(".")


def _in_words(name: str) -> str:
    if name.startswith("OptionalType"):
        return "nothing on some bars"
    if name.startswith("Literal[str]"):
        return "text"
    if name.startswith(("UniTuple", "Tuple")):
        return "several values"
    return _WORDS.get(name, f"a {name}")


def _place(function: Callable[..., object], error: Exception) -> str:
    """The line of the function's own file, for the call may fail in what it calls; else where it failed."""
    own = function.__code__.co_filename
    loc = getattr(error, "loc", None)
    found = [] if loc is None else [(loc.filename, loc.line)]
    found += [(name, int(line)) for name, line in _AT.findall(str(error))]
    for name, line in found:
        if Path(name).name == Path(own).name and line:
            return _named(own, line)
    return _named(own, function.__code__.co_firstlineno)


def _return_line(function: Callable[..., object], fits: Callable[[ast.expr | None], bool]) -> int:
    """The line of the `return` that does not fit to the eye, or of the only one, else of the function."""
    first = function.__code__.co_firstlineno
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return first
    returns = [node for node in ast.walk(tree) if isinstance(node, ast.Return)]
    odd = [node for node in returns if not fits(node.value)]
    found = odd or (returns if len(returns) == 1 else [])
    return first + found[0].lineno - 1 if found else first


def _may_be_integer(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return type(value.value) is int
    return value is not None and not isinstance(value, ast.Compare | ast.List | ast.Tuple | ast.Dict)


def _may_be_numbers(value: ast.expr | None, count: int) -> bool:
    if isinstance(value, ast.Tuple):
        return count > 1 and len(value.elts) == count
    if isinstance(value, ast.Constant):
        return count == 1 and isinstance(value.value, int | float)
    return value is not None and not isinstance(value, ast.List | ast.Dict | ast.JoinedStr)


def _named(file: str, line: int) -> str:
    return f"{Path(file).name} line {line}"

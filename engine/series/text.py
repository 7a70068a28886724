"""Expressions as text: `crossover(ema(close, fast), slow) and on("1h", close > ema(close, 200))`.

Python's `ast` parses them; nothing of it is run. What is known is looked up: fields of the bar, the names
given, the functions below and the catalog's. The result is the node that the same expression of Python gives,
the very same object.

| text | Python |
|---|---|
| `close`, `hl2`, `hour`, `bar_index` | `bar.close`, `bar.hl2`, `bar.hour`, `bar.index` |
| `ema(close, 20)`, `atr(bar, 14)`, `macd(close).signal` | the same with `ta.` before it |
| `a and b`, `a or b`, `not a` | `a & b`, `a \\| b`, `~a` |
| `min(a, b)`, `where(condition, a, b)`, `nz(x)` | the same with `nb.` before it |
| `on("1h", ema(close, 50))` | `ta.ema(bar.on("1h").close, 50)` |
| `of("BTCUSDT", close)` | `bar.of("BTCUSDT").close` |
| `hour_in("America/New_York")`, `session("09:30-16:00")`, `new_day()` | the same with `bar.` before it |
"""

import ast
import inspect
import io
import math
import operator
import tokenize
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from engine.indicators.catalog import INDICATORS
from engine.indicators.stream import MOST_BARS
from engine.model.sentences import SentenceError
from engine.series import functions, ta
from engine.series.bar import BarSeries
from engine.series.nodes import BoolSeries, Node, logic
from engine.series.other_names import ours
from engine.series.refused import sentence_about
from runtime.suggestions import did_you_mean

MOST_CHARACTERS = 4000
MOST_LEVELS = 80
LARGEST_WHOLE = 2**53
"""Whole numbers beyond are not all numbers of a series."""

FIELDS: Mapping[str, str] = {
    **{name: name for name in ("open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4", "time")},
    **{name: name for name in ("hour", "minute", "weekday")},
    "bar_index": "index",
}
"""Names of the bar's own series, and what they are called in Python."""
CONSTANTS: Mapping[str, float | bool] = {"na": math.nan, "inf": math.inf, "true": True, "false": False}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": functions.absolute,
    "ceil": functions.ceil,
    "executed_when": functions.executed_when,
    "floor": functions.floor,
    "max": functions.maximum,
    "min": functions.minimum,
    "na": functions.na,
    "nz": functions.nz,
    "sign": functions.sign,
    "sqrt": functions.sqrt,
    "where": functions.where,
}
_OF_NUMBERS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "max": max,
    "min": min,
    "round": lambda x: math.floor(x + 0.5),
}
"""What they are of parameters and numbers alone: a number, which may be a setting."""
_OF_BAR = (
    "hour_in",
    "minute_of_day_in",
    "weekday_in",
    "day_in",
    "session",
    "new_day",
    "new_week",
    "new_session",
)
_OTHER_BARS = ("on", "of")
RESERVED = frozenset({*FIELDS, *CONSTANTS, "bar"})
"""Names that nothing else can have."""

_ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_INSTEAD: Mapping[type, str] = {
    ast.IfExp: "write where(condition, a, b)",
    ast.Pow: "write pow(x, y)",
    ast.BitAnd: "write and",
    ast.BitOr: "write or",
    ast.Invert: "write not",
    ast.Lambda: "an expression defines nothing",
    ast.NamedExpr: "an expression names nothing; a name of its own belongs into [series]",
}
_NO_PART = "this cannot be part of an expression"


class TextError(SentenceError):
    """A text that is no expression; the sentence begins with the column."""


class Expression:
    """A text that has been parsed. `TextError` where it is not of the kind that can be read."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.splitlines()) if isinstance(text, str) else ""
        self._tree = _tree(self.text) if self.text.strip() else _refuse_empty(text)

    def value(self, names: Mapping[str, object]) -> object:
        """What it says, given what `names` stand for: a node, the outputs of a call by name, or a number,
        truth or text where it is made of those alone. `TextError` says what is wrong and where.
        """
        return _Reader(self.text, names, BarSeries()).value(self._tree)


def _refuse_empty(text: object) -> ast.expr:
    given = "empty" if isinstance(text, str) else f"{text!r:.60}"
    raise TextError(f"it is {given}, an expression in quotes was expected, such as 'close > open'")


def _tree(text: str) -> ast.expr:
    if len(text) > MOST_CHARACTERS:
        raise TextError(f"it has {len(text)} characters, at most {MOST_CHARACTERS} were expected")
    begins = len(text) - len(text.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text[begins:], mode="eval").body
        _check_characters(text)
    except SyntaxError as error:
        column = begins + (error.offset or len(text) - begins)
        raise TextError(f"column {column}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise TextError(f"it cannot be read: {str(error) or 'too many brackets'}") from None
    for node in ast.walk(tree):
        if hasattr(node, "col_offset"):
            node.col_offset += begins
    return tree


def _check_characters(text: str) -> None:
    """Letters that look like others, and comments, which would hide the rest, have no place in it."""
    for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
        column = token.start[1] + 1
        if token.type == tokenize.COMMENT:
            raise SyntaxError("a comment belongs outside of the quotes", (None, 1, column, None))
        if token.type != tokenize.STRING and not token.string.isascii():
            raise SyntaxError(f"{token.string!r} is not in plain letters", (None, 1, column, None))


class _Reader:
    """Reads one tree, about the bars of `bar`."""

    def __init__(self, text: str, names: Mapping[str, object], bar: BarSeries, level: int = 0) -> None:
        self._text, self._names, self._bar, self._level = text, names, bar, level

    def value(self, tree: ast.AST) -> object:
        """What a part of the tree says."""
        read = _READ.get(type(tree))
        if read is None:
            raise self._error(tree, _INSTEAD.get(type(tree), _NO_PART))
        self._level += 1
        if self._level > MOST_LEVELS:
            raise self._error(tree, f"more than {MOST_LEVELS} levels of expressions in each other")
        try:
            return read(self, tree)
        except TextError:
            raise
        except SentenceError as error:
            raise self._error(tree, str(error)) from None
        except (ArithmeticError, MemoryError, TypeError, ValueError) as error:
            raise self._error(tree, f"this cannot be computed: {error}") from None
        finally:
            self._level -= 1

    def _error(self, tree: ast.AST, sentence: str) -> TextError:
        before = self._text.encode()[: getattr(tree, "col_offset", 0)].decode(errors="replace")
        return TextError(f"column {len(before) + 1}: {sentence}")

    def _operand(self, tree: ast.AST) -> Any:  # noqa: ANN401  # a node or a number
        """A node, a number or a truth."""
        return self._checked(tree, self.value(tree))

    def _checked(self, tree: ast.AST, value: Any) -> Any:  # noqa: ANN401  # as above
        if isinstance(value, tuple):
            raise self._error(tree, _choose_output(value))
        if isinstance(value, BarSeries):
            raise self._error(tree, "bar goes into a function, such as atr(bar, 14); a price of it is close")
        if isinstance(value, str):
            raise self._error(tree, f"{value!r:.60} is a text, a series or a number was expected")
        return value

    def _condition(self, tree: ast.AST) -> BoolSeries | bool:
        value = self._operand(tree)
        if isinstance(value, bool | BoolSeries):
            return value
        raise self._error(tree, "a number is no condition; compare it, such as x > 0")

    def _constant(self, tree: ast.Constant) -> object:
        value = tree.value
        if isinstance(value, bool | str):
            return value
        if not isinstance(value, int | float):
            raise self._error(tree, f"{value!r:.60} is no number")
        if abs(value) == math.inf or (isinstance(value, int) and value > LARGEST_WHOLE):
            raise self._error(tree, "this number is too large")
        return value

    def _name(self, tree: ast.Name) -> object:
        name = tree.id
        if name == "bar":
            return self._bar
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in FIELDS:
            return getattr(self._bar, FIELDS[name])
        if name not in self._names:
            raise self._error(tree, self._unknown(name))
        value = self._names[name]
        for node in value if isinstance(value, tuple) else (value,):
            if (
                self._bar != BarSeries()
                and isinstance(node, Node)
                and node.feed not in {None, self._bar.feed}
            ):
                raise self._error(tree, f"{name} is not of the bars that are spoken of here; use it outside")
        return value

    def _unknown(self, name: str) -> str:
        if name in _FUNCTION_NAMES:
            return f"{name} is a function, write {name}(...)"
        return f"there is no {name}{did_you_mean(name, [*self._names, *RESERVED])}"

    def _attribute(self, tree: ast.Attribute) -> object:
        value = self.value(tree.value)
        if isinstance(value, BarSeries):
            raise self._error(tree, f"write {tree.attr} in the place of bar.{tree.attr}")
        outputs = getattr(value, "_fields", ()) if isinstance(value, tuple) else ()
        if tree.attr in outputs:
            return getattr(value, tree.attr)
        if outputs:
            hint = did_you_mean(tree.attr, outputs)
            raise self._error(tree, f"there is no output {tree.attr}{hint}; there are {', '.join(outputs)}")
        raise self._error(tree, sentence_about(tree.attr))

    def _subscript(self, tree: ast.Subscript) -> object:
        value = self._operand(tree.value)
        if not isinstance(value, Node):
            raise self._error(
                tree, "a number is the same on each bar; x[1] is the value of a series a bar ago"
            )
        if isinstance(tree.slice, ast.Slice | ast.Tuple):
            raise self._error(tree, "x[...] takes a number of bars back, such as x[1]")
        past: object = value[self.value(tree.slice)]  # type: ignore[index]  # it says itself what it takes
        return past

    def _unary(self, tree: ast.UnaryOp) -> object:
        if isinstance(tree.op, ast.Invert):
            raise self._error(tree, _INSTEAD[ast.Invert])
        if isinstance(tree.op, ast.Not):
            condition = self._condition(tree.operand)
            return not condition if isinstance(condition, bool) else logic("not", condition)
        value = self._operand(tree.operand)
        if isinstance(value, bool | BoolSeries):
            raise self._error(tree, "a condition has no sign; write not before it")
        return -value if isinstance(tree.op, ast.USub) else value

    def _binary(self, tree: ast.BinOp) -> object:
        compute = _ARITHMETIC.get(type(tree.op))
        if compute is None:
            raise self._error(tree, _INSTEAD.get(type(tree.op), _NO_PART))
        a, b = self._operand(tree.left), self._operand(tree.right)
        if isinstance(a, bool) or isinstance(b, bool):
            raise self._error(tree, "true and false are no numbers")
        return compute(a, b)

    def _compare(self, tree: ast.Compare) -> object:
        for part in (tree.left, *tree.comparators):
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitAnd | ast.BitOr):
                raise self._error(
                    part, f"{_INSTEAD[type(part.op)]}, which joins comparisons: a > b and c > d"
                )
        if len(tree.ops) > 1:
            raise self._error(tree, "two comparisons in one: write a < b and b < c")
        compare = _COMPARISONS.get(type(tree.ops[0]))
        if compare is None:
            raise self._error(tree, _NO_PART)
        a, b = self.value(tree.left), self.value(tree.comparators[0])
        if isinstance(a, str) and isinstance(b, str):
            return compare(a, b)
        return compare(self._checked(tree.left, a), self._checked(tree.comparators[0], b))

    def _logic(self, tree: ast.BoolOp) -> object:
        op = "and" if isinstance(tree.op, ast.And) else "or"
        made, *others = map(self._condition, tree.values)
        for other in others:
            if isinstance(made, bool) and isinstance(other, bool):
                made = (made and other) if op == "and" else (made or other)
            else:
                made = logic(op, made, other)
        return made

    def _call(self, tree: ast.Call) -> object:
        name = self._called(tree)
        if name in _OTHER_BARS:
            return self._on_other_bars(name, tree)
        args = [self._argument(one) for one in tree.args]
        if any(keyword.arg is None for keyword in tree.keywords):
            raise self._error(tree, _NO_PART)
        named = {str(keyword.arg): self._argument(keyword.value) for keyword in tree.keywords}
        if name in _OF_BAR:
            return _taking(name, getattr(self._bar, name), args, named)
        if name in _OF_NUMBERS and args and not named and all(type(one) in {int, float} for one in args):
            return (
                _OF_NUMBERS[name](*args)
                if len(args) == 1 or name in {"min", "max"}
                else self._made(name, args)
            )
        if name in FUNCTIONS:
            return _taking(name, FUNCTIONS[name], args, named)
        return self._made(name, args, named)

    def _made(self, name: str, args: list[object], named: Mapping[str, object] | None = None) -> object:
        for one in (*args, *(named or {}).values()):
            if isinstance(one, int) and one > MOST_BARS:
                raise SentenceError(f"{name}: {one} is too large, at most {MOST_BARS} bars were expected")
        made: object = getattr(ta, name)(*args, **(named or {}))
        return made

    def _called(self, tree: ast.Call) -> str:
        function = tree.func
        if isinstance(function, ast.Attribute):
            prefix = function.value.id if isinstance(function.value, ast.Name) else ""
            is_prefix = prefix in {"ta", "nb", "bar"}
            said = (
                f"write {function.attr}(...) without {prefix}."
                if is_prefix
                else sentence_about(function.attr)
            )
            raise self._error(tree, said)
        if not isinstance(function, ast.Name):
            raise self._error(tree, _NO_PART)
        if function.id in _FUNCTION_NAMES:
            return function.id
        if function.id in self._names or function.id in RESERVED:
            raise self._error(tree, f"{function.id} is no function; x[1] is the value one bar ago")
        raise self._error(tree, f"there is no function {function.id}{_hint(function.id)}")

    def _argument(self, tree: ast.expr) -> object:
        value = self.value(tree)
        if isinstance(value, tuple):
            raise self._error(tree, _choose_output(value))
        return value

    def _on_other_bars(self, name: str, tree: ast.Call) -> object:
        if len(tree.args) != 2 or tree.keywords:
            example = 'on("1h", close > open)' if name == "on" else 'of("BTCUSDT", close)'
            raise self._error(tree, f"{name} takes two things, such as {example}")
        which = self.value(tree.args[0])
        if not isinstance(which, str):
            what = 'a timeframe in quotes, such as "1h"' if name == "on" else "a symbol in quotes"
            raise self._error(tree.args[0], f"{what} was expected")
        bar = self._bar.on(which) if name == "on" else self._bar.of(which)
        made = _Reader(self._text, self._names, bar, self._level).value(tree.args[1])
        for node in made if isinstance(made, tuple) else (made,):
            feed = node.feed if isinstance(node, Node) else None
            if feed is None or which != (feed.timeframe if name == "on" else feed.symbol):
                raise self._error(tree.args[1], f"{name}(...) takes a series of those bars alone")
        return made


def _taking(
    name: str, function: Callable[..., Any], args: list[object], named: Mapping[str, object]
) -> object:
    """What a function gives; `SentenceError` where it takes other arguments."""
    taken = inspect.signature(function)
    try:
        taken.bind(*args, **named)
    except TypeError:
        raise SentenceError(f"{name} takes {', '.join(taken.parameters)}") from None
    made: object = function(*args, **named)
    return made


def _choose_output(outputs: tuple[object, ...]) -> str:
    names: tuple[str, ...] = getattr(outputs, "_fields", ())
    kind = type(outputs).__name__.lower()
    return f"{kind} has several outputs, name one: {', '.join(f'.{name}' for name in names)}"


def _hint(name: str) -> str:
    said = ours(name).replace("ta.", "")
    return f"; {said}" if said else did_you_mean(name, _FUNCTION_NAMES)


_FUNCTION_NAMES = frozenset({*FUNCTIONS, *INDICATORS, *_OF_BAR, *_OTHER_BARS})
_READ: Mapping[type, Callable[[_Reader, Any], object]] = {
    ast.Constant: _Reader._constant,
    ast.Name: _Reader._name,
    ast.Attribute: _Reader._attribute,
    ast.Subscript: _Reader._subscript,
    ast.UnaryOp: _Reader._unary,
    ast.BinOp: _Reader._binary,
    ast.Compare: _Reader._compare,
    ast.BoolOp: _Reader._logic,
    ast.Call: _Reader._call,
}
"""All that an expression may be made of."""

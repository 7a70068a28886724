"""A strategy as a TOML file, without Python: the same rules, in expressions that are text.

    doc = "Long a band above the average, out at the average."

    [params]
    length = { default = 20, ge = 1, le = 5000, doc = "bars of the average" }

    [series]
    average = "ema(close, length)"

    [rules]
    enter_long = "close > average * 1.01"
    exit_long = "close < average"
    plot = ["average"]

    [exits]
    stop_loss_percent = 5.0

`engine.series.text` reads expressions. A series may use those above it. The keys of `[rules]` are those of
`Rules`, and may stand at the top of the file as well. In `[exits]` a text may name a parameter.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from keyword import iskeyword
from math import isfinite
from pathlib import Path
from typing import Any

from engine.exits.changed import ExitsRefused, changed_exits
from engine.model.exit_rules import ExitRules
from engine.model.sentences import SentenceError
from engine.series.nodes import BoolSeries, Node, Series, SeriesError, condition_of, series_of
from engine.series.text import RESERVED, Expression, TextError
from engine.strategies.base import StrategyParams
from engine.strategies.graph import Strategy
from engine.strategies.param import param
from engine.strategies.rules import FLAGS, Rules
from runtime.suggestions import allowed

RULES = tuple(one.name for one in fields(Rules) if one.init)
"""What a strategy may say about a bar; each is an expression but `tag` and `plot`."""
_TABLES = ("params", "series", "rules", "exits")
_PARAM_KEYS = ("default", "ge", "gt", "le", "lt", "choices", "doc")
_PAIR = 'a text, or a list of {when = "condition", tag = "text"}'

Table = Mapping[str, Any]


class TomlStrategyError(SentenceError):
    """A file that is no strategy: one sentence with file, key and column."""


def strategy_of(file: Path) -> type[Strategy]:
    """The strategy that a TOML file describes. `TomlStrategyError` says what is wrong.

    OSError where it cannot be read.
    """
    return strategy_of_text(file.read_bytes(), file)


def strategy_of_text(content: bytes, file: Path) -> type[Strategy]:
    """`strategy_of` the content of a file."""
    form = _Form(file.name, _table_of(content, file.name), content.decode("utf-8-sig"))
    title = "".join(part[:1].upper() + part[1:] for part in file.stem.replace("-", "_").split("_"))
    body: dict[str, Any] = {
        **form.params,
        "__doc__": form.doc or None,
        "define": lambda self, _: form.rules(self),
        "exit_rules": property(form.exit_rules, doc="The rules of [exits], with the parameters' values."),
    }
    made = type(title, (Strategy,), body)
    form.check(made)
    return made


def _table_of(content: bytes, file: str) -> Table:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise TomlStrategyError(f"{file} is not UTF-8: byte {error.start + 1}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TomlStrategyError(f"{file} is not TOML: {error}") from None


class _Form:
    """The parts of one file, its expressions parsed."""

    def __init__(self, file: str, given: Table, text: str) -> None:
        self._file, self._lines = file, text.splitlines()
        for key in given:
            if key not in {"doc", *_TABLES, *RULES}:
                raise self._error(key, f"no such key{allowed(key, ('doc', *_TABLES, *RULES))}")
        tables = {name: self._table(given, name) for name in _TABLES}
        self.doc = self._text("doc", given.get("doc", ""))
        self.params = {name: self._param(name, one) for name, one in tables["params"].items()}
        self._series = {
            self._new_name(name): self._expression(f"series.{name}", text)
            for name, text in tables["series"].items()
        }
        self._exits = tables["exits"]
        self._read_rules({key: given[key] for key in RULES if key in given}, tables["rules"])

    def _read_rules(self, above: Table, table: Table) -> None:
        for key in table:
            if key not in RULES:
                raise self._error(f"rules.{key}", f"no such rule{allowed(key, RULES)}")
            if key in above:
                raise self._error(key, "it is also under [rules]; write it once")
        said = {**above, **table}
        self._tags = self._tag_pairs(said.pop("tag", ""))
        self._plots = self._plot_expressions(said.pop("plot", {}))
        self._rules = {key: self._expression(key, value) for key, value in said.items()}
        if not any(key in said for key in FLAGS):
            raise TomlStrategyError(f"{self._file} has no rule: expected one of {', '.join(FLAGS)}")

    def rules(self, strategy: Strategy) -> Rules:
        """What `define` returns, with the parameters of one object."""
        names: dict[str, object] = {name: getattr(strategy, name) for name in self.params}
        for name, one in self._series.items():
            names[name] = self._value(f"series.{name}", one, names, later=self._series)
        given: dict[str, Any] = {
            key: self._of_kind(key, self._value(key, one, names)) for key, one in self._rules.items()
        }
        given["tag"] = (
            self._tags
            if isinstance(self._tags, str)
            else [(self._of_kind("tag", self._value("tag", when, names)), tag) for when, tag in self._tags]
        )
        plot = {name: self._plotted(name, one, names) for name, one in self._plots.items()}
        given["plot"] = plot
        rules = Rules(**given)
        object.__setattr__(rules, "names", dict(_named_nodes(names)) | plot)
        return rules

    def exit_rules(self, strategy: Strategy) -> ExitRules:
        """The rules of `[exits]`; a text that names a parameter is its value."""
        given = {key: self._exit_value(strategy, value) for key, value in self._exits.items()}
        try:
            return changed_exits(ExitRules(), given)
        except ExitsRefused as error:
            raise TomlStrategyError(f"{self._file}, {error}") from None

    def check(self, made: type[Strategy]) -> None:
        """Make one with the parameters' defaults: what is wrong is said when the file is read."""
        try:
            _ = made().exit_rules
        except TomlStrategyError:
            raise
        except SentenceError as error:
            raise TomlStrategyError(f"{self._file}, {error}") from None

    def _exit_value(self, strategy: Strategy, value: object) -> object:
        return getattr(strategy, value) if isinstance(value, str) and value in self.params else value

    def _value(
        self,
        key: str,
        one: Expression | float | bool,
        names: Mapping[str, object],
        later: Table | None = None,
    ) -> object:
        if not isinstance(one, Expression):
            return one
        try:
            return one.value(names)
        except TextError as error:
            below = [
                name for name in later or () if name not in names and f"there is no {name}" in str(error)
            ]
            hint = f"; {below[0]} is below, move it up" if below else ""
            raise self._error(key, f"{error}{hint}") from None

    def _of_kind(self, key: str, value: object) -> Node:
        """A condition for a flag and for a tag, else a number."""
        try:
            return condition_of(value) if key in {*FLAGS, "tag"} else series_of(value)
        except SeriesError as error:
            raise self._error(key, str(error)) from None

    def _plotted(self, name: str, one: Expression | float | bool, names: Mapping[str, object]) -> Node:
        value = self._value(f"plot, {name}", one, names)
        if isinstance(value, BoolSeries):
            return value
        try:
            return series_of(value)
        except SeriesError as error:
            raise self._error(f"plot, {name}", str(error)) from None

    def _table(self, given: Table, name: str) -> dict[str, Any]:
        table = given.get(name, {})
        if not isinstance(table, dict):
            raise self._error(name, f"expected a table, [{name}]")
        return table

    def _text(self, key: str, value: object) -> str:
        if isinstance(value, str):
            return value
        raise self._error(key, f"{value!r:.60} is no text")

    def _expression(self, key: str, value: object) -> Expression | float | bool:
        """A parsed text, or a number as it is."""
        if isinstance(value, int | float):
            return value
        try:
            return Expression(self._text(key, value))
        except TextError as error:
            raise self._error(key, str(error)) from None

    def _new_name(self, name: str) -> str:
        if not (name.isascii() and name.isidentifier()):
            raise self._error(f"series.{name}", "expected a name of letters, digits and _")
        if name in RULES:
            raise self._error(f"series.{name}", "this is a rule; put it under [rules]")
        if name in RESERVED or name in self.params:
            what = "a parameter" if name in self.params else "what every strategy has"
            raise self._error(f"series.{name}", f"{name} is {what} already; choose another name")
        return name

    def _param(self, name: str, given: object) -> object:
        key = f"params.{name}"
        is_free = name.isascii() and name.isidentifier() and not name.startswith("_") and not iskeyword(name)
        if (
            not is_free
            or name in {"params", *RESERVED}
            or hasattr(Strategy, name)
            or hasattr(StrategyParams, name)
        ):
            raise self._error(key, "a parameter cannot have this name")
        told: dict[str, Any] = dict(given) if isinstance(given, dict) else {"default": given}
        for one in told:
            if one not in _PARAM_KEYS:
                raise self._error(key, f"{one} is no part of a parameter{allowed(one, _PARAM_KEYS)}")
        self._check_values(key, told)
        self._text(f"{key}.doc", told.get("doc", ""))
        made: object = param(**told)
        return made

    def _check_values(self, key: str, told: Table) -> None:
        """The default, what bounds it, and what may be chosen instead of it."""
        default = told.get("default")
        if not isinstance(default, int | float | str):
            raise self._error(key, "default is missing: expected a number, true, false or a text")
        bounds = {one: told[one] for one in ("ge", "gt", "le", "lt") if one in told}
        for one, bound in bounds.items():
            if type(bound) not in {int, float} or not isfinite(bound):
                raise self._error(key, f"{one} is {bound!r:.60}, expected a number")
        if bounds and type(default) not in {int, float}:
            raise self._error(key, f"{', '.join(bounds)} bound a number, and its default is {default!r:.60}")
        choices = told.get("choices", [default])
        if not isinstance(choices, list) or not choices or {type(one) for one in choices} != {type(default)}:
            raise self._error(key, "choices should be a list of values like the default")

    def _tag_pairs(self, given: object) -> str | list[tuple[Expression | float | bool, str]]:
        if isinstance(given, str):
            return given
        if not isinstance(given, list):
            raise self._error("tag", f"expected {_PAIR}")
        pairs = []
        for one in given:
            if not isinstance(one, dict) or set(one) != {"when", "tag"} or not isinstance(one["tag"], str):
                raise self._error("tag", f"expected {_PAIR}")
            pairs.append((self._expression("tag", one["when"]), one["tag"]))
        return pairs

    def _plot_expressions(self, given: object) -> dict[str, Expression | float | bool]:
        """By the name that each is drawn under; in a list, its text is its name."""
        if isinstance(given, list):
            given = {self._text("plot", one): one for one in given}
        if not isinstance(given, dict):
            raise self._error(
                "plot", 'expected names in a list, or a table such as {average = "ema(close, 20)"}'
            )
        return {name: self._expression(f"plot, {name}", text) for name, text in given.items()}

    def _error(self, key: str, sentence: str) -> TomlStrategyError:
        line = _line_of(self._lines, key)
        where = f" (line {line})" if line else ""
        return TomlStrategyError(f"{self._file}, {key}: {sentence}{where}")


def _line_of(lines: list[str], key: str) -> int:
    """The line of a key such as "enter_long" or "series.average", from 1; 0 where it is not seen."""
    table, _, rest = key.partition(", ")[0].rpartition(".") if key.count(".") < 2 else key.partition(".")
    name = rest.partition(".")[0]
    within = {table} if table else {"", "rules"}
    now = ""
    for number, line in enumerate(lines, start=1):
        bare = line.strip()
        if bare.startswith("["):
            now = bare.partition("]")[0].strip("[ ")
            if now in {f"{one}.{name}".strip(".") for one in within}:
                return number
        elif now in within and bare.partition("=")[0].strip(" \t\"'") == name and "=" in bare:
            return number
    return 0


def _named_nodes(names: Mapping[str, object]) -> Iterator[tuple[str, Node]]:
    """Series by name, each output of one with several by its own."""
    for name, value in names.items():
        if isinstance(value, Series | BoolSeries):
            yield name, value
        elif isinstance(value, tuple):
            outputs = zip(getattr(value, "_fields", ()), value, strict=False)
            yield from ((f"{name}.{output}", node) for output, node in outputs)

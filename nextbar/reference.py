"""docs/api.md, made from the docstrings of the public names: `python -m nextbar.reference > docs/api.md`."""

import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

import nextbar
from engine.indicators.catalog import INDICATORS
from engine.series.other_names import BAR_FIELDS

_HEAD = """# nextbar, name by name

`import nextbar as nb`. What is listed here stays; everything else in the package may change. This page is
made from the docstrings by `python -m nextbar.reference > docs/api.md`; a test keeps it up to date.
"""
_GROUPS = {
    "Bars and backtests": ("load", "backtest", "compare", "Result", "Broker", "Bars"),
    "Strategies of series": (
        "Strategy",
        "param",
        "Rules",
        "ExitRules",
        "PartialExit",
        "RoiStep",
        "ta",
        "BarSeries",
    ),
    "Features for research": ("features", "standard_features", "FeatureStream"),
    "Scripts": ("Script", "Params", "Verbs", "Bar"),
    "Errors": ("NextbarError", "ConfigError", "DataError", "StrategyFault"),
}
"""Names in an order for reading; those of no group come at the end."""
_REST = "Series and functions of them"
_NOT_MADE = ("Bar", "BarSeries", "BoolSeries", "Result", "Series", "StrategyFault")
"""Classes of which people get objects and do not make them."""
_LONGEST = 110


def page() -> str:
    """The whole page."""
    grouped = {name for names in _GROUPS.values() for name in names}
    rest = tuple(name for name in nextbar.__all__ if name not in grouped)
    parts = [_HEAD]
    for title, names in {**_GROUPS, _REST: rest}.items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += _about(name, getattr(nextbar, name))
    return "\n".join(parts).rstrip() + "\n"


def _about(name: str, found: object) -> Iterator[str]:
    yield f"### `nb.{name}`\n"
    signature = [] if name in _NOT_MADE else _signature(found)
    if signature:
        yield f"```\n{_wrapped(f'nb.{name}', signature)}\n```\n"
    yield f"{inspect.getdoc(found)}\n"
    if name == "ta":
        yield f"Formulas and warm-up: [indicators.md](indicators.md).\n\n{''.join(_indicators())}"
    members = _members(found) if isinstance(found, type) else []
    if members:
        yield "\n".join(members) + "\n"


def _signature(found: object) -> list[str]:
    """Parameters with their defaults; none of what people do not call."""
    if isinstance(found, ModuleType) or inspect.isabstract(found):
        return []
    if isinstance(found, type) and "__init__" not in vars(found) and not hasattr(found, "model_fields"):
        return []
    try:
        parameters = inspect.signature(found).parameters.values()  # type: ignore[arg-type]  # refused below
    except (TypeError, ValueError):
        return []
    shown = [str(one.replace(annotation=one.empty)) for one in parameters]
    first_keyword = next((k for k, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY), None)
    if first_keyword is not None:
        shown.insert(first_keyword, "*")
    return shown


def _wrapped(name: str, parts: list[str]) -> str:
    line = f"{name}({', '.join(parts)})"
    if len(line) <= _LONGEST:
        return line
    lines, current = [f"{name}("], "   "
    for part in parts:
        if len(current) + len(part) + 2 > _LONGEST:
            lines.append(current)
            current = "   "
        current += f" {part},"
    return "\n".join([*lines, current, ")"])


def _indicators() -> Iterator[str]:
    """A table of the catalog: how each is called, what it is, what it gives."""
    yield "| call | what it is | gives |\n|---|---|---|\n"
    for cls in INDICATORS.values():
        bar = ["bar"] if BAR_FIELDS & set(cls.inputs) else []
        inputs = [one for one in cls.inputs if not bar or one not in {*BAR_FIELDS, "x"}]
        call = f"ta.{cls.name}({', '.join([*bar, *inputs, *_signature(cls)])})"
        what = " ".join((inspect.getdoc(cls) or "").split("\n\n", 1)[0].split()).rstrip(".")
        kind = "a condition" if cls.conditions else "a series"
        outputs = ", ".join(f"`.{one}`" for one in cls.outputs) if len(cls.outputs) > 1 else kind
        cells = [f"`{call}`", what, outputs]
        yield f"| {' | '.join(one.replace('|', chr(92) + '|') for one in cells)} |\n"
    yield "\n"


def _members(cls: type) -> list[str]:
    """Public methods and properties that the class describes itself, of a protocol all; a line each."""
    protocol = getattr(cls, "_is_protocol", False)
    bases = [base for base in cls.__mro__ if getattr(base, "_is_protocol", False)] if protocol else [cls]
    found = []
    for name, member in ((name, member) for base in bases for name, member in vars(base).items()):
        known = inspect.isfunction(member) or isinstance(member, property) or hasattr(member, "attrname")
        said = inspect.getdoc(member) if known and not name.startswith("_") else None
        if said or (known and protocol and not name.startswith("_")):
            call = f"{name}({', '.join(_signature(member)[1:])})" if inspect.isfunction(member) else name
            found.append(f"* `{call}`" + (f": {' '.join(said.split())}" if said else ""))
    return found


if __name__ == "__main__":
    sys.stdout.write(page())

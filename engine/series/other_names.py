"""What Pine's, TA-Lib's and other names of indicators are called here, and how each of ours is called."""

import inspect
import re
from collections.abc import Iterator

from engine.indicators.catalog import INDICATORS
from engine.indicators.stream import Indicator
from runtime.suggestions import did_you_mean

BAR_FIELDS = frozenset({"open", "high", "low", "close", "volume"})
"""Inputs that the bar itself may stand for."""
_TALIB = re.compile(r"\b([A-Z][A-Z0-9_]+)\(")


def written(cls: type[Indicator], first: str = "x") -> str:
    """How a call is written: "ta.ema(x, length)", "ta.atr(bar, length)"; `first` stands for the input x."""
    settings = [one.name for one in inspect.signature(cls).parameters.values() if one.default is one.empty]
    others = [name for name in cls.inputs if name not in BAR_FIELDS]
    if BAR_FIELDS & set(cls.inputs):
        inputs = ["bar", *(name for name in others if name != "x")]
    else:
        inputs = [first if name == "x" else name for name in others]
    return f"ta.{cls.name}({', '.join([*inputs, *settings])})"


def ours(name: str) -> str:
    """One sentence on an indicator of Pine or TA-Lib that has another name here; "" where there is none."""
    if name in _OF_PINE:
        return f"Pine's ta.{name} is ta.{_OF_PINE[name]} here"
    found = _OF_TALIB.get(name.upper(), "")
    return f"TA-Lib's {name.upper()} is {found} here" if found else ""


def unknown(name: str) -> str:
    """What follows "ta has no bb": our name for it, or the name that was perhaps meant."""
    said = ours(name)
    return f"; {said}" if said else f"{did_you_mean(name, INDICATORS)}, docs/indicators.md has all"


def _names_of_talib() -> Iterator[tuple[str, str]]:
    for cls in INDICATORS.values():
        functions = _TALIB.findall(cls.in_talib)
        outputs = cls.outputs if len(functions) == len(cls.outputs) > 1 else ()
        for function, output in zip(functions, outputs, strict=False):
            yield function, f"{written(cls)}.{output}"
        if functions and not outputs:
            yield functions[0], f"ta.{cls.name}"


_OF_PINE = {
    cls.pine_name.removeprefix("ta."): name
    for name, cls in INDICATORS.items()
    if cls.pine_name.startswith("ta.") and cls.pine_name != f"ta.{name}"
}
_OF_TALIB = dict(reversed(list(_names_of_talib())))

"""All indicators, by name: each class of this package that has one. A new file needs no entry anywhere.

`python -m engine.indicators.catalog` writes their table into docs/indicators.md.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import engine.indicators
from engine.indicators.stream import ManyOutputs, SingleOutput

AnyIndicator = SingleOutput | ManyOutputs
PAGE = Path(__file__).resolve().parents[2] / "docs" / "indicators.md"
_HEAD = "| name and settings | what it is | Pine | inputs → outputs | warm-up | tested against |\n"


def _found() -> Iterator[type[AnyIndicator]]:
    """By the names of their files, then as they stand in them."""
    for module in pkgutil.iter_modules(engine.indicators.__path__, "engine.indicators."):
        if module.name == "engine.indicators.catalog":
            continue
        for cls in vars(importlib.import_module(module.name)).values():
            is_here = isinstance(cls, type) and cls.__module__ == module.name
            if is_here and issubclass(cls, AnyIndicator) and "name" in vars(cls):
                yield cls


def _by_name() -> dict[str, type[AnyIndicator]]:
    indicators: dict[str, type[AnyIndicator]] = {}
    for cls in _found():
        if cls.name in indicators:
            raise ValueError(f"two indicators are named {cls.name!r}: {indicators[cls.name]} and {cls}")
        indicators[cls.name] = cls
    return indicators


INDICATORS = _by_name()
"""In the order of the table in docs/indicators.md."""


def _row(cls: type[AnyIndicator]) -> str:
    doc = inspect.getdoc(cls) or ""
    settings = inspect.signature(cls).parameters.values()
    called = ", ".join(
        one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in settings
    )
    proofs = ("pynecore, every bit" if cls.in_pine else "", "TA-Lib after warm-up" if cls.in_talib else "")
    cells = (
        f"`{cls.name}({called})`",
        " ".join(doc.split("\n\n", 1)[0].split()).rstrip("."),
        f"`{cls.pine_name}`" if cls.pine_name else "",
        f"{', '.join(cls.inputs)} → {', '.join(cls.outputs)}",
        doc.split("Warm-up: ")[1].split("\n")[0].rstrip("."),
        "; ".join(proof for proof in proofs if proof) or "by hand",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    rows = "".join(_row(cls) for cls in INDICATORS.values())
    table = f"{_HEAD}{'|---' * 6}|\n{rows}"
    return re.sub(r"^\| name.*\n(\|.*\n)+", lambda _: table, page, flags=re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

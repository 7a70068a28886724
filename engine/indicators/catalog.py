"""All indicators, by name: each class of this package that has one. A new file needs no entry anywhere.

`python -m engine.indicators.catalog` writes their table into docs/indicators.md.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from engine.indicators.stream import ManyOutputs, SingleOutput
from engine.model.named_files import files_of

AnyIndicator = SingleOutput | ManyOutputs
PAGE = Path(__file__).resolve().parents[2] / "docs" / "indicators.md"
_HEAD = "| name and settings | what it is | Pine | inputs → outputs | warm-up | tested against |\n"


def _found(modules: Iterable[ModuleType]) -> Iterator[type[AnyIndicator]]:
    """By the names of their files, then as they stand in them."""
    for module in modules:
        for cls in vars(module).values():
            is_here = isinstance(cls, type) and cls.__module__ == module.__name__
            if is_here and issubclass(cls, AnyIndicator) and "name" in vars(cls):
                yield cls


def _by_name(modules: Iterable[ModuleType]) -> dict[str, type[AnyIndicator]]:
    indicators: dict[str, type[AnyIndicator]] = {}
    for cls in _found(modules):
        if cls.name in indicators:
            raise ValueError(f"two indicators are named {cls.name!r}: {indicators[cls.name]} and {cls}")
        indicators[cls.name] = cls
    return indicators


_FILES = files_of("engine.indicators", without=("catalog",))
INDICATORS = _by_name(_FILES.modules.values())
"""In the order of the table in docs/indicators.md."""
BROKEN = _FILES.broken
"""A sentence for each file that cannot be imported; its indicators are missing above."""


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

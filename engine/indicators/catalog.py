"""All indicators, by name: each class of this package that has one. A new file needs no entry anywhere."""

import importlib
import pkgutil
from collections.abc import Iterator

import engine.indicators
from engine.indicators.stream import ManyOutputs, SingleOutput


def _found() -> Iterator[type[SingleOutput] | type[ManyOutputs]]:
    """By the names of their files, then as they stand in them."""
    for module in pkgutil.iter_modules(engine.indicators.__path__, "engine.indicators."):
        if module.name in {__name__, "engine.indicators.batch"}:
            continue
        for cls in vars(importlib.import_module(module.name)).values():
            is_here = isinstance(cls, type) and cls.__module__ == module.name
            if is_here and issubclass(cls, SingleOutput | ManyOutputs) and "name" in vars(cls):
                yield cls


def _by_name() -> dict[str, type[SingleOutput] | type[ManyOutputs]]:
    indicators: dict[str, type[SingleOutput | ManyOutputs]] = {}
    for cls in _found():
        if cls.name in indicators:
            raise ValueError(f"two indicators are named {cls.name!r}: {indicators[cls.name]} and {cls}")
        indicators[cls.name] = cls
    return indicators


INDICATORS = _by_name()
"""In the order of the table in docs/indicators.md."""

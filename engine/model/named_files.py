"""The files of a package that a name finds: each strategy or risk rule stands in the file of its name."""

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def module_named(package: str, name: str) -> ModuleType | None:
    """The module in the file of that name; None where there is no such file. Whatever the file raises while
    it is imported is raised."""
    module = f"{package}.{name}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None


def importable(package: str) -> Iterator[tuple[str, ModuleType]]:
    """Names and modules of the files that can be imported; those that cannot are left out."""
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = None
        with contextlib.suppress(Exception, SystemExit):  # somebody's own code
            module = importlib.import_module(f"{package}.{found.name}")
        if module is not None:
            yield found.name, module

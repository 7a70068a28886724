"""The files of a package that a name finds: each strategy or risk rule stands in the file of its name."""

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

from engine.model.sentences import SentenceError, what_and_where
from runtime.suggestions import allowed


class BrokenFile(SentenceError):
    """A file cannot be imported; the text says which one and why."""


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """The modules of a package by the names of their files, and a sentence for each file that has none."""

    modules: Mapping[str, ModuleType]
    broken: tuple[str, ...]


def module_named(package: str, name: str) -> ModuleType | None:
    """The module in the file of that name; None where there is no such file. `BrokenFile` for one that cannot
    be imported."""
    module = f"{package}.{name}"
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # somebody's own code
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            return None
        spec = find_spec(module)
        why = what_and_where(error, spec.origin if spec else None)
        raise BrokenFile(f"{file_named(package, name)} cannot be imported: {why}") from error


def files_of(package: str, *, without: Collection[str] = ()) -> NamedFiles:
    """All files of a package but those named in `without`, imported."""
    modules: dict[str, ModuleType] = {}
    broken = []
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if found.name in without:
            continue
        try:
            module = module_named(package, found.name)
        except BrokenFile as error:
            broken.append(str(error))
        else:
            modules |= {found.name: module} if module is not None else {}
    return NamedFiles(modules, tuple(broken))


def file_named(package: str, name: str) -> str:
    """The path of a file of that name, as a person would look for it."""
    return f"{package.replace('.', '/')}/{name}.py"


def no_such(what: str, name: str, known: Collection[str], broken: Iterable[str] = ()) -> str:
    """The sentence that refuses a name, which `what` contains: the names that there are, and the files that
    cannot be imported, one of which may hold it."""
    return "; ".join((f"there is no {what}{allowed(name, known)}", *broken))

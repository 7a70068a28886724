"""Finds a strategy's class by the text a person writes for it; in backtests, live and in checks alike.

| text | where it is looked for |
|---|---|
| `rsi` | strategies of the project, files of `strategies/` in the user's folder, entry points |
| `FILE.py:Class`, `FILE.py`, `FILE.toml` | folders given, `configs/`, the user's, current, `strategies/` |
| `package.module:Class` | where Python finds it, the current folder, the user's folder |

A file is loaded by its content (`own_files`), so an edited one is found as it is now. In `strategies/` a name
is that of a file, else that of a class. A TOML file describes one (`toml_form`).
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from engine.model.named_files import BrokenFile
from engine.model.sentences import SentenceError, what_and_where
from engine.strategies.base import ScriptStrategy, SignalStrategy, registry
from engine.strategies.own_files import SUFFIXES, file_of, module_of
from engine.strategies.toml_form import TomlStrategyError
from runtime.settings.environment import Home
from runtime.suggestions import allowed, did_you_mean

StrategyClass = type[SignalStrategy] | type[ScriptStrategy]

ENTRY_POINTS = "nextbar.strategies"
"""The group of entry points by which an installed package offers strategies."""
OF_ONES_OWN = "a class of your own as FILE.py:Class, FILE.toml or package.module:Class"


class StrategyNotFound(SentenceError):
    """There is no such strategy, or it cannot be loaded; one sentence."""


def find_strategy(text: str, folders: Sequence[Path] = ()) -> StrategyClass:
    """The class of a strategy; `StrategyNotFound` says why there is none.

    A path in `text` is relative to `folders`, then to the usual ones; the first that has the file is used.
    """
    place, colon, class_name = text.rpartition(":")
    if not colon or (len(place) == 1 and text[1:2] == ":"):  # the drive of a path on Windows
        place, class_name = text, ""
    if is_path(place):
        return _of_file(text, _located(text, place, folders), class_name)
    return _of_module(text, place, class_name) if colon else _of_name(text)


def is_path(place: str) -> bool:
    """Whether what stands before the class's name is a file."""
    return place.endswith(SUFFIXES) or "/" in place or "\\" in place


def strategy_names() -> tuple[str, ...]:
    """Names that stand alone: of the project, of files of `strategies/`, of entry points.

    A file that cannot be loaded is listed too: `find_strategy` says what is wrong with it.
    """
    own = [one.stem for one in own_files() if _has_strategies(one)]
    return tuple(sorted({*registry.names(), *own, *(one.name for one in _entry_points())}))


def place_of(cls: StrategyClass) -> str:
    """The text by which `find_strategy` finds the class."""
    file = file_of(cls)
    if file is not None:
        return f"{file}:{cls.__qualname__}"
    registered = getattr(cls, "name", "")
    try:
        is_registered = bool(registered) and registry.get(registered) is cls
    except KeyError:
        is_registered = False
    return registered if is_registered else f"{cls.__module__}:{cls.__qualname__}"


def own_files() -> list[Path]:
    """The files of `strategies/` in the user's folder, without those whose names begin with an underscore."""
    return sorted(
        one
        for one in _own_folder().glob("*")
        if one.suffix in SUFFIXES and not one.stem.startswith(("_", "test_"))
    )


def _own_folder() -> Path:
    return Home.find().strategies


def _located(text: str, place: str, folders: Sequence[Path]) -> Path:
    home, path = Home.find().root, Path(place).expanduser()
    usual = (*folders, home / "configs", home, Path.cwd(), _own_folder())
    tried = list(dict.fromkeys((one / path).resolve() for one in usual))
    found = next((one for one in tried if one.is_file()), None)
    if found is not None:
        return found
    names = [one.name for file in tried for one in file.parent.glob("*") if one.suffix in SUFFIXES]
    where = "" if path.is_absolute() else f", looked for in {', '.join(map(str, dict.fromkeys(usual)))}"
    raise StrategyNotFound(
        f"strategy {text}: there is no file {place}{did_you_mean(path.name, names, likeness=0.75)}{where}"
    )


def _of_name(name: str) -> StrategyClass:
    own = [one for one in own_files() if one.stem == name]
    if len(own) > 1:
        raise StrategyNotFound(
            f"strategy {name}: there are {' and '.join(map(str, own))}; rename one of them"
        )
    file = own[0] if own else None
    registered = _registered(name)
    if registered is not None:
        came_from = file_of(registered)
        if came_from is None and file is not None:
            raise StrategyNotFound(
                f"strategy {name}: nextbar has one of that name; rename {file}, or write {file.name}"
            )
        if came_from is None:
            return registered
        file = file or came_from  # which may have been edited since
    if file is not None:
        return _of_file(name, file, "", wanted=name)
    offered = next((one for one in _entry_points() if one.name == name), None)
    return _among_own_classes(name) if offered is None else _of_entry_point(name, offered)


def _registered(name: str) -> StrategyClass | None:
    try:
        return registry.get(name)
    except KeyError:
        return None
    except BrokenFile as error:
        raise StrategyNotFound(str(error)) from error


def _among_own_classes(name: str) -> StrategyClass:
    """A class of `strategies/` of that name; only files that contain the word are run."""
    for file in own_files():
        if name.isidentifier() and name in file.read_text("utf-8", "replace"):
            found = _called(name, _strategies_in(_loaded(name, file)))
            if found is not None:
                return found
    known = strategy_names()
    said = f"there is no strategy {name!r}{allowed(name, known)}, or {OF_ONES_OWN}"
    raise StrategyNotFound("; ".join((said, *registry.why_not(name), *_without_folder())))


def _without_folder() -> tuple[str, ...]:
    """Why no strategy of one's own is found where there is no folder to look in."""
    if Home.find().is_made:
        return ()
    where = f"{Path.cwd()} is not inside a folder of nextbar, so no strategies/ was searched: go to yours"
    return (f"{where}, set NEXTBAR_HOME to it, or make one with `nextbar init`",)


def _of_file(text: str, file: Path, class_name: str, wanted: str = "") -> StrategyClass:
    """The class of that name in a file; without one the only strategy in it, or the one called `wanted`."""
    module = _loaded(text, file)
    if class_name:
        return _named(text, module, class_name, file.name)
    found = _strategies_in(module)
    chosen = found[0] if len(found) == 1 else _called(wanted, found)
    if chosen is None:
        names = ", ".join(one.__name__ for one in found)
        has = f"has several strategies, name one: {names}" if found else "has no class of a strategy"
        raise StrategyNotFound(f"strategy {text}: {file.name} {has}")
    return chosen


def _loaded(text: str, file: Path) -> ModuleType:
    try:
        return module_of(file)
    except TomlStrategyError as error:
        raise StrategyNotFound(f"strategy {text}: {error}") from error
    except (Exception, SystemExit) as error:  # somebody's own code, of which one sentence is wanted
        said = what_and_where(error, str(file) if isinstance(error, SentenceError) else None)
        raise StrategyNotFound(f"strategy {text} cannot be imported: {said}") from error


def _of_module(text: str, module_name: str, class_name: str) -> StrategyClass:
    for folder in map(str, (Path.cwd(), Home.find().root)):
        if folder not in sys.path:
            sys.path.append(folder)
    try:
        module = importlib.import_module(module_name)
    except (
        ImportError,
        TypeError,
        ValueError,
    ) as error:  # no name, or one that begins with a dot
        unfound = isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]
        hint = "; a file of your own is FILE.py:Class" if unfound else ""
        raise StrategyNotFound(f"strategy {text}: {error}{hint}") from error
    except (Exception, SystemExit) as error:  # somebody's own code, of which one sentence is wanted
        raise StrategyNotFound(f"strategy {text} cannot be imported: {what_and_where(error)}") from error
    return _named(text, module, class_name, Path(getattr(module, "__file__", None) or module_name).name)


def _of_entry_point(name: str, offered: EntryPoint) -> StrategyClass:
    try:
        found: object = offered.load()
    except (Exception, SystemExit) as error:  # somebody's own code, of which one sentence is wanted
        raise StrategyNotFound(
            f"strategy {name} cannot be imported from {offered.value}: {what_and_where(error)}"
        ) from error
    return _checked(name, found, offered.value)


def _named(text: str, module: ModuleType, class_name: str, where: str) -> StrategyClass:
    found = getattr(module, class_name, None)
    if found is None:
        names = [one.__name__ for one in _strategies_in(module)]
        there = f"; there are {', '.join(names)}" if names else ""
        hint = did_you_mean(class_name, names)
        raise StrategyNotFound(
            f"strategy {text}: {where} has no class {class_name or '(none is named)'}{hint}{there}"
        )
    return _checked(text, found, f"{where}: {class_name}")


def _checked(text: str, found: object, what: str) -> StrategyClass:
    if not isinstance(found, type) or not issubclass(found, SignalStrategy | ScriptStrategy):
        raise StrategyNotFound(
            f"strategy {text}: {what} is no strategy, expected a subclass of SignalStrategy or ScriptStrategy"
        )
    return found


def _strategies_in(module: ModuleType) -> list[StrategyClass]:
    """The strategies that a module defines itself and that are complete; abstract bases are left out."""
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type)
        and issubclass(one, SignalStrategy | ScriptStrategy)
        and one.__module__ == module.__name__
        and not getattr(one, "__abstractmethods__", None)
    ]


def _has_strategies(file: Path) -> bool:
    try:
        return bool(_strategies_in(_loaded(file.stem, file)))
    except StrategyNotFound:
        return True


def _called(name: str, found: Sequence[StrategyClass]) -> StrategyClass | None:
    return next((one for one in found if name in {getattr(one, "name", None), one.__name__}), None)


def _entry_points() -> Iterator[EntryPoint]:
    yield from entry_points(group=ENTRY_POINTS)

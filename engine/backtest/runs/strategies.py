"""Finds and builds strategies by name: registered ones, and classes in a user's own module."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from engine.backtest.data.configuration import ConfigError
from engine.strategies.base import ScriptStrategy, SignalStrategy, registry
from engine.strategies.faults import what_and_where
from runtime.settings.refusals import sentence

AnyStrategy = SignalStrategy | ScriptStrategy
AnyClass = type[SignalStrategy] | type[ScriptStrategy]


def strategy_class(name: str) -> AnyClass:
    """The class of a registered name, or of `package.module:Class`; raises `ConfigError`."""
    try:
        return registry.get(name)
    except KeyError:
        pass
    except (Exception, SystemExit) as e:  # somebody's own code, of which one sentence is wanted
        raise ConfigError(f"strategy {name} cannot be imported: {what_and_where(e)}") from e
    module_name, colon, class_name = name.partition(":")
    if not colon:
        known = ", ".join(registry.names())
        raise ConfigError(f"no strategy {name!r}, there are {known}; your own class is module:Class")
    if "/" in module_name or module_name.endswith(".py"):
        stem = Path(module_name).stem
        raise ConfigError(
            f"strategy {name}: expected {stem}:{class_name}, with the folder of {stem}.py in PYTHONPATH"
        )
    try:
        module = importlib.import_module(module_name)
        found = getattr(module, class_name, None)
    except (ImportError, TypeError, ValueError) as e:  # the last two: no name, or one that begins with a dot
        unfound = isinstance(e, ModuleNotFoundError) and e.name == module_name.partition(".")[0]
        hint = "; its folder must be the current one or in PYTHONPATH" if unfound else ""
        raise ConfigError(f"strategy {name}: {e}{hint}") from e
    except (Exception, SystemExit) as e:  # as above
        raise ConfigError(f"strategy {name} cannot be imported: {what_and_where(e)}") from e
    if found is None:
        file = Path(getattr(module, "__file__", None) or module_name).name
        raise ConfigError(f"strategy {name}: {file} has no class {class_name or '(none is named)'}")
    if not isinstance(found, type) or not issubclass(found, SignalStrategy | ScriptStrategy):
        raise ConfigError(f"strategy {name}: expected a subclass of SignalStrategy or ScriptStrategy")
    return found


def name_of(strategy: str | AnyClass | AnyStrategy) -> str:
    """The name under which `strategy_class` finds it: the registered one, or `package.module:Class`."""
    if isinstance(strategy, str):
        return strategy
    cls = strategy if isinstance(strategy, type) else type(strategy)
    registered = getattr(cls, "name", "")
    try:
        if registered and registry.get(registered) is cls:
            return registered
    except KeyError:
        pass
    return f"{cls.__module__}:{cls.__qualname__}"


def built(cls: AnyClass, params: Mapping[str, object]) -> AnyStrategy:
    """A strategy with checked parameters; raises `ConfigError`."""
    if issubclass(cls, SignalStrategy):
        return build_signal_strategy(cls, params)
    return build_script(cls, params)


def build_signal_strategy(cls: type[SignalStrategy], params: Mapping[str, object]) -> SignalStrategy:
    """A signal strategy with checked parameters; raises `ConfigError`."""
    try:
        return cls.from_params(params)
    except ValidationError as e:
        raise ConfigError(f"{cls.name}: {sentence(e, cls.Params, prefix='parameter ')}") from e
    except (Exception, SystemExit) as e:  # somebody's own code, of which one sentence is wanted
        raise ConfigError(f"{cls.name} cannot be made: {what_and_where(e, cls)}") from e


def build_script(cls: type[ScriptStrategy], params: Mapping[str, object]) -> ScriptStrategy:
    """A script; its parameters are the keywords of its constructor. Raises `ConfigError`."""
    try:
        return cls(**params)
    except ValidationError as e:
        raise ConfigError(f"{cls.__name__}: {sentence(e, cls.Params, prefix='parameter ')}") from e
    except (TypeError, ValueError) as e:
        raise ConfigError(f"{cls.__name__}: {str(e).splitlines()[0]}") from e
    except (Exception, SystemExit) as e:  # somebody's own code, of which one sentence is wanted
        raise ConfigError(f"{cls.__name__} cannot be made: {what_and_where(e, cls)}") from e

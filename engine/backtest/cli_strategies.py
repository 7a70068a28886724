"""From a strategy's name to the object that trades: registered ones, and classes in a user's own module."""

import importlib
from collections.abc import Mapping

from pydantic import ValidationError

from engine.backtest.validate_config import ConfigError
from engine.strategies.base import ScriptStrategy, SignalStrategy, registry
from engine.strategies.faults import what_and_where
from settings.refusals import sentence

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
        raise ConfigError(f"no strategy {name!r}, there are {', '.join(registry.names())}")
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except (ImportError, TypeError, ValueError) as e:  # the last two: no name, or one that begins with a dot
        raise ConfigError(f"strategy {name}: {e}") from e
    except (Exception, SystemExit) as e:  # as above
        raise ConfigError(f"strategy {name} cannot be imported: {what_and_where(e)}") from e
    if not isinstance(found, type) or not issubclass(found, SignalStrategy | ScriptStrategy):
        raise ConfigError(f"strategy {name}: expected a subclass of SignalStrategy or ScriptStrategy")
    return found


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

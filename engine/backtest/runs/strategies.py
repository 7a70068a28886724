"""Finds and builds the strategies of a backtest."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from engine.backtest.data.configuration import ConfigError
from engine.model.bars import Bars
from engine.model.sentences import SentenceError, what_and_where
from engine.strategies.base import ScriptStrategy, SignalStrategy, StrategyParams
from engine.strategies.faults import fault_of
from engine.strategies.finding import StrategyNotFound, find_strategy, place_of
from engine.strategies.inputs import informative_of
from runtime.settings.refusals import sentence

AnyStrategy = SignalStrategy | ScriptStrategy
AnyClass = type[SignalStrategy] | type[ScriptStrategy]


def strategy_class(name: str) -> AnyClass:
    """`find_strategy`; raises `ConfigError`."""
    try:
        return find_strategy(name)
    except StrategyNotFound as error:
        raise ConfigError(str(error)) from error


def name_of(strategy: str | AnyClass | AnyStrategy) -> str:
    """The name under which `strategy_class` finds it."""
    if isinstance(strategy, str):
        return strategy
    return place_of(strategy if isinstance(strategy, type) else type(strategy))


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
    """A script with checked parameters; without a class of `Params` they are its constructor's keywords.

    Raises `ConfigError`.
    """
    try:
        has_own = cls.Params is not StrategyParams
        return cls.from_params(params) if has_own else cls(**params)
    except ValidationError as e:
        raise ConfigError(f"{cls.__name__}: {sentence(e, cls.Params, prefix='parameter ')}") from e
    except (TypeError, ValueError) as e:
        raise ConfigError(f"{cls.__name__}: {str(e).splitlines()[0]}") from e
    except (Exception, SystemExit) as e:  # somebody's own code, of which one sentence is wanted
        raise ConfigError(f"{cls.__name__} cannot be made: {what_and_where(e, cls)}") from e


def check_inputs(
    title: str, strategy: AnyStrategy, histories: Iterable[Bars], beside: Sequence[Bars] = ()
) -> None:
    """Raise `ConfigError` where it looks at bars that are not there, `StrategyFault` where it cannot say."""
    try:
        for bars in histories:
            informative_of(strategy, bars, beside)
    except SentenceError as error:
        raise ConfigError(f"{title}: {error}") from None
    except (Exception, SystemExit) as error:  # somebody's own code, of which one sentence is wanted
        raise fault_of(error, strategy) from error

"""Parameters as a strategy's class names them: `length = param(20, ge=1, doc="bars of the average")`."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar, cast

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from engine.model.exit_rules import ExitRules
from engine.model.sentences import SentenceError
from engine.strategies.base import StrategyParams

T = TypeVar("T")


class Param:
    """One parameter of a class: what it is when nobody says otherwise, and what is allowed.

    On an object of the class it is the value, on the class itself this description.
    """

    def __init__(self, default: object, kind: Any, field: FieldInfo) -> None:  # noqa: ANN401  # a type or a Literal
        self.default, self.kind, self.field = default, kind, field
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        if name in {"name", "params", "inputs", "exits", "exit_rules", "define"} or name.startswith("_"):
            raise SentenceError(f"{owner.__name__}.{name}: a parameter cannot have this name")
        self.name = name

    def __get__(self, strategy: object, owner: type | None = None) -> object:
        return self if strategy is None else getattr(strategy.params, self.name)  # type: ignore[attr-defined]

    def __set__(self, strategy: object, value: object) -> None:
        raise SentenceError(f"{type(strategy).__name__}.{self.name} is a parameter; give it when it is made")


def param(
    default: T,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[T] | None = None,
    kind: Any = None,  # noqa: ANN401  # a type
    doc: str = "",
) -> T:
    """A parameter of a strategy: its default, its range (`ge` <= value <= `le`, `gt` < value < `lt`) or its
    `choices`, and what it is (`doc`).

    Its type is the default's; `kind` says another one, such as `float | None` with None as the default. To a
    type checker it is a value of that type, which is what `self.name` gives.
    """
    if kind is None:
        kind = type(default) if default is not None else float | None
    if choices is not None:
        kind = Literal[tuple(choices)]
    field: Any = Field(default=default, ge=ge, gt=gt, le=le, lt=lt, description=doc or None)
    return cast(T, Param(default, kind, field))


def params_of(cls: type) -> dict[str, Param]:
    """The parameters of a class and those it is made of, by name, in the order they were written."""
    found: dict[str, Param] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Param):
                found[name] = value
            else:
                found.pop(name, None)
    return found


def model_of(cls: type) -> type[StrategyParams]:
    """The pydantic model of a class's parameters, which checks them."""
    fields: dict[str, Any] = {name: (one.kind, one.field) for name, one in params_of(cls).items()}
    return create_model(f"{cls.__name__}Params", __base__=StrategyParams, __module__=cls.__module__, **fields)


def resolved(rules: ExitRules, strategy: object) -> ExitRules:
    """Exit rules in which parameters stand for values, with the values of one object."""
    values = {name: getattr(rules, name) for name in rules.__dataclass_fields__}
    if not any(isinstance(value, Param) for value in values.values()):
        return rules
    made = {
        name: value.__get__(strategy) if isinstance(value, Param) else value for name, value in values.items()
    }
    return ExitRules(**cast("dict[str, Any]", made))

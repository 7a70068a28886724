"""Parameters as a strategy's class names them: `length = param(20, ge=1, doc="bars of the average")`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar, cast, get_type_hints

from pydantic import Field, create_model

from engine.model.exit_rules import ExitRules
from engine.model.named_arguments import names_checked
from engine.model.sentences import SentenceError
from engine.strategies.base import StrategyParams

T = TypeVar("T")


class Param:
    """One parameter of a class: what it is when nobody says otherwise, and what is allowed.

    On an object of the class it is the value, on the class itself this description.
    """

    def __init__(
        self,
        default: object,
        kind: Any,  # noqa: ANN401  # a type or a Literal
        bounds: Mapping[str, float | None],
        doc: str,
    ) -> None:
        self.default, self.kind, self.bounds, self.doc = default, kind, bounds, doc
        self.name = ""

    @property
    def field(self) -> Any:  # noqa: ANN401  # pydantic's own
        """Default, range and description as pydantic takes them."""
        bounds: Any = self.bounds
        return Field(default=self.default, validate_default=True, description=self.doc or None, **bounds)

    def with_default(self, default: object) -> "Param":
        """The same parameter with another default."""
        made = Param(default, self.kind, self.bounds, self.doc)
        made.name = self.name
        return made

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        if name in vars(owner).get("__annotations__", {}):
            with suppress(NameError):  # a name of a local scope: the default's type has to do
                self.kind = get_type_hints(owner)[name]

    def __get__(self, strategy: object, owner: type | None = None) -> object:
        return self if strategy is None else getattr(strategy.params, self.name)  # type: ignore[attr-defined]

    def __set__(self, strategy: object, value: object) -> None:
        raise SentenceError(f"{type(strategy).__name__}.{self.name} is a parameter; give it when it is made")


@names_checked(
    "nb.param",
    {
        "min": "ge",
        "minimum": "ge",
        "low": "ge",
        "max": "le",
        "maximum": "le",
        "high": "le",
        "options": "choices",
    }
    | {"description": "doc", "help": "doc"},
)
def param(
    default: T,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[T] | None = None,
    doc: str = "",
) -> T:
    """A parameter of a strategy: its default, its range (`ge` <= value <= `le`, `gt` < value < `lt`) or its
    `choices`, and what it is (`doc`).

    Its type is that of the annotation (`stop: float | None = param(None)`), or the default's without one.
    To a type checker it is a value of that type, which is what `self.name` gives.
    """
    kind: Any = type(default) if default is not None else float | None
    if choices is not None:
        kind = Literal[tuple(choices)]
    return cast(T, Param(default, kind, {"ge": ge, "gt": gt, "le": le, "lt": lt}, doc))


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


def check_names(cls: type, base: type) -> None:
    """`SentenceError` for a parameter in the place of what a strategy or its `params` are made of.

    `base` is the class of all strategies. Its `memory_bars` may be a parameter.
    """
    taken = {*dir(base), *dir(StrategyParams), "params"} - {"memory_bars"}
    for name, value in vars(cls).items():
        if isinstance(value, Param) and (name in taken or name.startswith("_")):
            raise SentenceError(f"{cls.__name__}.{name}: a parameter cannot have this name")


def adopt_defaults(cls: type) -> None:
    """A plain value of a class under the name of an inherited parameter is that parameter's new default."""
    inherited = {name: one for base in reversed(cls.__mro__[1:]) for name, one in vars(base).items()}
    for name, value in list(vars(cls).items()):
        before = inherited.get(name)
        if isinstance(before, Param) and not isinstance(value, Param):
            setattr(cls, name, before.with_default(value))


def model_of(cls: type) -> type[StrategyParams]:
    """The pydantic model of a class's parameters, which checks them."""
    fields: dict[str, Any] = {name: (one.kind, one.field) for name, one in params_of(cls).items()}
    return create_model(f"{cls.__name__}Params", __base__=StrategyParams, __module__=cls.__module__, **fields)


def resolved(rules: ExitRules, strategy: object) -> ExitRules:
    """Exit rules in which parameters stand for values, with the values of one object."""
    values = {name: getattr(rules, name) for name in rules.__dataclass_fields__}
    if not any(isinstance(value, Param) for value in values.values()):
        return rules
    for name, value in values.items():
        if isinstance(value, Param) and not value.name:
            what = (
                f"{name} is a parameter without a name; write stop = nb.param(...) above it, and {name}=stop"
            )
            raise SentenceError(f"{type(strategy).__name__}.exits: {what}")
    made = {
        name: value.__get__(strategy) if isinstance(value, Param) else value for name, value in values.items()
    }
    return ExitRules(**cast("dict[str, Any]", made))

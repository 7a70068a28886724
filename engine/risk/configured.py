"""Rules that the configuration names: each is found by the file of its name in `engine/risk/rules/`."""

from collections.abc import Mapping
from types import ModuleType

from pydantic import ValidationError

import engine.risk.rules
from engine.model.named_files import importable, module_named
from engine.model.sentences import SentenceError
from engine.risk.rules.rule import ConfiguredRule
from engine.strategies.faults import what_and_where
from runtime.settings.refusals import sentence

PACKAGE = engine.risk.rules.__name__


class RuleRefused(SentenceError):
    """A rule cannot be made as configured; the text says which key and why."""


def configured_rules(tables: Mapping[str, Mapping[str, object]]) -> tuple[ConfiguredRule, ...]:
    """The rules of `risk.rules`, in its order. `RuleRefused` says which name or parameter is wrong."""
    return tuple(_made(name, raw) for name, raw in tables.items())


def _made(name: str, raw: Mapping[str, object]) -> ConfiguredRule:
    key = f"risk.rules.{name}"
    try:
        cls = _class_in(module_named(PACKAGE, name))
    except (Exception, SystemExit) as error:  # somebody's own file
        raise RuleRefused(f"{key}: the rule cannot be imported: {what_and_where(error)}") from error
    if cls is None:
        known = ", ".join(_names()) or "none"
        raise RuleRefused(f"{key}: there is no rule {name} in engine/risk/rules; allowed: {known}")
    if getattr(cls, "name", "") != name:
        raise RuleRefused(f"{key}: {cls.__name__} in {name}.py must be named {name!r}, as its file is")
    try:
        return cls(cls.Params.model_validate(dict(raw)))
    except ValidationError as error:
        raise RuleRefused(sentence(error, cls.Params, prefix=f"{key}.", raw=raw)) from None
    except (Exception, SystemExit) as error:  # somebody's own code
        raise RuleRefused(f"{key}: the rule cannot be made: {what_and_where(error, cls)}") from error


def _names() -> list[str]:
    """Rules that a configuration may name. A file that cannot be imported has none."""
    return [name for name, module in importable(PACKAGE) if _class_in(module) is not None]


def _class_in(module: ModuleType | None) -> type[ConfiguredRule] | None:
    if module is None:
        return None
    classes = (one for one in vars(module).values() if isinstance(one, type))
    here = (cls for cls in classes if cls.__module__ == module.__name__)
    return next((cls for cls in here if issubclass(cls, ConfiguredRule)), None)

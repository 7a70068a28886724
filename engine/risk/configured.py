"""Rules that the configuration names: each is found by the file of its name in `engine/risk/rules/`."""

import contextlib
import importlib
import pkgutil
from collections.abc import Mapping

from pydantic import ValidationError

import engine.risk.rules
from engine.risk.rules.rule import ConfiguredRule
from engine.strategies.calls import SentenceError
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
        cls = _class_named(name)
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
    found = []
    for module in pkgutil.iter_modules(engine.risk.rules.__path__):
        with contextlib.suppress(Exception, SystemExit):  # somebody's own file
            if _class_named(module.name) is not None:
                found.append(module.name)
    return found


def _class_named(name: str) -> type[ConfiguredRule] | None:
    module = f"{PACKAGE}.{name}"
    try:
        found = vars(importlib.import_module(module)).values()
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    classes = (one for one in found if isinstance(one, type) and one.__module__ == module)
    return next((cls for cls in classes if issubclass(cls, ConfiguredRule)), None)

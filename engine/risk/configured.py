"""Rules that the configuration names: each is found by the file of its name in `engine/risk/rules/`."""

from collections.abc import Mapping
from types import ModuleType

from pydantic import ValidationError

import engine.risk.rules
from engine.model.named_files import BrokenFile, file_named, files_of, module_named, no_such
from engine.model.sentences import SentenceError, what_and_where
from engine.risk.rules.rule import ConfiguredRule
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
    except BrokenFile as error:
        raise RuleRefused(f"{key}: {error}") from error
    if cls is None:
        raise RuleRefused(f"{key}: {_no_rule(name)}")
    if getattr(cls, "name", "") != name:
        raise RuleRefused(f"{key}: {cls.__name__} in {name}.py must be named {name!r}, as its file is")
    try:
        return cls(cls.Params.model_validate(dict(raw)))
    except ValidationError as error:
        raise RuleRefused(sentence(error, cls.Params, prefix=f"{key}.", raw=raw)) from None
    except (Exception, SystemExit) as error:  # somebody's own code
        raise RuleRefused(f"{key}: the rule cannot be made: {what_and_where(error, cls)}") from error


def _no_rule(name: str) -> str:
    files = files_of(PACKAGE)
    if name in files.modules:
        return f"{file_named(PACKAGE, name)} holds no rule that a configuration can name"
    rules = [one for one, module in files.modules.items() if _class_in(module) is not None]
    return no_such(f"rule {name!r} in engine/risk/rules", name, rules, files.broken)


def _class_in(module: ModuleType | None) -> type[ConfiguredRule] | None:
    if module is None:
        return None
    classes = (one for one in vars(module).values() if isinstance(one, type))
    here = (cls for cls in classes if cls.__module__ == module.__name__)
    rules = (cls for cls in here if issubclass(cls, ConfiguredRule) and cls is not ConfiguredRule)
    return next(rules, None)
